-- shop.individual
SELECT
  s.customer_id AS k1,
  s.customer_id AS p1,
  'Mia' AS full_name
FROM sales AS s
WHERE
  s.id = 1;

-- shop.sales_order
SELECT
  s.id AS k1,
  s.customer_id AS p1,
  s.made AS ordered_at
FROM sales AS s
WHERE
  s.suspended = 0;

-- shop.sales_order_product
SELECT
  i.sale_id AS k1,
  i.line AS k2,
  parent.p1 AS p1,
  i.sale_id AS parent_key,
  i.line AS line_no,
  i.name AS name
FROM items AS i
JOIN (
  SELECT
    s.id AS k1,
    s.customer_id AS p1
  FROM sales AS s
  WHERE
    s.suspended = 0
) AS parent
  ON parent.k1 = i.sale_id;

-- shop.payment
SELECT
  p.id AS k1,
  parent.p1 AS p1,
  p.sale_id AS parent_key,
  p.amount AS amount
FROM payments AS p
JOIN (
  SELECT
    s.id AS k1,
    s.customer_id AS p1
  FROM sales AS s
  WHERE
    s.suspended = 0
) AS parent
  ON parent.k1 = p.sale_id;
