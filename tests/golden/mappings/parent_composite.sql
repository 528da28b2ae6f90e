-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.name AS full_name
FROM customers AS c;

-- shop.sales_order
SELECT
  b.year AS k1,
  b.number AS k2,
  b.buyer AS p1,
  b.number AS order_number,
  b.made AS ordered_at
FROM bills AS b;

-- shop.sales_order_product
SELECT
  l.id AS k1,
  parent.p1 AS p1,
  l.year AS parent_key_1,
  l.bill || '' AS parent_key_2,
  l.article AS name
FROM bill_lines AS l
JOIN (
  SELECT
    b.year AS k1,
    b.number AS k2,
    b.buyer AS p1
  FROM bills AS b
) AS parent
  ON parent.k1 = l.year AND parent.k2 = l.bill || '';
