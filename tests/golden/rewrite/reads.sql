-- Every reference is a read of its own, with the columns that it needs
SELECT a.x, o.y FROM a JOIN a AS o ON o.id = a.x

-- A star is every column that the asker may see
SELECT * FROM c

-- Nothing is needed of rows that are counted
SELECT count(*) FROM a

-- A derived table needs what it says, whatever its reader wants
SELECT v.x FROM (SELECT x, y FROM a) AS v

-- A WITH that hides a relation is no read; the relation below it is
WITH a AS (SELECT id, x FROM a WHERE y = 1) SELECT x FROM a

-- A WITH of the name of a read keeps it
WITH r0 AS (SELECT id FROM a) SELECT r0.id, b.x FROM r0 JOIN b ON b.a_id = r0.id

-- And so in capitals
WITH "R0" AS (SELECT id FROM a) SELECT w.id, b.x FROM "R0" AS w JOIN b ON b.a_id = w.id

-- Arms of a set operation
SELECT x FROM a UNION SELECT x FROM b EXCEPT SELECT x FROM c

-- A correlated subquery needs its outer column
SELECT a.x, (SELECT max(b.x) FROM b WHERE b.a_id = a.id) FROM a

-- Below two levels
SELECT a.x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE EXISTS (SELECT 1 FROM c WHERE c.x = a.y AND c.b_id = b.id))

-- In HAVING and ORDER BY
SELECT a.x FROM a GROUP BY a.x HAVING count(a.y) > 1 ORDER BY (SELECT min(b.t) FROM b WHERE b.x = a.x)

-- Columns of ON, of windows and of FILTER
SELECT sum(a.x) FILTER (WHERE a.t = 'q') OVER (PARTITION BY a.y) FROM a LEFT JOIN b ON b.x < a.d - DATE '2025-01-01'

-- Joins in brackets
SELECT c.x FROM a LEFT JOIN (b JOIN c ON c.b_id = b.id) ON b.a_id = a.id

-- USING of a full join
SELECT x FROM a FULL JOIN b USING (x)

-- lookup is a read with arguments
SELECT customer_id FROM lookup('email', 'q@example.com')

-- No relation at all
SELECT 1 AS one

-- Names that differ by case only
SELECT "A".x, a.x FROM a AS "A" JOIN b AS a ON a.x = "A".x
