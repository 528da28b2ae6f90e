-- Every reference is a read of its own, with the columns that it needs
SELECT a.x, o.y FROM a JOIN a AS o ON o.id = a.x
-- becomes
-- r0 a(x)
-- r1 a(y, id)
SELECT "a"."x" AS "x", "o"."y" AS "y" FROM r0 AS a JOIN r1 AS o ON "o"."id" = "a"."x"

-- A star is every column that the asker may see
SELECT * FROM c
-- becomes
-- r0 c(id, b_id, x, n, ok, source, source_key, slot)
SELECT "c"."id" AS "id", "c"."b_id" AS "b_id", "c"."x" AS "x", "c"."n" AS "n", "c"."ok" AS "ok", "c"."source" AS "source", "c"."source_key" AS "source_key", "c"."slot" AS "slot" FROM r0 AS c

-- Nothing is needed of rows that are counted
SELECT count(*) FROM a
-- becomes
-- r0 a()
SELECT COUNT(*) AS "count" FROM r0 AS a

-- A derived table needs what it says, whatever its reader wants
SELECT v.x FROM (SELECT x, y FROM a) AS v
-- becomes
-- r0 a(x, y)
SELECT "v"."x" AS "x" FROM (SELECT "a"."x" AS "x", "a"."y" AS "y" FROM r0 AS a) AS "v"

-- A WITH that hides a relation is no read; the relation below it is
WITH a AS (SELECT id, x FROM a WHERE y = 1) SELECT x FROM a
-- becomes
-- r0 a(id, x, y)
WITH "a_2" AS (SELECT "a"."id" AS "id", "a"."x" AS "x" FROM r0 AS a WHERE "a"."y" = 1) SELECT "a_3"."x" AS "x" FROM "a_2" AS "a_3"

-- A WITH of the name of a read keeps it
WITH r0 AS (SELECT id FROM a) SELECT r0.id, b.x FROM r0 JOIN b ON b.a_id = r0.id
-- becomes
-- r1 a(id)
-- r2 b(x, a_id)
WITH "r0" AS (SELECT "a"."id" AS "id" FROM r1 AS a) SELECT "r0"."id" AS "id", "b"."x" AS "x" FROM "r0" AS "r0" JOIN r2 AS b ON "b"."a_id" = "r0"."id"

-- And so in capitals
WITH "R0" AS (SELECT id FROM a) SELECT w.id, b.x FROM "R0" AS w JOIN b ON b.a_id = w.id
-- becomes
-- r1 a(id)
-- r2 b(x, a_id)
WITH "R0" AS (SELECT "a"."id" AS "id" FROM r1 AS a) SELECT "w"."id" AS "id", "b"."x" AS "x" FROM "R0" AS "w" JOIN r2 AS b ON "b"."a_id" = "w"."id"

-- Arms of a set operation
SELECT x FROM a UNION SELECT x FROM b EXCEPT SELECT x FROM c
-- becomes
-- r0 a(x)
-- r1 b(x)
-- r2 c(x)
SELECT "a"."x" AS "x" FROM r0 AS a UNION SELECT "b"."x" AS "x" FROM r1 AS b EXCEPT SELECT "c"."x" AS "x" FROM r2 AS c

-- A correlated subquery needs its outer column
SELECT a.x, (SELECT max(b.x) FROM b WHERE b.a_id = a.id) FROM a
-- becomes
-- r0 a(x, id)
-- r1 b(x, a_id)
SELECT "a"."x" AS "x", (SELECT MAX("b"."x") AS "max" FROM r1 AS b WHERE "b"."a_id" = "a"."id") AS "max" FROM r0 AS a

-- Below two levels
SELECT a.x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE EXISTS (SELECT 1 FROM c WHERE c.x = a.y AND c.b_id = b.id))
-- becomes
-- r0 a(x, y)
-- r1 b(id)
-- r2 c(x, b_id)
SELECT "a"."x" AS "x" FROM r0 AS a WHERE EXISTS(SELECT 1 AS "?column?" FROM r1 AS b WHERE EXISTS(SELECT 1 AS "?column?" FROM r2 AS c WHERE "c"."x" = "a"."y" AND "c"."b_id" = "b"."id"))

-- In HAVING and ORDER BY
SELECT a.x FROM a GROUP BY a.x HAVING count(a.y) > 1 ORDER BY (SELECT min(b.t) FROM b WHERE b.x = a.x)
-- becomes
-- r0 a(x, y)
-- r1 b(t, x)
SELECT "a"."x" AS "x" FROM r0 AS a GROUP BY "a"."x" HAVING COUNT("a"."y") > 1 ORDER BY (SELECT MIN("b"."t") AS "min" FROM r1 AS b WHERE "b"."x" = "a"."x")

-- Columns of ON, of windows and of FILTER
SELECT sum(a.x) FILTER (WHERE a.t = 'q') OVER (PARTITION BY a.y) FROM a LEFT JOIN b ON b.x < a.d - DATE '2025-01-01'
-- becomes
-- r0 a(x, t, y, d)
-- r1 b(x)
SELECT SUM("a"."x") FILTER(WHERE "a"."t" = 'q') OVER (PARTITION BY "a"."y") AS "sum" FROM r0 AS a LEFT JOIN r1 AS b ON "b"."x" < "a"."d" - CAST('2025-01-01' AS DATE)

-- USING of a full join
SELECT x FROM a FULL JOIN b USING (x)
-- becomes
-- r0 a(x)
-- r1 b(x)
SELECT COALESCE("a"."x", "b"."x") AS "x" FROM r0 AS a FULL JOIN r1 AS b ON "a"."x" = "b"."x"

-- lookup is a read with arguments
SELECT customer_id FROM lookup('email', 'q@example.com')
-- becomes
-- r0 lookup['email', 'q@example.com'](customer_id)
SELECT "lookup_2"."customer_id" AS "customer_id" FROM r0 AS lookup_2

-- No relation at all
SELECT 1 AS one
-- becomes
SELECT 1 AS "one"

-- Names that differ by case only
SELECT "A".x, a.x FROM a AS "A" JOIN b AS a ON a.x = "A".x
-- becomes
-- r0 a(x)
-- r1 b(x)
SELECT "A_2"."x" AS "x", "a_3"."x" AS "x_2" FROM r0 AS A_2 JOIN r1 AS a_3 ON "a_3"."x" = "A_2"."x"
