-- shop.note
SELECT
  o.id AS k1,
  o.id AS p1,
  'never' AS text
FROM orders AS o
WHERE
  o.id = 0;

-- shop.sales_order
SELECT
  o.id AS k1,
  o.customer_id AS p1,
  o.placed AS ordered_at
FROM orders AS o
WHERE
  o.shop_id IN (
    SELECT
      s.id
    FROM shops AS s
    WHERE
      s.country = 'DE'
  );
