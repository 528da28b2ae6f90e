-- shop.individual
SELECT
  c.number AS k1,
  c.number AS p1,
  c.name AS full_name
FROM customers AS c;

-- shop.note/by_order
SELECT
  l.order_id AS k1,
  l.line AS k2,
  l.customer_id AS p1,
  l.remark AS text
FROM lines AS l;

-- shop.note/by_line
SELECT
  l.line AS k1,
  l.order_id AS k2,
  l.customer_id AS p1,
  l.remark AS text
FROM lines AS l;
