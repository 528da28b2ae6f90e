-- shop.individual
SELECT
  c.code AS k1,
  c.code AS p1,
  c.name AS full_name
FROM customers AS c;

-- shop.note
SELECT
  r.customer AS k1,
  r.topic AS k2,
  r.customer AS p1,
  r.body AS text
FROM remarks AS r;
