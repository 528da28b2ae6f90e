SELECT d.x FROM ((SELECT grade AS x FROM depot) ORDER BY x LIMIT 5) AS d WHERE d.x = 3
