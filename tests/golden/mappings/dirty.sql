-- shop.individual
SELECT
  p.id AS k1,
  p.id AS p1,
  p.born AS birth_date,
  p.gender AS gender,
  p.since AS customer_since,
  p.country AS nationality
FROM people AS p;

-- shop.contact_point_social
SELECT
  p.id AS k1,
  p.id AS p1,
  p.gender AS handle,
  p.size AS followers
FROM people AS p;
