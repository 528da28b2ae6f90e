-- A condition of WHERE
SELECT a.id FROM a WHERE a.x = 1 AND a.t LIKE 'q%'
-- becomes
-- r0 a: x = 1; t LIKE 'q%'

-- Both sides of an inner join, each by its own and by the other's values
SELECT a.id FROM a JOIN b ON b.a_id = a.id AND b.x = 2 WHERE a.x = 1
-- becomes
-- r0 a: x = 1; id in r1.a_id
-- r1 b: x = 2; a_id in r0.id

-- A comma is an inner join
SELECT a.id FROM a, b WHERE b.a_id = a.id AND b.x = 2
-- becomes
-- r0 a: id in r1.a_id
-- r1 b: x = 2; a_id in r0.id

-- LEFT JOIN: its ON narrows the right side only
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id AND b.x = 2 AND a.x = 1
-- becomes
-- r0 a: all rows
-- r1 b: x = 2; a_id in r0.id

-- LEFT JOIN: WHERE narrows both where no NULL meets it
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id WHERE b.x = 2 AND a.x = 1
-- becomes
-- r0 a: x = 1
-- r1 b: x = 2; a_id in r0.id

-- LEFT JOIN: IS NULL narrows nothing
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id WHERE b.x IS NULL
-- becomes
-- r0 a: all rows
-- r1 b: a_id in r0.id

-- LEFT JOIN: nor does what a NULL meets
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id WHERE coalesce(b.x, 1) = 1 AND CAST(coalesce(b.x, 1) AS int) = 1 AND (b.x IS NULL OR b.x = 2) AND b.x IS DISTINCT FROM 3
-- becomes
-- r0 a: all rows
-- r1 b: a_id in r0.id

-- NOT NULL does
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id WHERE b.x IS NOT NULL
-- becomes
-- r0 a: all rows
-- r1 b: a_id in r0.id

-- OR narrows where both sides speak of the same column
SELECT a.id FROM a WHERE (a.x = 1 OR a.x = 2) AND (a.x = 1 OR a.y = 2)
-- becomes
-- r0 a: x = 1 OR x = 2

-- OR over two tables narrows neither
SELECT a.id FROM a JOIN b ON b.a_id = a.id WHERE a.x = 1 OR b.x = 1
-- becomes
-- r0 a: id in r1.a_id
-- r1 b: a_id in r0.id

-- NOT of a comparison; not of a BETWEEN over columns
SELECT a.id FROM a WHERE NOT a.x = 1 AND NOT a.x BETWEEN 1 AND 2 AND a.x NOT BETWEEN 1 AND a.y AND NOT (a.x = 1 OR a.y = 2)
-- becomes
-- r0 a: NOT x = 1; NOT x BETWEEN 1 AND 2

-- CASE narrows nothing
SELECT a.id FROM a WHERE CASE WHEN a.x = 1 THEN a.y = 2 ELSE a.y = 3 END
-- becomes
-- r0 a: all rows

-- RIGHT JOIN: its ON narrows the left side only
SELECT a.id FROM a RIGHT JOIN b ON b.a_id = a.id AND b.x = 2 AND a.x = 1
-- becomes
-- r0 a: x = 1; id in r1.a_id
-- r1 b: all rows

-- FULL JOIN: its ON narrows nothing
SELECT a.id FROM a FULL JOIN b ON b.a_id = a.id AND b.x = 2 AND a.x = 1
-- becomes
-- r0 a: all rows
-- r1 b: all rows

-- FULL JOIN: WHERE narrows the side that it speaks of
SELECT a.id FROM a FULL JOIN b ON b.a_id = a.id WHERE a.x = 1
-- becomes
-- r0 a: x = 1
-- r1 b: all rows

-- USING of a full join is a value of both: nothing
SELECT x FROM a FULL JOIN b USING (x) WHERE x = 1
-- becomes
-- r0 a: all rows
-- r1 b: all rows

-- USING of a left join is the left value
SELECT x FROM a LEFT JOIN b USING (x) WHERE x = 1
-- becomes
-- r0 a: x = 1
-- r1 b: x = 1; x in r0.x

