-- shop.individual
SELECT
  c.code AS k1,
  c.code AS p1,
  c.name AS given_name
FROM contacts AS c;

-- shop.note
SELECT
  c.team AS k1,
  c.id AS k2,
  c.code AS p1,
  c.name AS text
FROM contacts AS c;
