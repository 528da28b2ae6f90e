-- ordered
SELECT code, count(*) AS n FROM depot GROUP BY code ORDER BY code DESC NULLS LAST
