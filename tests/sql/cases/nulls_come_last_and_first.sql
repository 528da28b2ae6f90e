-- ordered
SELECT grade, ident FROM depot ORDER BY grade DESC, ident LIMIT 7
