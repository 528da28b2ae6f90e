-- shop.sales_order
SELECT
  s.id AS k1,
  s.made AS ordered_at,
  (
    SELECT
      SUM(i.quantity * i.price)
    FROM items AS i
    WHERE
      i.sale_id = s.id
  ) AS subtotal,
  (
    SELECT
      SUM(
        CASE
          WHEN i.kind = 0
          THEN i.quantity * i.price * i.discount / 100
          ELSE i.discount
        END
      )
    FROM items AS i
    WHERE
      i.sale_id = s.id
  ) AS discount,
  COALESCE(
    (
      SELECT
        SUM(x.amount)
      FROM taxes AS x
      WHERE
        x.sale_id = s.id AND x.label IS NOT NULL
    ),
    0
  ) AS tax,
  (
    SELECT
      SUM(i.quantity * i.price)
    FROM items AS i
    WHERE
      i.sale_id = s.id
  ) + COALESCE(
    (
      SELECT
        SUM(x.amount)
      FROM taxes AS x
      WHERE
        x.sale_id = s.id AND x.label IS NOT NULL
    ),
    0
  ) + s.fee AS grand_total,
  -(
    SELECT
      SUM(i.quantity * i.price) FILTER(WHERE
        i.quantity < 0)
    FROM items AS i
    WHERE
      i.sale_id = s.id
  ) AS refunded_total,
  (
    SELECT
      COUNT(i.line)
    FROM items AS i
    WHERE
      i.sale_id = s.id
  ) + (
    SELECT
      COUNT(x.amount) FILTER(WHERE
        x.label = 'vat')
    FROM taxes AS x
    WHERE
      x.sale_id = s.id AND x.label IS NOT NULL
  ) * 100 AS shipping,
  (
    SELECT
      MAX(x.label)
    FROM taxes AS x
    WHERE
      x.sale_id = s.id AND x.label IS NOT NULL
  ) AS store_id,
  CASE
    WHEN (
      SELECT
        COUNT(x.id)
      FROM taxes AS x
      WHERE
        x.sale_id = s.id AND x.label IS NOT NULL
    ) = 0
    THEN 'free'
    ELSE (
      SELECT
        STRING_AGG(x.label, '+')
      FROM taxes AS x
      WHERE
        x.sale_id = s.id AND x.label IS NOT NULL
    )
  END AS payment_status,
  (
    SELECT
      BOOL_OR(i.quantity < 0)
    FROM items AS i
    WHERE
      i.sale_id = s.id
  ) AS is_anonymous
FROM sales AS s;
