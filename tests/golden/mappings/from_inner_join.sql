-- shop.individual
SELECT
  c.person_id AS k1,
  c.person_id AS p1,
  p.first AS given_name,
  p.last AS family_name
FROM customers AS c
JOIN people AS p
  ON p.person_id = c.person_id
WHERE
  c.deleted = 0;