-- USING of a right join is the right value
SELECT x FROM a RIGHT JOIN b USING (x) WHERE x = 1
-- becomes
-- r0 a: x = 1; x in r1.x
-- r1 b: x = 1

-- A RIGHT JOIN above a LEFT JOIN
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id RIGHT JOIN c ON c.b_id = b.id AND a.x = 1 WHERE b.x IS NULL
-- becomes
-- r0 a: x = 1
-- r1 b: a_id in r0.id; id in r2.b_id
-- r2 c: all rows

-- An inner join above a LEFT JOIN
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id JOIN c ON c.b_id = b.id AND b.x = 1
-- becomes
-- r0 a: all rows
-- r1 b: x = 1; a_id in r0.id; id in r2.b_id
-- r2 c: b_id in r1.id

-- ON of a LEFT JOIN with a derived table that has an outer join
SELECT a.id FROM a LEFT JOIN (SELECT b.a_id, c.x FROM b LEFT JOIN c ON c.b_id = b.id) AS v ON v.a_id = a.id AND v.x = 1
-- becomes
-- r0 a: all rows
-- r1 b: a_id in r0.id
-- r2 c: x = 1; b_id in r1.id

-- A constant goes over an equality
SELECT a.id FROM a JOIN b ON b.x = a.x WHERE a.x = 1
-- becomes
-- r0 a: x = 1; x in r1.x
-- r1 b: x = 1; x in r0.x

-- Over that of a LEFT JOIN to the right side
SELECT a.id FROM a LEFT JOIN b ON b.x = a.x WHERE a.x = 1
-- becomes
-- r0 a: x = 1
-- r1 b: x = 1; x in r0.x

-- Not from the right side of its ON to the left
SELECT a.id FROM a LEFT JOIN b ON b.x = a.x AND b.x = 1
-- becomes
-- r0 a: all rows
-- r1 b: x = 1; x in r0.x

-- Not over a FULL JOIN
SELECT a.id FROM a FULL JOIN b ON b.x = a.x WHERE a.x = 1
-- becomes
-- r0 a: x = 1
-- r1 b: all rows

-- IN binds both
SELECT a.id FROM a WHERE a.id IN (SELECT b.a_id FROM b WHERE b.x = 2)
-- becomes
-- r0 a: id in r1.a_id
-- r1 b: x = 2; a_id in r0.id

-- IN over a LIMIT, a window or DISTINCT ON binds the outer side only
SELECT a.id FROM a WHERE a.id IN (SELECT b.a_id FROM b ORDER BY b.id LIMIT 3)
-- becomes
-- r0 a: id in r1.a_id
-- r1 b: all rows

-- NOT IN binds nothing
SELECT a.id FROM a WHERE a.id NOT IN (SELECT b.a_id FROM b)
-- becomes
-- r0 a: all rows
-- r1 b: all rows

-- IN below OR binds nothing
SELECT a.id FROM a WHERE a.id IN (SELECT b.a_id FROM b) OR a.x = 1
-- becomes
-- r0 a: all rows
-- r1 b: all rows

-- IN of an aggregate binds nothing
SELECT a.id FROM a WHERE a.id IN (SELECT max(b.a_id) FROM b)
-- becomes
-- r0 a: all rows
-- r1 b: all rows

-- IN in the ON of an outer join binds nothing
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id AND a.x IN (SELECT c.x FROM c)
-- becomes
-- r0 a: all rows
-- r1 b: a_id in r0.id
-- r2 c: all rows

-- EXISTS binds both
SELECT a.id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.a_id = a.id AND b.x = 2)
-- becomes
-- r0 a: id in r1.a_id
-- r1 b: x = 2; a_id in r0.id

-- NOT EXISTS binds the inner side only
SELECT a.id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.a_id = a.id)
-- becomes
-- r0 a: all rows
-- r1 b: a_id in r0.id

-- EXISTS of an aggregate always holds
SELECT a.id FROM a WHERE EXISTS (SELECT count(*) FROM b WHERE b.a_id = a.id)
-- becomes
-- r0 a: all rows
-- r1 b: a_id in r0.id

