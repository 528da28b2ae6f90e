-- Equal reads are one
SELECT a.id FROM a WHERE a.x = 1 UNION ALL SELECT a.y FROM a WHERE a.x = 1
-- becomes
-- r0 a: x = 1
SELECT "a"."id" AS "id" FROM r0 AS a WHERE "a"."x" = 1 UNION ALL SELECT "a_2"."y" AS "y" FROM r0 AS a_2 WHERE "a_2"."x" = 1

-- Reads of other rows are two
SELECT a.id FROM a WHERE a.x = 1 UNION ALL SELECT a.y FROM a WHERE a.x = 2
-- becomes
-- r0 a: x = 1
-- r1 a: x = 2
SELECT "a"."id" AS "id" FROM r0 AS a WHERE "a"."x" = 1 UNION ALL SELECT "a_2"."y" AS "y" FROM r1 AS a_2 WHERE "a_2"."x" = 2

-- A join by the whole key is one row: what one demands holds for both
SELECT p.x FROM a AS p JOIN a AS q ON q.source = p.source AND q.source_key = p.source_key AND q.slot = p.slot WHERE p.x = 1 AND q.y = 2
-- becomes
-- r0 a: x = 1; y = 2
SELECT "p"."x" AS "x" FROM r0 AS p JOIN r0 AS q ON "q"."source" = "p"."source" AND "q"."source_key" = "p"."source_key" AND "q"."slot" = "p"."slot" WHERE "p"."x" = 1 AND "q"."y" = 2

-- By a part of the key it is not
SELECT p.x FROM a AS p JOIN a AS q ON q.source_key = p.source_key AND q.slot = p.slot WHERE p.x = 1 AND q.y = 2
-- becomes
-- r0 a: x = 1; source_key in r1.source_key; slot in r1.slot
-- r1 a: y = 2; source_key in r0.source_key; slot in r0.slot
SELECT "p"."x" AS "x" FROM r0 AS p JOIN r1 AS q ON "q"."source_key" = "p"."source_key" AND "q"."slot" = "p"."slot" WHERE "p"."x" = 1 AND "q"."y" = 2

-- Nor in a LEFT JOIN
SELECT p.x FROM a AS p LEFT JOIN a AS q ON q.source = p.source AND q.source_key = p.source_key AND q.slot = p.slot AND q.y = 2 WHERE p.x = 1
-- becomes
-- r0 a: x = 1
-- r1 a: y = 2; source in r0.source; source_key in r0.source_key; slot in r0.slot
SELECT "p"."x" AS "x" FROM r0 AS p LEFT JOIN r1 AS q ON "q"."source" = "p"."source" AND "q"."source_key" = "p"."source_key" AND "q"."slot" = "p"."slot" AND "q"."y" = 2 WHERE "p"."x" = 1

-- Nor by columns that are not the key
SELECT p.x FROM a AS p JOIN a AS q ON q.id = p.id WHERE p.x = 1 AND q.y = 2
-- becomes
-- r0 a: x = 1; id in r1.id
-- r1 a: y = 2; id in r0.id
SELECT "p"."x" AS "x" FROM r0 AS p JOIN r1 AS q ON "q"."id" = "p"."id" WHERE "p"."x" = 1 AND "q"."y" = 2

-- Nor of two relations
SELECT a.x FROM a JOIN b ON b.source = a.source AND b.source_key = a.source_key AND b.slot = a.slot WHERE a.x = 1 AND b.x = 2
-- becomes
-- r0 a: x = 1; source in r1.source; source_key in r1.source_key; slot in r1.slot
-- r1 b: x = 2; source in r0.source; source_key in r0.source_key; slot in r0.slot
SELECT "a"."x" AS "x" FROM r0 AS a JOIN r1 AS b ON "b"."source" = "a"."source" AND "b"."source_key" = "a"."source_key" AND "b"."slot" = "a"."slot" WHERE "a"."x" = 1 AND "b"."x" = 2

-- What is bound by either goes on with both
SELECT p.x FROM a AS p JOIN a AS q ON q.source = p.source AND q.source_key = p.source_key AND q.slot = p.slot JOIN b ON b.a_id = q.id WHERE b.x = 1
-- becomes
-- r0 a: id in r2.a_id
-- r2 b: x = 1; a_id in r0.id
SELECT "p"."x" AS "x" FROM r0 AS p JOIN r0 AS q ON "q"."source" = "p"."source" AND "q"."source_key" = "p"."source_key" AND "q"."slot" = "p"."slot" JOIN r2 AS b ON "b"."a_id" = "q"."id" WHERE "b"."x" = 1

-- Two lookups are two
SELECT p.customer_id FROM lookup('email', 'q@example.com') AS p UNION SELECT q.customer_id FROM lookup('email', 'r@example.com') AS q
-- becomes
-- r0 lookup['email', 'q@example.com']: all rows
-- r1 lookup['email', 'r@example.com']: all rows
SELECT "p"."customer_id" AS "customer_id" FROM r0 AS p UNION SELECT "q"."customer_id" AS "customer_id" FROM r1 AS q
