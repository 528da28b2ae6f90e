-- shop.individual
SELECT
  o.user_id AS k1,
  o.user_id AS p1,
  'Mia' AS full_name
FROM orders AS o
WHERE
  o.id = 1;

-- shop.individual/guest
SELECT
  o.id AS k1,
  o.id AS p1,
  'Guest' AS full_name
FROM orders AS o
WHERE
  o.user_id = 0;

-- shop.sales_order
SELECT
  o.id AS k1,
  NULLIF(o.user_id, 0) AS p1,
  o.id AS p2,
  o.made AS ordered_at,
  s.state AS payment_status
FROM orders AS o
LEFT JOIN order_states AS s
  ON s.order_id = o.id
WHERE
  (
    s.state = 'paid' OR s.state IS NULL
  )
  AND NOT EXISTS(
    SELECT
      1
    FROM blocked AS b
    WHERE
      b.order_id = o.id AND b.why = 'fraud'
  );

-- shop.sales_order_product
SELECT
  o.id AS k1,
  parent.p1 AS p1,
  parent.p2 AS p2,
  o.order_id AS parent_key,
  o.item_id AS product_id,
  s.name AS name
FROM lines AS o
LEFT JOIN items AS s
  ON s.id = o.item_id
JOIN (
  SELECT
    o.id AS k1,
    NULLIF(o.user_id, 0) AS p1,
    o.id AS p2
  FROM orders AS o
  LEFT JOIN order_states AS s
    ON s.order_id = o.id
  WHERE
    (
      s.state = 'paid' OR s.state IS NULL
    )
    AND NOT EXISTS(
      SELECT
        1
      FROM blocked AS b
      WHERE
        b.order_id = o.id AND b.why = 'fraud'
    )
) AS parent
  ON parent.k1 = o.order_id
WHERE
  o.id <> 99;
