SELECT d.ident, v.ident AS visit FROM depot AS d FULL JOIN visit AS v ON v.depot_ident = d.ident
WHERE d.grade > 0 OR v.score IS NULL
