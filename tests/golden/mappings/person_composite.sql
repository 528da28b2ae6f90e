-- shop.individual
SELECT
  p.client AS k1,
  p.number AS k2,
  p.client AS p1_1,
  p.number AS p1_2,
  p.name AS full_name
FROM partners AS p;

-- shop.individual/walk_in
SELECT
  b.id AS k1,
  b.id AS p1,
  b.client AS full_name
FROM bills AS b
WHERE
  b.payer = 0;

-- shop.sales_order
SELECT
  b.id AS k1,
  b.client AS p1_1,
  NULLIF(b.payer, 0) AS p1_2,
  b.id AS p2,
  b.id AS order_number,
  b.made AS ordered_at
FROM bills AS b;

-- shop.sales_order_product
SELECT
  l.bill_id AS k1,
  l.line AS k2,
  parent.p1_1 AS p1_1,
  parent.p1_2 AS p1_2,
  parent.p2 AS p2,
  l.bill_id AS parent_key,
  l.line AS line_no,
  l.article AS name
FROM bill_lines AS l
JOIN (
  SELECT
    b.id AS k1,
    b.client AS p1_1,
    NULLIF(b.payer, 0) AS p1_2,
    b.id AS p2
  FROM bills AS b
) AS parent
  ON parent.k1 = l.bill_id;
