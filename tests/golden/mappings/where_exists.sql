-- shop.individual
SELECT
  p.id AS k1,
  p.id AS p1,
  p.name AS full_name
FROM people AS p
WHERE
  EXISTS(
    SELECT
      1
    FROM roles AS r
    WHERE
      r.person_id = p.id AND r.role = 'buyer' AND r.ended IS NULL
  );

-- shop.note
SELECT
  p.id AS k1,
  p.id AS p1,
  p.name AS text
FROM people AS p
WHERE
  NOT EXISTS(
    SELECT
      1
    FROM roles AS r
    WHERE
      r.person_id = p.id
  );
