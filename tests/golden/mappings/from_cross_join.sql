-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.name AS given_name,
  s.language AS language
FROM customers AS c
CROSS JOIN settings AS s
WHERE
  s.id = 1;
