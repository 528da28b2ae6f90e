SELECT ident, place FROM (
  SELECT ident, active, row_number() OVER (ORDER BY ident) AS place FROM depot
) AS t WHERE active AND place > 2
