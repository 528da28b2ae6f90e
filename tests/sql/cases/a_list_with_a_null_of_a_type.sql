SELECT ident, mark FROM badge WHERE mark IN (1, 0, CAST(NULL AS integer))
