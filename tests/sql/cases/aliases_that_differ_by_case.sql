SELECT "T".ident, t.ident FROM depot AS "T", badge AS t WHERE "T".ident = 3 AND t.ident = 2
