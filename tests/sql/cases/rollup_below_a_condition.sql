SELECT g.city, g.grade, g.n FROM (SELECT city, grade, count(*) AS n FROM depot GROUP BY city, ROLLUP (grade)) g WHERE g.city = 'Ulm' AND g.grade IS NULL
