-- shop.individual
SELECT
  p.id AS k1,
  p.id AS p1,
  p.name AS full_name
FROM people AS p;
