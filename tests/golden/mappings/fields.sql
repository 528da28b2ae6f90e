-- shop.sales_order
SELECT
  o.id AS k1,
  o.number AS order_number,
  o.placed AS ordered_at,
  o.state AS status,
  o.net AS subtotal,
  o.net * o.rate AS tax,
  o.pieces / 2 AS discount,
  UPPER(TRIM(o.number)) || '-' || o.id AS store_id
FROM orders AS o;