-- And so where only its ORDER BY has one
SELECT a.id FROM a WHERE EXISTS (SELECT 1 AS one FROM b WHERE b.a_id = a.id ORDER BY max(b.x))
-- becomes
-- r0 a: all rows
-- r1 b: a_id in r0.id

-- A subquery among the columns is bound by the outer rows
SELECT a.id, (SELECT count(*) FROM b WHERE b.a_id = a.id AND b.x = 2) FROM a
-- becomes
-- r0 a: all rows
-- r1 b: x = 2; a_id in r0.id

-- = ANY and <> ALL stay
SELECT a.id FROM a WHERE a.id = ANY (SELECT b.a_id FROM b) AND a.x <> ALL (SELECT c.x FROM c)
-- becomes
-- r0 a: all rows
-- r1 b: all rows
-- r2 c: all rows

-- Rows of values stay
SELECT a.id FROM a WHERE (a.x, a.y) = (1, 2) AND (a.x, a.y) < (3, 4)
-- becomes
-- r0 a: all rows

-- Through a derived table
SELECT v.y FROM (SELECT x AS y, id FROM a) AS v WHERE v.y = 1
-- becomes
-- r0 a: x = 1

-- Not to a computed column
SELECT v.y FROM (SELECT x + 1 AS y, id FROM a) AS v WHERE v.y = 1
-- becomes
-- r0 a: all rows

-- Through DISTINCT and GROUP BY to a column of the group
SELECT v.n FROM (SELECT DISTINCT x, count(*) AS n FROM a GROUP BY x, y) AS v WHERE v.x = 1 AND v.n = 2
-- becomes
-- r0 a: x = 1

-- ROLLUP, CUBE and GROUPING SETS make NULLs: not to their columns
SELECT v.n FROM (SELECT x, y, count(*) AS n FROM a GROUP BY x, ROLLUP (y)) AS v WHERE v.y = 1 AND v.x = 2
-- becomes
-- r0 a: x = 2

-- Not through GROUPING SETS
SELECT v.n FROM (SELECT x, y, count(*) AS n FROM a GROUP BY GROUPING SETS ((x), (y), ())) AS v WHERE v.y = 1
-- becomes
-- r0 a: all rows

-- Not through HAVING
SELECT v.n FROM (SELECT x, count(*) AS n FROM a GROUP BY x HAVING count(*) > 1) AS v WHERE v.x = 1
-- becomes
-- r0 a: all rows

-- Not through LIMIT
SELECT v.x FROM (SELECT x FROM a ORDER BY x LIMIT 5) AS v WHERE v.x = 1
-- becomes
-- r0 a: all rows

-- Not through a LIMIT outside of parentheses
SELECT v.x FROM ((SELECT x FROM a) ORDER BY x LIMIT 5) AS v WHERE v.x = 1
-- becomes
-- r0 a: all rows

-- Not through OFFSET
SELECT v.x FROM (SELECT x FROM a ORDER BY x OFFSET 5) AS v WHERE v.x = 1
-- becomes
-- r0 a: all rows

-- Not through DISTINCT ON
SELECT v.x FROM (SELECT DISTINCT ON (y) y, x FROM a ORDER BY y, x) AS v WHERE v.x = 1
-- becomes
-- r0 a: all rows

-- Not through a window
SELECT v.x FROM (SELECT x, rank() OVER (ORDER BY y) AS r FROM a) AS v WHERE v.x = 1
-- becomes
-- r0 a: all rows

-- Into every arm of UNION ALL
SELECT v.x FROM (SELECT x FROM a UNION ALL SELECT x FROM b UNION ALL SELECT 1) AS v WHERE v.x = 1
-- becomes
-- r0 a: x = 1
-- r1 b: x = 1

-- Into both arms of EXCEPT
SELECT v.x FROM (SELECT x, id FROM a EXCEPT SELECT x, id FROM b) AS v WHERE v.x = 1
-- becomes
-- r0 a: x = 1
-- r1 b: x = 1

-- By position, not by name
SELECT v.x FROM (SELECT x, y FROM a INTERSECT ALL SELECT a_id, x FROM b) AS v WHERE v.x = 1
-- becomes
-- r0 a: x = 1
-- r1 b: a_id = 1

