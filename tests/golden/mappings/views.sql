-- shop.individual
SELECT
  b.id AS k1,
  b.id AS p1,
  b.name AS full_name,
  COALESCE(u.total, 0) AS lifecycle_stage
FROM buyers AS b
LEFT JOIN (
  SELECT
    v0.buyer AS who,
    COUNT(*) AS bought,
    SUM(v0.total) AS total
  FROM sales_2025 AS v0
  WHERE
    v0.buyer IS NOT NULL
  GROUP BY
    v0.buyer
) AS u
  ON u.who = b.id;

-- shop.sales_order
SELECT
  o.id AS k1,
  NULLIF(o.buyer, 3) AS p1,
  o.id AS order_number,
  o.made AS ordered_at,
  o.total AS grand_total,
  (
    SELECT
      SUM(x.pieces)
    FROM (
      SELECT
        v0.sale_id AS sale_id,
        v0.line AS line,
        COALESCE(v1.buyer, 0) AS buyer_or_none,
        v1.buyer AS buyer,
        v0.article AS what,
        v0.pieces AS pieces
      FROM sale_lines AS v0
      JOIN sales_2026 AS v1
        ON v1.id = v0.sale_id
    ) AS x
    WHERE
      x.sale_id = o.id
  ) AS subtotal
FROM (
  SELECT
    v0.id AS id,
    v0.buyer AS buyer,
    v0.total AS total,
    v0.state AS state,
    v0.made AS made
  FROM sales_2025 AS v0
  UNION ALL
  SELECT
    v1.id AS id,
    v1.buyer AS buyer,
    v1.total AS total,
    v1.state AS state,
    v1.made AS made
  FROM sales_2026 AS v1
  WHERE
    v1.state <> 'gone'
) AS o;

-- shop.sales_order_product
SELECT
  l.sale_id AS k1,
  l.line AS k2,
  parent.p1 AS p1,
  l.sale_id AS parent_key,
  l.line AS line_no,
  l.article AS name
FROM sale_lines AS l
JOIN (
  SELECT
    o.id AS k1,
    NULLIF(o.buyer, 3) AS p1
  FROM (
    SELECT
      v0.id AS id,
      v0.buyer AS buyer,
      v0.total AS total,
      v0.state AS state,
      v0.made AS made
    FROM sales_2025 AS v0
    UNION ALL
    SELECT
      v1.id AS id,
      v1.buyer AS buyer,
      v1.total AS total,
      v1.state AS state,
      v1.made AS made
    FROM sales_2026 AS v1
    WHERE
      v1.state <> 'gone'
  ) AS o
) AS parent
  ON parent.k1 = l.sale_id;

-- shop.note
SELECT
  t.sale_id AS k1,
  t.line AS k2,
  t.buyer AS p1,
  t.what AS text
FROM (
  SELECT
    v0.sale_id AS sale_id,
    v0.line AS line,
    COALESCE(v1.buyer, 0) AS buyer_or_none,
    v1.buyer AS buyer,
    v0.article AS what,
    v0.pieces AS pieces
  FROM sale_lines AS v0
  JOIN sales_2026 AS v1
    ON v1.id = v0.sale_id
) AS t
WHERE
  t.buyer_or_none > 0;

-- shop.party_identification
SELECT
  u.who AS k1,
  u.who AS p1,
  'account_no' AS type,
  u.bought AS number
FROM (
  SELECT
    v0.buyer AS who,
    COUNT(*) AS bought,
    SUM(v0.total) AS total
  FROM sales_2025 AS v0
  WHERE
    v0.buyer IS NOT NULL
  GROUP BY
    v0.buyer
) AS u;
