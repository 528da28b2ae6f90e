-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.town AS photo_url
FROM customers AS c;

-- shop.contact_point_address
SELECT
  c.id AS k1,
  c.id AS p1,
  c.street AS line1,
  c.town AS city,
  c.postcode AS postal_code
FROM customers AS c;
