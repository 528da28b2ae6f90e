SELECT x."A", x.a FROM (SELECT ident AS "A", grade AS a FROM depot) x WHERE x."A" > 1 AND x.a < 3
