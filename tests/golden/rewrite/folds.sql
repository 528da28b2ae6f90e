-- Counts are added, nothing of nothing is 0
SELECT count(*) FROM a
-- becomes
-- r0 a by (): rows(*)
SELECT CAST(COALESCE(SUM("a"."rows"), 0) AS BIGINT) AS "count" FROM r0 AS a

-- Sums, averages and extremes
SELECT c.b_id, sum(c.n), avg(c.n), min(c.x), max(c.n), count(c.x) FROM c GROUP BY c.b_id
-- becomes
-- r0 c by (b_id): rows(*), sum(n), count(n), min(x), max(n), count(x)
SELECT "c"."b_id" AS "b_id", SUM("c"."sum_of_n") AS "sum", (CAST(SUM("c"."sum_of_n") AS DECIMAL(38, 2)) / CAST(SUM("c"."count_of_n") AS BIGINT)) AS "avg", MIN("c"."min_of_x") AS "min", MAX("c"."max_of_n") AS "max", CAST(COALESCE(SUM("c"."count_of_x"), 0) AS BIGINT) AS "count" FROM r0 AS c GROUP BY "c"."b_id"

-- Sums of integers are bigint, of bigints numeric
SELECT sum(a.x), sum(a.id) FROM a
-- becomes
-- r0 a by (): rows(*), sum(x), sum(id)
SELECT CAST(SUM("a"."sum_of_x") AS BIGINT) AS "sum", SUM("a"."sum_of_id") AS "sum_2" FROM r0 AS a

-- What HAVING and ORDER BY add up
SELECT a.x FROM a GROUP BY a.x HAVING count(*) > 1 ORDER BY sum(a.y)
-- becomes
-- r0 a by (x): rows(*), sum(y)
SELECT "a"."x" AS "x" FROM r0 AS a GROUP BY "a"."x" HAVING CAST(COALESCE(SUM("a"."rows"), 0) AS BIGINT) > 1 ORDER BY CAST(SUM("a"."sum_of_y") AS BIGINT)

-- Distinct values are keys
SELECT count(DISTINCT a.x), sum(a.y) FROM a
-- becomes
-- r0 a by (x): rows(*), sum(y)
SELECT COUNT(DISTINCT "a"."x") AS "count", CAST(SUM("a"."sum_of_y") AS BIGINT) AS "sum" FROM r0 AS a

-- Without aggregates
SELECT DISTINCT a.x, a.t FROM a
-- becomes
-- r0 a by (x, t): rows(*)
SELECT DISTINCT "a"."x" AS "x", "a"."t" AS "t" FROM r0 AS a

-- Truth values do not count
SELECT bool_and(c.ok), count(*) FROM c
-- becomes
-- r0 c by (ok): rows(*)
SELECT BOOL_AND("c"."ok") AS "bool_and", CAST(COALESCE(SUM("c"."rows"), 0) AS BIGINT) AS "count" FROM r0 AS c

-- Texts have no sums, and extremes of their own
SELECT max(a.t), count(a.t) FROM a
-- becomes
-- r0 a by (t): rows(*)
SELECT MAX("a"."t") AS "max", CAST(COALESCE(SUM(CASE WHEN NOT "a"."t" IS NULL THEN "a"."rows" END), 0) AS BIGINT) AS "count" FROM r0 AS a

-- What conditions speak of is a key
SELECT count(*) FROM a WHERE a.x > 1 AND a.t LIKE 'x%'
-- becomes
-- r0 a by (x, t): rows(*)
SELECT CAST(COALESCE(SUM("a"."rows"), 0) AS BIGINT) AS "count" FROM r0 AS a WHERE "a"."x" > 1 AND "a"."t" LIKE 'x%'

-- A join repeats what the other side adds up
SELECT a.t, sum(b.x), count(b.x), count(*) FROM a JOIN b ON b.a_id = a.id GROUP BY a.t
-- becomes
-- r0 a by (t, id): rows(*)
-- r1 b by (a_id): rows(*), sum(x), count(x)
SELECT "a"."t" AS "t", CAST(SUM(CAST("b"."x" AS DECIMAL(10, 0)) * CAST("a"."rows" AS DECIMAL(19, 0))) AS BIGINT) AS "sum", CAST(COALESCE(SUM(CASE WHEN NOT "b"."x" IS NULL THEN "a"."rows" END), 0) AS BIGINT) AS "count", CAST(COALESCE(SUM("a"."rows"), 0) AS BIGINT) AS "count_2" FROM r0 AS a JOIN r1 AS b ON "b"."a_id" = "a"."id" GROUP BY "a"."t"

