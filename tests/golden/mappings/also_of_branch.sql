-- shop.individual
SELECT
  u.id AS k1,
  u.id AS p1,
  u.name AS full_name
FROM users AS u;

-- shop.contact_point_email
SELECT
  u.id AS k1,
  u.id AS p1,
  u.email AS email_address
FROM users AS u;

-- shop.individual/guest
SELECT
  o.id AS k1,
  o.id AS p1,
  o.name AS full_name
FROM orders AS o
WHERE
  o.user_id IS NULL;

-- shop.contact_point_email/guest
SELECT
  o.id AS k1,
  o.id AS p1,
  o.email AS email_address
FROM orders AS o
WHERE
  o.user_id IS NULL;

-- shop.sales_order
SELECT
  o.id AS k1,
  o.user_id AS p1,
  o.id AS p2,
  o.made AS ordered_at
FROM orders AS o;

-- shop.support_case/sales_order
SELECT
  o.id AS k1,
  o.user_id AS p1,
  o.id AS p2,
  o.made AS opened_at
FROM orders AS o
WHERE
  o.remark IS NOT NULL;

-- shop.survey_response/support_case
SELECT
  o.id AS k1,
  o.user_id AS p1,
  o.id AS p2,
  o.stars AS score
FROM orders AS o
WHERE
  o.remark IS NOT NULL AND o.stars > 2;
