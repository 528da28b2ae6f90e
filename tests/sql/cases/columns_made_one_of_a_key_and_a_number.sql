WITH w1 (grade) AS (SELECT ident FROM depot) SELECT sum(grade), grade FROM depot JOIN w1 USING (grade) GROUP BY grade