-- What an outer join makes up counts once
SELECT a.t, count(*), sum(b.x), count(b.x) FROM b RIGHT JOIN a ON b.a_id = a.id GROUP BY a.t
-- becomes
-- r0 b by (a_id): rows(*), sum(x), count(x)
-- r1 a by (t, id): rows(*)
SELECT "a"."t" AS "t", CAST(COALESCE(SUM(COALESCE("b"."rows", 1)), 0) AS BIGINT) AS "count", CAST(SUM("b"."sum_of_x") AS BIGINT) AS "sum", CAST(COALESCE(SUM("b"."count_of_x"), 0) AS BIGINT) AS "count_2" FROM r0 AS b RIGHT JOIN r1 AS a ON "b"."a_id" = "a"."id" GROUP BY "a"."t"

-- An expression keeps its columns
SELECT a.x, sum(a.x * a.y) FROM a GROUP BY a.x
-- becomes
-- nothing is folded

-- Rows that are told apart
SELECT a.x, row_number() OVER (ORDER BY a.x) FROM a GROUP BY a.x
-- becomes
-- nothing is folded

-- A filter says which rows count
SELECT count(*) FILTER (WHERE a.x > 1) FROM a
-- becomes
-- r0 a by (x): rows(*)
SELECT CAST(COALESCE(SUM("a"."rows") FILTER(WHERE "a"."x" > 1), 0) AS BIGINT) AS "count" FROM r0 AS a

-- An order says which come first
SELECT string_agg(a.t, ',' ORDER BY a.x) FROM a
-- becomes
-- nothing is folded

-- Nothing is added up
SELECT a.x FROM a WHERE a.y = 1
-- becomes
-- nothing is folded

-- Below a union, arm by arm
SELECT count(*) FROM a UNION ALL SELECT count(*) FROM b
-- becomes
-- r0 a by (): rows(*)
-- r1 b by (): rows(*)
SELECT CAST(COALESCE(SUM("a"."rows"), 0) AS BIGINT) AS "count" FROM r0 AS a UNION ALL SELECT COUNT(*) AS "count" FROM r1 AS b

-- A derived table
SELECT max(n) FROM (SELECT a.x, count(*) AS n FROM a GROUP BY a.x) AS g
-- becomes
-- r0 a by (x): rows(*)
SELECT MAX("g"."n") AS "max" FROM (SELECT "a"."x" AS "x", CAST(COALESCE(SUM("a"."rows"), 0) AS BIGINT) AS "n" FROM r0 AS a GROUP BY "a"."x") AS "g"

-- A subquery in a condition sees its columns
SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.a_id = a.id)
-- becomes
-- r0 a by (id): rows(*)
SELECT CAST(COALESCE(SUM("a"."rows"), 0) AS BIGINT) AS "count" FROM r0 AS a WHERE EXISTS(SELECT 1 AS "?column?" FROM r1 AS b WHERE "b"."a_id" = "a"."id")

-- Read twice, it has rows for both
WITH w AS (SELECT a.x FROM a) SELECT count(*) FROM w AS p JOIN w AS q ON p.x = q.x
-- becomes
-- nothing is folded

-- One column of two merges both
SELECT count(*) FROM a JOIN b USING (id)
-- becomes
-- r0 a by (id): rows(*)
-- r1 b by (id): rows(*)
SELECT CAST(COALESCE(SUM("a"."rows"), 0) AS BIGINT) AS "count" FROM r0 AS a JOIN r1 AS b ON "a"."id" = "b"."id"

-- A sum beside what counts has too many digits
SELECT sum(g.s) FROM (SELECT sum(a.id) AS s FROM a) AS g JOIN b ON TRUE
-- becomes
-- r0 a by (): rows(*), sum(id)
SELECT SUM("g"."s") AS "sum" FROM (SELECT SUM("a"."sum_of_id") AS "s" FROM r0 AS a) AS "g" JOIN r1 AS b ON TRUE
