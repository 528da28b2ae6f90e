-- shop.individual
SELECT
  u.id AS k1,
  u.id AS p1,
  u.name AS full_name
FROM users AS u;

-- shop.individual/guest
SELECT
  o.id AS k1,
  o.id AS p1,
  o.bill_name AS full_name
FROM orders AS o
WHERE
  o.user_id = 0;

-- shop.sales_order
SELECT
  o.id AS k1,
  NULLIF(o.user_id, 0) AS p1,
  o.id AS p2,
  o.placed AS ordered_at
FROM orders AS o;
