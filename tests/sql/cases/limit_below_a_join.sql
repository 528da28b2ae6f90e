SELECT t.ident, v.ident AS visit
FROM (SELECT ident FROM parcel ORDER BY weight DESC NULLS LAST, ident LIMIT 5 OFFSET 2) AS t
LEFT JOIN visit AS v ON v.parcel_ident = t.ident
