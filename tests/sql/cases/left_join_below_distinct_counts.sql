SELECT p.grade, count(*) AS n, count(DISTINCT d.ident) AS depots
FROM parcel AS p LEFT JOIN depot AS d ON d.grade = p.grade
GROUP BY p.grade
