SELECT ident, mark FROM badge WHERE mark = 1 OR mark = 0 OR mark = CAST(NULL AS integer) OR mark = nullif(size, size)
