-- The source itself
SELECT 1 FROM item WHERE source = 'tills'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: not asked
-- tills.item: all rows

-- Not another spelling of it
SELECT 1 FROM item WHERE source = 'TILLS'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: not asked
-- tills.item: not asked

-- Kinds of system
SELECT 1 FROM item WHERE source_system IN ('postgres', 'tills')
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: not asked
-- tills.item: all rows

-- A plain column; a constant; none at all
SELECT 1 FROM item WHERE code = 'A'
-- becomes
-- attic.item/old: t.code = 'A'
-- attic.item/lost: not asked
-- store.item: t.grade = 'A'
-- tills.item: not asked

-- The constant of one; not in the domain of another
SELECT 1 FROM item WHERE code = 'T'
-- becomes
-- attic.item/old: t.code = 'T'
-- attic.item/lost: not asked
-- store.item: not asked
-- tills.item: all rows

-- Domains are exact
SELECT 1 FROM item WHERE code IN ('a', 'B', 'C')
-- becomes
-- attic.item/old: by keys: t.code (text)
-- attic.item/lost: not asked
-- store.item: by keys: t.grade (text)
-- tills.item: not asked

-- A list goes as keys
SELECT 1 FROM item WHERE ident IN (3, 4)
-- becomes
-- attic.item/old: by keys: t.id (bigint)
-- attic.item/lost: by keys: t.id (bigint)
-- store.item: by keys: t.id (bigint)
-- tills.item: by keys: t.id (integer)

-- A form that the column is declared to have; a prefix before a number
SELECT 1 FROM item WHERE label = 'w-17'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: t.email = 'w-17'
-- tills.item: t.id = '17'

-- A prefix before no number
SELECT 1 FROM item WHERE label = 'w-017'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: t.email = 'w-017'
-- tills.item: not asked

-- Codes are turned back; an enum in the source's own spelling is not asked
SELECT 1 FROM item WHERE kind = 'in'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: t.state = '1'

-- What stands for every other code cannot be turned back
SELECT 1 FROM item WHERE kind = 'fee'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: all rows

-- A country has many names in a source
SELECT 1 FROM item WHERE country = 'DE'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: not asked

-- A default is there for NULL: the column does not tell it
SELECT 1 FROM item WHERE currency = 'EUR'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: not asked

-- Another value than the default it tells
SELECT 1 FROM item WHERE currency = 'CHF'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: t.money = 'CHF'
-- tills.item: not asked

-- A list with the default
SELECT 1 FROM item WHERE currency IN ('CHF', 'EUR')
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: not asked

-- Defaults without a mapping are constants
SELECT 1 FROM item WHERE region = 'eu'
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: all rows
-- store.item: all rows
-- tills.item: all rows

-- Truth values by code
SELECT 1 FROM item WHERE active = true
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: t.gone = '0'

-- Decimals where the column has no more digits
SELECT 1 FROM item WHERE price = 2.50
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: not asked
-- store.item: t.price = '2.50'
-- tills.item: t.cents = '250'

-- And their ranges
SELECT 1 FROM item WHERE price > 2.505
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: not asked
-- store.item: t.price > '2.505'
-- tills.item: t.cents >= '250'

-- Days; a constant day
SELECT 1 FROM item WHERE made_on >= '2021-01-01'
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: not asked
-- store.item: t.made >= '2021-01-01'
-- tills.item: t.made >= '2021-01-01'

-- One day
SELECT 1 FROM item WHERE made_on = '2020-01-31'
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: all rows
-- store.item: t.made = '2020-01-31'
-- tills.item: t.made = '2020-01-31'

-- Moments: as they are, or in local time and some hours more
SELECT 1 FROM item WHERE sold_at >= '2024-03-31 01:30:00+00'
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: not asked
-- store.item: t.sold >= '2024-03-31 01:30:00+00:00'
-- tills.item: t.sold >= '2024-03-31 00:30:00'

-- The end of a range is widened the other way
SELECT 1 FROM item WHERE sold_at < '2024-10-27 01:30:00+00'
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: not asked
-- store.item: t.sold < '2024-10-27 01:30:00+00:00'
-- tills.item: t.sold <= '2024-10-27 05:30:00'

-- Texts have no order that all sources agree on
SELECT 1 FROM item WHERE code > 'B'
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: all rows

-- Other than: only where it is constant
SELECT 1 FROM item WHERE code <> 'T'
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: not asked

-- A masked value is never asked for
SELECT 1 FROM item WHERE label = 'masked'
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: all rows
-- store.item: all rows
-- tills.item: all rows

-- The key of the record
SELECT 1 FROM sales_order_product WHERE source_key = ANY (:keys)
-- becomes
-- store.sales_order_product: by keys: l.id (bigint)
-- tills.sales_order_product: by keys: l.sale_id, l.line (bigint, integer)

-- The key of the record above
SELECT 1 FROM sales_order_product WHERE sales_order_key = ANY (:keys)
-- becomes
-- store.sales_order_product: by keys: l.order_id (bigint)
-- tills.sales_order_product: by keys: l.sale_id (bigint)

-- Branches of one source have their names before their keys
SELECT 1 FROM item WHERE source_key = ANY (:keys)
-- becomes
-- attic.item/old: by keys: t.id (bigint) after 'old:'
-- attic.item/lost: by keys: t.id (bigint) after 'lost:'
-- store.item: by keys: t.id (bigint)
-- tills.item: by keys: t.id (integer)

-- Keys of a column that one has not, and of a constant
SELECT 1 FROM item WHERE code = ANY (:keys)
-- becomes
-- attic.item/old: by keys: t.code (text)
-- attic.item/lost: not asked
-- store.item: by keys: t.grade (text)
-- tills.item: all rows

-- Keys of an amount: for lists of MySQL they stay
SELECT 1 FROM item WHERE price = ANY (:keys)
-- becomes
-- attic.item/old: all rows
-- attic.item/lost: not asked
-- store.item: by keys: t.price (decimal(10,2))
-- tills.item: all rows

-- Keys of what may be the default
SELECT 1 FROM item WHERE currency = ANY (:keys)
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: not asked

-- A prefix and a cast
SELECT 1 FROM sales_order WHERE order_number = 'S-17'
-- becomes
-- store.sales_order: o.no = '17'
-- tills.sales_order: o.no = 'S-17'

-- Derived columns are for arrival
SELECT 1 FROM sales_order WHERE fetched_at > '2024-01-01'
-- becomes
-- store.sales_order: all rows
-- tills.sales_order: all rows

-- An enum has its values only
SELECT 1 FROM item WHERE kind = 'IN'
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: not asked
-- tills.item: not asked

-- Of a list some
SELECT 1 FROM item WHERE kind IN ('IN', 'out')
-- becomes
-- attic.item/old: not asked
-- attic.item/lost: not asked
-- store.item: all rows
-- tills.item: t.state = '2'
