SELECT ident FROM (SELECT ident, active FROM parcel ORDER BY ident LIMIT 10) AS t WHERE active
