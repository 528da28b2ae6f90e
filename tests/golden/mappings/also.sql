-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.name AS given_name
FROM customers AS c;

-- shop.contact_point_email
SELECT
  c.id AS k1,
  c.id AS p1,
  c.email AS email_address
FROM customers AS c;

-- shop.note
SELECT
  c.id AS k1,
  c.id AS p1,
  c.remark AS text
FROM customers AS c;

-- shop.sales_order
SELECT
  o.id AS k1,
  o.customer_id AS p1,
  o.placed AS ordered_at
FROM orders AS o
WHERE
  o.hidden = 0;

-- shop.note/sales_order
SELECT
  o.id AS k1,
  o.customer_id AS p1,
  o.remark AS text
FROM orders AS o
WHERE
  o.hidden = 0;

-- shop.survey_response/sales_order
SELECT
  o.id AS k1,
  o.customer_id AS p1,
  o.stars AS score
FROM orders AS o
WHERE
  o.hidden = 0 AND o.stars > 3;
