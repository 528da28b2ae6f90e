-- Cents of an amount; halves on both sides
SELECT 1 FROM gauge WHERE amount = 2.50
-- becomes
-- attic.gauge: all rows
-- store.gauge: g.rate >= '1.2225' AND g.rate <= '1.2775'
-- tills.gauge: g.cents = '250'

-- What no whole number of cents makes
SELECT 1 FROM gauge WHERE amount = 2.503
-- becomes
-- attic.gauge: all rows
-- store.gauge: g.rate >= '1.2210' AND g.rate <= '1.2760'
-- tills.gauge: g.cents = '250'

-- From a rising and a falling number on
SELECT 1 FROM gauge WHERE amount > 2.50
-- becomes
-- attic.gauge: all rows
-- store.gauge: g.rate <= '1.2775'
-- tills.gauge: g.cents >= '250'

-- Up to it
SELECT 1 FROM gauge WHERE amount <= -1
-- becomes
-- attic.gauge: all rows
-- store.gauge: g.rate >= '2.9725'
-- tills.gauge: g.cents <= '-100'

-- A list lies between its ends
SELECT 1 FROM gauge WHERE amount IN (1, 4)
-- becomes
-- attic.gauge: all rows
-- store.gauge: g.rate >= '0.4725' AND g.rate <= '2.0275'
-- tills.gauge: g.cents >= '100' AND g.cents <= '400'

-- Whole numbers are cut off
SELECT 1 FROM gauge WHERE count = -3
-- becomes
-- attic.gauge: g.size = '2'
-- store.gauge: g.size >= '-28' AND g.size <= '-14'
-- tills.gauge: not asked

-- Of whole numbers a part
SELECT 1 FROM gauge WHERE count < 2
-- becomes
-- attic.gauge: g.size >= '-3'
-- store.gauge: g.size <= '21'
-- tills.gauge: g.size >= '3'

-- More than the column holds
SELECT 1 FROM gauge WHERE count = 9000000000000000000
-- becomes
-- attic.gauge: all rows
-- store.gauge: all rows
-- tills.gauge: all rows

-- Constants on both sides of a text; NULL is nothing to concat()
SELECT 1 FROM gauge WHERE tag = 'G-17/x'
-- becomes
-- attic.gauge: g.name = '17'
-- store.gauge: g.name = '17'
-- tills.gauge: g.id = '17'

-- Nothing between them
SELECT 1 FROM gauge WHERE tag = 'G-/x'
-- becomes
-- attic.gauge: all rows
-- store.gauge: g.name = ''
-- tills.gauge: not asked

-- Another text
SELECT 1 FROM gauge WHERE tag = 'H-17/x'
-- becomes
-- attic.gauge: not asked
-- store.gauge: not asked
-- tills.gauge: not asked

-- Several texts
SELECT 1 FROM gauge WHERE tag IN ('G-17/x', 'G-18/x', 'no')
-- becomes
-- attic.gauge: g.name IN ('17', '18')
-- store.gauge: g.name IN ('17', '18')
-- tills.gauge: g.id IN ('17', '18')

-- Every spelling; no text in upper case has small letters
SELECT 1 FROM gauge WHERE shout = 'ok'
-- becomes
-- attic.gauge: g.name IN ('ok', 'oK', 'oK', 'Ok', 'OK', 'OK')
-- store.gauge: UPPER(g.name) = 'ok'
-- tills.gauge: not asked

-- The other case
SELECT 1 FROM gauge WHERE shout = 'EU'
-- becomes
-- attic.gauge: not asked
-- store.gauge: UPPER(g.name) = 'EU'
-- tills.gauge: g.name IN ('EU', 'Eu', 'eU', 'eu')

-- Too many spellings
SELECT 1 FROM gauge WHERE shout = 'INTERNATIONAL'
-- becomes
-- attic.gauge: not asked
-- store.gauge: UPPER(g.name) = 'INTERNATIONAL'
-- tills.gauge: all rows

-- Arms of a CASE by their numbers
SELECT 1 FROM gauge WHERE stage = 'closed'
-- becomes
-- attic.gauge: not asked
-- store.gauge: CASE WHEN g.state = 2 THEN 1 WHEN g.kind = 'gone' THEN 2 ELSE 3 END IN ('1')
-- tills.gauge: CASE g.state WHEN 1 THEN 1 WHEN 2 THEN 2 END IN ('2')

-- ELSE too
SELECT 1 FROM gauge WHERE stage IN ('open', 'lost')
-- becomes
-- attic.gauge: all rows
-- store.gauge: CASE WHEN g.state = 2 THEN 1 WHEN g.kind = 'gone' THEN 2 ELSE 3 END IN ('2', '3')
-- tills.gauge: CASE g.state WHEN 1 THEN 1 WHEN 2 THEN 2 END IN ('1')

-- No arm has it
SELECT 1 FROM gauge WHERE stage = 'lost'
-- becomes
-- attic.gauge: all rows
-- store.gauge: CASE WHEN g.state = 2 THEN 1 WHEN g.kind = 'gone' THEN 2 ELSE 3 END IN ('2')
-- tills.gauge: not asked
