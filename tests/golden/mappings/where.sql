-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.name AS full_name
FROM contacts AS c
WHERE
  c.kind IN ('person', 'lead')
  AND NOT c.hidden = 1
  AND (
    c.score BETWEEN 2 AND 9 OR c.kind = 'lead'
  );