-- Not into an arm that is cut
SELECT v.x FROM ((SELECT x FROM a ORDER BY x LIMIT 5) UNION ALL SELECT x FROM b) AS v WHERE v.x = 1
-- becomes
-- r0 a: all rows
-- r1 b: all rows

-- Joined to a UNION: its arms by the other, the other by both
SELECT v.k FROM (SELECT id AS k FROM a UNION SELECT b_id FROM c) AS v JOIN b ON b.a_id = v.k
-- becomes
-- r0 a: id in r2.a_id
-- r1 c: b_id in r2.a_id
-- r2 b: a_id in r0.id + r1.b_id

-- Not by a union with a constant arm, whose values are unknown
SELECT v.k FROM (SELECT id AS k FROM a UNION SELECT 4) AS v JOIN b ON b.a_id = v.k
-- becomes
-- r0 a: id in r1.a_id
-- r1 b: all rows

-- A WITH that is read once
WITH w AS (SELECT id, x FROM a) SELECT w.id FROM w WHERE w.x = 1
-- becomes
-- r0 a: x = 1

-- Once, in a subquery of every row
WITH w AS (SELECT a_id, x FROM b) SELECT a.id, (SELECT max(w.x) FROM w WHERE w.a_id = a.id AND w.x = 2) FROM a
-- becomes
-- r0 b: x = 2; a_id in r1.id
-- r1 a: all rows

-- Twice: it has the rows of both
WITH w AS (SELECT id, x FROM a) SELECT w.id FROM w WHERE w.x = 1 UNION ALL SELECT w.id FROM w WHERE w.x = 2
-- becomes
-- r0 a: all rows

-- Once, below one that is read twice
WITH w AS (SELECT id, x FROM a), v AS (SELECT id FROM w WHERE x = 1) SELECT v.id FROM v JOIN v AS u ON u.id = v.id WHERE u.id = 5
-- becomes
-- r0 a: x = 1

-- A derived table of two reads: each by its own
SELECT v.id FROM (SELECT a.id, b.x, a.y FROM a LEFT JOIN b ON b.a_id = a.id) AS v WHERE v.x = 1 AND v.y = 2 AND v.x < v.y
-- becomes
-- r0 a: y = 2
-- r1 b: x = 1; a_id in r0.id

-- A cut source is bound by nobody, but binds
SELECT b.id FROM b JOIN (SELECT id FROM a ORDER BY id LIMIT 3) AS v ON v.id = b.a_id
-- becomes
-- r0 b: a_id in r1.id
-- r1 a: all rows

-- A condition of the outer row in an inner WHERE
SELECT a.id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE a.x = 1 AND b.x = 2)
-- becomes
-- r0 a: all rows
-- r1 b: x = 2

-- A clock restricts, though no source is asked by it
SELECT b.id FROM b WHERE b.at < current_timestamp
-- becomes
-- r0 b: at < CURRENT_TIMESTAMP

-- Nor by one with a computed arm
SELECT b.id FROM (SELECT id AS k FROM a UNION ALL SELECT x + 1 FROM c) AS v JOIN b ON b.a_id = v.k
-- becomes
-- r0 a: id in r2.a_id
-- r1 c: all rows
-- r2 b: all rows

-- IN a union binds nothing
SELECT b.id FROM b WHERE b.a_id IN (SELECT id FROM a UNION ALL SELECT 4)
-- becomes
-- r0 b: all rows
-- r1 a: all rows

-- Truth values and negative numbers are constants too
SELECT c.id FROM c WHERE c.ok = true AND c.x >= -3 AND c.x <> NULL
-- becomes
-- r0 c: ok = TRUE; x >= -3; x <> NULL

-- And whatever has no column
SELECT a.id FROM a LEFT JOIN b ON b.a_id = a.id WHERE a.d >= DATE '2024-02-29' - INTERVAL '1 month' AND b.x IN (1, 1 + 1) AND b.x = coalesce(b.a_id, 1)
-- becomes
-- r0 a: d >= CAST('2024-02-29' AS DATE) - (CAST('1 month' AS INTERVAL))
-- r1 b: x IN (1, 1 + 1); a_id in r0.id
