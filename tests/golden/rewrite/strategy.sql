-- A scan
SELECT count(*) FROM item

-- Few keys are waited for
SELECT o.order_number FROM sales_order AS o JOIN sales_order_product AS p ON p.order_key = o.source_key AND p.source = o.source WHERE o.source_key = '17'

-- The other way round: whoever has fewer rows goes first
SELECT o.order_number FROM sales_order AS o JOIN sales_order_product AS p ON p.order_key = o.source_key AND p.source = o.source WHERE p.sku = 'Q-1' AND p.source_key = '9'

-- Many keys are not
SELECT o.order_number FROM sales_order AS o JOIN sales_order_product AS p ON p.order_key = o.source_key

-- A chain
SELECT i.ident FROM sales_order AS o JOIN sales_order_product AS p ON p.order_key = o.source_key JOIN item AS i ON i.code = p.sku WHERE o.order_number IN ('S-1', 'S-2')

-- A day is not its midnight: no keys
SELECT i.ident FROM item AS i JOIN sales_order AS o ON o.ordered_at = i.made_on WHERE i.ident = 3

-- A number is one, whatever its type
SELECT o.source_key FROM item AS i JOIN sales_order AS o ON o.grand_total = i.price WHERE i.ident = 3

-- The customers of a lookup
SELECT o.order_number FROM lookup('email', 'q@example.com') AS l JOIN sales_order AS o ON o.customer_id = l.customer_id

-- A customer by name
SELECT o.order_number FROM sales_order AS o WHERE o.customer_id = '0190f3c0-0000-7000-8000-000000000001'

-- Whoever waits for two arms needs both
SELECT p.sku FROM (SELECT source_key AS k FROM sales_order WHERE source_key = '1' UNION ALL SELECT code FROM item WHERE ident = 3) AS v JOIN sales_order_product AS p ON p.order_key = v.k
