SELECT * FROM (
  SELECT DISTINCT ON (grade) grade, ident FROM parcel ORDER BY grade, ident DESC
) AS t WHERE ident > 10
