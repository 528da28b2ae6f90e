-- Whole numbers, also as text
SELECT 1 FROM a WHERE x = 1 AND y <> '02' AND id >= -3 AND 5 > x
-- becomes
-- x = 1
-- y <> 2
-- id >= -3
-- x < 5
-- which is all that is said

-- No fraction for a whole number, nothing beyond its type
SELECT 1 FROM a WHERE x < 2.5 AND y = 3000000000 AND id < 9223372036854775808
-- becomes
-- which is not all that is said

-- Decimals keep their digits
SELECT 1 FROM c WHERE n = 2.50 AND n < '7' AND n <> 0.001
-- becomes
-- n = Decimal('2.50')
-- n < Decimal('7')
-- n <> Decimal('0.001')
-- which is all that is said

-- Text, blank too
SELECT 1 FROM a WHERE t = 'ab ' AND t <> '' AND t >= 'q'
-- becomes
-- t = 'ab '
-- t <> ''
-- t >= 'q'
-- which is all that is said

-- Truth values
SELECT 1 FROM c WHERE ok = true AND ok <> false
-- becomes
-- ok = True
-- ok <> False
-- which is all that is said

-- A truth value by itself is not plain
SELECT 1 FROM c WHERE ok AND NOT ok
-- becomes
-- which is not all that is said

-- NULL is not plain
SELECT 1 FROM a WHERE x = NULL AND y IS NULL AND t IS NOT NULL
-- becomes
-- which is not all that is said

-- Lists: without NULL, each once
SELECT 1 FROM a WHERE x IN (1, 2, NULL, 1)
-- becomes
-- x in [1, 2]
-- which is all that is said

-- A list of NULL, or of something else
SELECT 1 FROM a WHERE x IN (NULL) AND y IN (1, 2.5) AND x NOT IN (1, 2)
-- becomes
-- which is not all that is said

-- Alternatives of one column are a list
SELECT 1 FROM a WHERE x = 1 OR x = 2 OR (x IN (3, 4))
-- becomes
-- x in [1, 2, 3, 4]
-- which is all that is said

-- Alternatives that say more ask for more, and are not all
SELECT 1 FROM a WHERE (x = 1 AND t IS NULL) OR x = 2
-- becomes
-- x in [1, 2]
-- which is not all that is said

-- Alternatives of two columns, or of a range
SELECT 1 FROM a WHERE (x = 1 OR y = 2) AND (x = 1 OR x > 5)
-- becomes
-- which is not all that is said

-- BETWEEN is two
SELECT 1 FROM a WHERE x BETWEEN 1 AND 5
-- becomes
-- x >= 1
-- x <= 5
-- which is all that is said

-- Half of a BETWEEN is not all
SELECT 1 FROM a WHERE x BETWEEN 1 AND y
-- becomes
-- x >= 1
-- which is not all that is said

-- BETWEEN SYMMETRIC has no order
SELECT 1 FROM a WHERE x BETWEEN SYMMETRIC 5 AND 1
-- becomes
-- which is not all that is said

-- Days
SELECT 1 FROM a WHERE d >= '2024-02-29' AND d < DATE '2024-02-29' + INTERVAL '1 month' AND d <> TIMESTAMP '2024-03-01 00:00:00'
-- becomes
-- d >= datetime.date(2024, 2, 29)
-- d < datetime.date(2024, 3, 29)
-- d <> datetime.date(2024, 3, 1)
-- which is all that is said

-- A time of day is no day
SELECT 1 FROM a WHERE d > TIMESTAMP '2024-03-01 10:00:00'
-- becomes
-- which is not all that is said

-- The last day of a month
SELECT 1 FROM a WHERE d = DATE '2024-01-31' + INTERVAL '1 month' AND d < DATE '2024-02-29' - INTERVAL '1 year'
-- becomes
-- d = datetime.date(2024, 2, 29)
-- d < datetime.date(2023, 2, 28)
-- which is all that is said

-- A day plus a number stays
SELECT 1 FROM a WHERE d = DATE '2024-01-31' + 1
-- becomes
-- which is not all that is said

-- Moments: a day is its midnight, in UTC as the session
SELECT 1 FROM b WHERE at >= DATE '2024-02-29' AND at < '2024-03-01 10:00:00' AND at <> '2024-03-01 10:00:00+02'
-- becomes
-- at >= datetime.datetime(2024, 2, 29, 0, 0, tzinfo=datetime.timezone.utc)
-- at < datetime.datetime(2024, 3, 1, 10, 0, tzinfo=datetime.timezone.utc)
-- at <> datetime.datetime(2024, 3, 1, 8, 0, tzinfo=datetime.timezone.utc)
-- which is all that is said

-- A month later, in UTC as the session
SELECT 1 FROM b WHERE at < TIMESTAMPTZ '2024-03-30 23:00:00-05' + INTERVAL '1 month'
-- becomes
-- at < datetime.datetime(2024, 4, 30, 4, 0, tzinfo=datetime.timezone.utc)
-- which is all that is said

-- Intervals of several parts stay
SELECT 1 FROM b WHERE at < DATE '2024-02-29' + INTERVAL '1 day 2 hours'
-- becomes
-- which is not all that is said

-- Days that there are not
SELECT 1 FROM a WHERE d = '2024-02-30' AND d = '2024-W09-1'
-- becomes
-- which is not all that is said

-- Functions, columns and casts of columns stay
SELECT 1 FROM a WHERE lower(t) = 'q' AND x = y AND CAST(x AS text) = '1' AND x + 1 = 2
-- becomes
-- which is not all that is said

-- LIKE stays
SELECT 1 FROM a WHERE t LIKE 'q%' AND t LIKE 'q' ESCAPE NULL
-- becomes
-- which is not all that is said

-- ANY of an array stays
SELECT 1 FROM a WHERE x = ANY (ARRAY[1, 2])
-- becomes
-- which is not all that is said
