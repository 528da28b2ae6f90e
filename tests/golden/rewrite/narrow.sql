-- The source itself
SELECT 1 FROM item WHERE source = 'tills'

-- Not another spelling of it
SELECT 1 FROM item WHERE source = 'TILLS'

-- Kinds of system
SELECT 1 FROM item WHERE source_system IN ('postgres', 'tills')

-- A plain column; a constant; none at all
SELECT 1 FROM item WHERE code = 'A'

-- The constant of one; not in the domain of another
SELECT 1 FROM item WHERE code = 'T'

-- Domains are exact
SELECT 1 FROM item WHERE code IN ('a', 'B', 'C')

-- A list goes as keys
SELECT 1 FROM item WHERE ident IN (3, 4)

-- A form that the column is declared to have; a prefix before a number
SELECT 1 FROM item WHERE label = 'w-17'

-- A prefix before no number
SELECT 1 FROM item WHERE label = 'w-017'

-- Codes are turned back; an enum in the source's own spelling is not asked
SELECT 1 FROM item WHERE kind = 'in'

-- What stands for every other code cannot be turned back
SELECT 1 FROM item WHERE kind = 'fee'

-- A country has many names in a source
SELECT 1 FROM item WHERE country = 'DE'

-- A default is there for NULL: the column does not tell it
SELECT 1 FROM item WHERE currency = 'EUR'

-- Another value than the default it tells
SELECT 1 FROM item WHERE currency = 'CHF'

-- A list with the default
SELECT 1 FROM item WHERE currency IN ('CHF', 'EUR')

-- Defaults without a mapping are constants
SELECT 1 FROM item WHERE region = 'eu'

-- Truth values by code
SELECT 1 FROM item WHERE active = true

-- Decimals where the column has no more digits
SELECT 1 FROM item WHERE price = 2.50

-- And their ranges
SELECT 1 FROM item WHERE price > 2.505

-- Days; a constant day
SELECT 1 FROM item WHERE made_on >= '2021-01-01'

-- One day
SELECT 1 FROM item WHERE made_on = '2020-01-31'

-- Moments: as they are, or in local time and some hours more
SELECT 1 FROM item WHERE sold_at >= '2024-03-31 01:30:00+00'

-- The end of a range is widened the other way
SELECT 1 FROM item WHERE sold_at < '2024-10-27 01:30:00+00'

-- Texts have no order that all sources agree on
SELECT 1 FROM item WHERE code > 'B'

-- Other than: only where it is constant
SELECT 1 FROM item WHERE code <> 'T'

-- A masked value is never asked for
SELECT 1 FROM item WHERE label = 'masked'

-- The key of the record
SELECT 1 FROM sales_order_product WHERE source_key = ANY (:keys)

-- The key of the record above
SELECT 1 FROM sales_order_product WHERE order_key = ANY (:keys)

-- Branches of one source have their names before their keys
SELECT 1 FROM item WHERE source_key = ANY (:keys)

-- Keys of a column that one has not, and of a constant
SELECT 1 FROM item WHERE code = ANY (:keys)

-- Keys of an amount: for lists of MySQL they stay
SELECT 1 FROM item WHERE price = ANY (:keys)

-- Keys of what may be the default
SELECT 1 FROM item WHERE currency = ANY (:keys)

-- A prefix and a cast
SELECT 1 FROM sales_order WHERE order_number = 'S-17'

-- Derived columns are for arrival
SELECT 1 FROM sales_order WHERE fetched_at > '2024-01-01'
