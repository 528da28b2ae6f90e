-- A column that only its condition needs
SELECT a.y FROM a WHERE a.x = 1
-- becomes
-- r0 a(y)
SELECT "a"."y" AS "y" FROM r0 AS a

-- It comes all the same: nothing is won
SELECT a.x FROM a WHERE a.x = 1
-- becomes
-- r0 a(x)
SELECT "a"."x" AS "x" FROM r0 AS a WHERE "a"."x" = 1

-- One of two conditions
SELECT count(*) FROM a WHERE a.x = 1 AND a.y IS NULL
-- becomes
-- r0 a(y)
SELECT COUNT(*) AS "count" FROM r0 AS a WHERE "a"."y" IS NULL

-- What an outer join makes up does not fulfil it
SELECT count(*) FROM a LEFT JOIN b ON b.a_id = a.id WHERE b.x = 1
-- becomes
-- r0 a(id)
-- r1 b(a_id, x)
SELECT COUNT(*) AS "count" FROM r0 AS a LEFT JOIN r1 AS b ON "b"."a_id" = "a"."id" WHERE "b"."x" = 1

-- The kept side is real
SELECT count(*) FROM a LEFT JOIN b ON b.a_id = a.id WHERE a.x = 1
-- becomes
-- r0 a(id)
-- r1 b(a_id)
SELECT COUNT(*) AS "count" FROM r0 AS a LEFT JOIN r1 AS b ON "b"."a_id" = "a"."id"

-- Asked before anything is made up
SELECT count(*) FROM a LEFT JOIN b ON b.a_id = a.id AND b.x = 1
-- becomes
-- r0 a(id)
-- r1 b(a_id)
SELECT COUNT(*) AS "count" FROM r0 AS a LEFT JOIN r1 AS b ON "b"."a_id" = "a"."id"

-- All that a join says
SELECT count(*) FROM a JOIN b ON b.x = 1
-- becomes
-- r0 a()
-- r1 b()
SELECT COUNT(*) AS "count" FROM r0 AS a JOIN r1 AS b ON TRUE

-- Of rows that an earlier join may have made up
SELECT count(*) FROM a LEFT JOIN b ON b.a_id = a.id JOIN c ON c.id = a.id AND b.x = 1
-- becomes
-- r0 a(id)
-- r1 b(a_id, x)
-- r2 c(id)
SELECT COUNT(*) AS "count" FROM r0 AS a LEFT JOIN r1 AS b ON "b"."a_id" = "a"."id" JOIN r2 AS c ON "c"."id" = "a"."id" AND "b"."x" = 1

-- Either side of a full join
SELECT count(*) FROM a FULL JOIN b ON b.a_id = a.id WHERE a.x = 1
-- becomes
-- r0 a(id, x)
-- r1 b(a_id)
SELECT COUNT(*) AS "count" FROM r0 AS a FULL JOIN r1 AS b ON "b"."a_id" = "a"."id" WHERE "a"."x" = 1

-- The left of a right join
SELECT count(*) FROM a RIGHT JOIN b ON b.a_id = a.id WHERE a.x = 1 AND b.x = 2
-- becomes
-- r0 a(id, x)
-- r1 b(a_id)
SELECT COUNT(*) AS "count" FROM r0 AS a RIGHT JOIN r1 AS b ON "b"."a_id" = "a"."id" WHERE "a"."x" = 1

-- A column that two conditions need
SELECT count(*) FROM a WHERE a.x > 1 AND a.x + a.y > 3
-- becomes
-- r0 a(x, y)
SELECT COUNT(*) AS "count" FROM r0 AS a WHERE "a"."x" > 1 AND "a"."x" + "a"."y" > 3

-- Both bounds
SELECT count(*) FROM a WHERE a.x > 1 AND a.x < 9
-- becomes
-- r0 a()
SELECT COUNT(*) AS "count" FROM r0 AS a

-- Not below a cut, where it is not asked
SELECT count(*) FROM (SELECT a.id, a.x FROM a LIMIT 5) AS a WHERE a.x = 1
-- becomes
-- r0 a(id, x)
SELECT COUNT(*) AS "count" FROM (SELECT "a"."id" AS "id", "a"."x" AS "x" FROM r0 AS a LIMIT 5) AS "a_2" WHERE "a_2"."x" = 1

-- One column of two merges both
SELECT count(*) FROM a JOIN b USING (id) WHERE a.y = 1
-- becomes
-- r0 a(id)
-- r1 b(id)
SELECT COUNT(*) AS "count" FROM r0 AS a JOIN r1 AS b ON "a"."id" = "b"."id"

-- Two readers of the same rows
SELECT count(*) FROM a WHERE a.x = 1 UNION ALL SELECT sum(a.y) FROM a WHERE a.x = 1
-- becomes
-- r0 a(y)
SELECT COUNT(*) AS "count" FROM r0 AS a UNION ALL SELECT SUM("a_2"."y") AS "sum" FROM r0 AS a_2

-- Two readers, one of whom shows it
SELECT count(*) FROM a WHERE a.x = 1 UNION ALL SELECT max(a.x) FROM a WHERE a.x = 1
-- becomes
-- r0 a(x)
SELECT COUNT(*) AS "count" FROM r0 AS a WHERE "a"."x" = 1 UNION ALL SELECT MAX("a_2"."x") AS "max" FROM r0 AS a_2 WHERE "a_2"."x" = 1
