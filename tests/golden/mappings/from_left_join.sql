-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.name AS given_name,
  NULL AS customer_since
FROM customers AS c
LEFT JOIN cards AS k
  ON k.customer_id = c.id AND k.kind = 'gold';

-- shop.loyalty_membership
SELECT
  c.id AS k1,
  c.id AS p1,
  'gold' AS program,
  k.number AS member_no
FROM customers AS c
LEFT JOIN cards AS k
  ON k.customer_id = c.id AND k.kind = 'gold';
