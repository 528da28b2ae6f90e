SELECT count(*) AS n FROM badge HAVING count(*) > 100
