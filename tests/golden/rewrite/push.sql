-- CRM addresses: two branches, two slots, a mask
SELECT
  1
FROM contacts AS c
WHERE
  c.deleted_at IS NULL
SELECT
  1
FROM contacts AS c
WHERE
  c.deleted_at IS NULL
SELECT
  1
FROM leads AS l
WHERE
  l.deleted_at IS NULL AND l.status <> 'converted'
-- becomes
-- crm
SELECT
  c.id AS c0,
  c.email AS c1,
  c.alt_email AS c2
FROM contacts AS c
WHERE
  c.deleted_at IS NULL AND c.id = ANY %(keys)s
-- crm
SELECT
  l.id AS c0,
  l.email AS c1
FROM leads AS l
WHERE
  l.deleted_at IS NULL
  AND l.status COLLATE BINARY <> 'converted'
  AND l.id = ANY %(keys)s

-- Orders of the tills: totals from children, a row filter
SELECT
  1
FROM sales AS s
WHERE
  s.sale_type IN (0, 1, 4) AND s.sale_status IN (0, 2)
-- becomes
-- pos
SELECT
  s.customer_id AS c0,
  s.sale_id AS c1,
  s.invoice_number AS c2,
  s.sale_time AS c3,
  CASE
    WHEN s.sale_status = 2
    THEN 'cancelled'
    WHEN s.sale_type = 4
    THEN 'returned'
    ELSE 'completed'
  END AS c4
FROM sales AS s
WHERE
  s.sale_type IN (0, 1, 4)
  AND s.sale_status IN (0, 2)
  AND s.customer_id = ANY %(keys)s
-- rows below: lines
SELECT
  i.quantity_purchased,
  i.item_unit_price,
  i.discount_type,
  i.discount
FROM sales_items AS i
JOIN stock_locations AS g
  ON g.location_id = i.item_location
WHERE
  i.sale_id = s.sale_id
-- rows below: taxes
SELECT
  x.item_tax_amount,
  x.tax_type
FROM sales_items_taxes AS x
WHERE
  x.sale_id = s.sale_id

-- Lines of orders: rows below a parent
SELECT
  1
FROM sales_items AS i
JOIN items AS t
  ON t.item_id = i.item_id
JOIN sales AS sales_order_s
  ON sales_order_s.sale_id = i.sale_id
WHERE
  sales_order_s.sale_type IN (0, 1, 4) AND sales_order_s.sale_status IN (0, 2)
-- becomes
-- pos
SELECT
  sales_order_s.customer_id AS c0,
  i.sale_id AS c1,
  i.item_id AS c2,
  i.line AS c3,
  t.item_number AS c4,
  i.quantity_purchased AS c5
FROM sales_items AS i
JOIN items AS t
  ON t.item_id = i.item_id
JOIN sales AS sales_order_s
  ON sales_order_s.sale_id = i.sale_id
WHERE
  sales_order_s.sale_type IN (0, 1, 4)
  AND sales_order_s.sale_status IN (0, 2)
  AND sales_order_s.customer_id = ANY %(keys)s

-- Cases of the desk: plain columns over REST
SELECT
  1
FROM tickets AS t
-- becomes
-- support
SELECT
  t.user_id AS c0,
  t.id AS c1,
  t.number AS c2,
  t.status AS c3,
  t.department AS c4,
  t.created AS c5
FROM tickets AS t
WHERE
  t.user_id = ANY %(keys)s

-- Messages of the desk: a condition that waits for arrival
SELECT
  1
FROM messages AS m
WHERE
  m.type <> 'N'
-- becomes
-- on arrival: m.type <> 'N'
-- support
SELECT
  m.type AS c0,
  m.user_id AS c1,
  m.id AS c2,
  m.body AS c3,
  m.created AS c4,
  m.ticket_id AS c5
FROM messages AS m
WHERE
  m.user_id = ANY %(keys)s

-- People of the CRM: a masked birth date
SELECT
  1
FROM contacts AS c
WHERE
  c.deleted_at IS NULL
SELECT
  1
FROM leads AS l
WHERE
  l.deleted_at IS NULL AND l.status <> 'converted'
-- becomes
-- crm
SELECT
  c.id AS c0,
  c.first_name AS c1,
  c.last_name AS c2,
  c.born_on AS c3
FROM contacts AS c
WHERE
  c.deleted_at IS NULL AND c.id = ANY %(keys)s
-- crm
SELECT
  l.id AS c0,
  l.first_name AS c1,
  l.last_name AS c2
FROM leads AS l
WHERE
  l.deleted_at IS NULL
  AND l.status COLLATE BINARY <> 'converted'
  AND l.id = ANY %(keys)s
