SELECT t.ident, t.mark FROM badge AS t, (SELECT CAST(NULL AS integer) AS none) AS n WHERE t.mark IN (1, n.none) OR NOT (t.mark IN (0, n.none, t.size))
