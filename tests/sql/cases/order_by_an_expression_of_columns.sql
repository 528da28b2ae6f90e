-- ordered
SELECT grade AS code FROM depot ORDER BY lower(code) NULLS FIRST, ident
