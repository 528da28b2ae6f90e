-- A scan
SELECT count(*) FROM item
-- becomes
-- r0 item alone: about 503047 of 503047 rows

-- Few keys are waited for
SELECT o.order_number FROM sales_order AS o JOIN sales_order_product AS p ON p.sales_order_key = o.source_key AND p.source = o.source WHERE o.source_key = '17'
-- becomes
-- r0 sales_order alone: about 2 of 280000 rows
-- r1 sales_order_product by sales_order_key: about 12000 rows, 0 by the 2 keys of r0.source_key

-- The other way round: whoever has fewer rows goes first
SELECT o.order_number FROM sales_order AS o JOIN sales_order_product AS p ON p.sales_order_key = o.source_key AND p.source = o.source WHERE p.sku = 'Q-1' AND p.source_key = '9'
-- becomes
-- r1 sales_order_product alone: about 2 of 1200000 rows
-- r0 sales_order by source_key: about 280000 rows, 0 by the 2 keys of r1.sales_order_key

-- Many keys are not
SELECT o.order_number FROM sales_order AS o JOIN sales_order_product AS p ON p.sales_order_key = o.source_key
-- becomes
-- r0 sales_order alone: about 280000 of 280000 rows
-- r1 sales_order_product alone: about 1200000 of 1200000 rows

-- A chain
SELECT i.ident FROM sales_order AS o JOIN sales_order_product AS p ON p.sales_order_key = o.source_key JOIN item AS i ON i.code = p.sku WHERE o.order_number IN ('S-1', 'S-2')
-- becomes
-- r0 sales_order alone: about 16 of 280000 rows
-- r2 item alone: about 503047 of 503047 rows
-- r1 sales_order_product by sales_order_key: about 1200000 rows, 69 by the 16 keys of r0.source_key

-- A day is not its midnight: no keys
SELECT i.ident FROM item AS i JOIN sales_order AS o ON o.ordered_at = i.made_on WHERE i.ident = 3
-- becomes
-- r0 item alone: about 4 of 503047 rows
-- r1 sales_order alone: about 280000 of 280000 rows

-- A number is one, whatever its type
SELECT o.source_key FROM item AS i JOIN sales_order AS o ON o.grand_total = i.price WHERE i.ident = 3
-- becomes
-- r0 item alone: about 4 of 503047 rows
-- r1 sales_order by grand_total: about 280000 rows, 2 by the 4 keys of r0.price

-- The customers of a lookup
SELECT o.order_number FROM lookup('email', 'q@example.com') AS l JOIN sales_order AS o ON o.customer_id = l.customer_id
-- becomes
-- r0 lookup alone: about 1 of 50000 rows
-- r1 sales_order by customer_id: about 280000 rows, 20 by the 1 keys of r0.customer_id

-- A customer by name
SELECT o.order_number FROM sales_order AS o WHERE o.customer_id = '0190f3c0-0000-7000-8000-000000000001'
-- becomes
-- r0 sales_order alone: about 20 of 280000 rows

-- Whoever waits for two arms needs both
SELECT p.sku FROM (SELECT source_key AS k FROM sales_order WHERE source_key = '1' UNION ALL SELECT code FROM item WHERE ident = 3) AS v JOIN sales_order_product AS p ON p.sales_order_key = v.k
-- becomes
-- r0 sales_order alone: about 2 of 280000 rows
-- r1 item alone: about 4 of 503047 rows
-- r2 sales_order_product by sales_order_key: about 1200000 rows, 9 by the 6 keys of r0.source_key and r1.code

-- Whoever names a source asks all of it and nothing of the others
SELECT count(*) FROM item WHERE source = 'attic'
-- becomes
-- r0 item alone: about 47 of 503047 rows

-- All but one
SELECT count(*) FROM item WHERE source <> 'attic' AND source IN ('attic', 'store')
-- becomes
-- r0 item alone: about 500000 of 503047 rows
