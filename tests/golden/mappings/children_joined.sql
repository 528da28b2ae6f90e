-- shop.individual
SELECT
  u.id AS k1,
  u.id AS p1,
  u.name AS full_name
FROM users AS u;

-- shop.contact_point_phone
SELECT
  u.id AS k1,
  u.id AS p1,
  (
    SELECT
      MAX(v.value) FILTER(WHERE
        f.name = 'phone')
    FROM entries AS e
    JOIN answers AS v
      ON v.entry_id = e.id
    JOIN fields AS f
      ON f.id = v.field_id
    WHERE
      e.object_id = u.id AND e.object_type = 'U'
  ) AS phone_raw
FROM users AS u;

-- shop.contact_point_address
SELECT
  u.id AS k1,
  u.id AS p1,
  (
    SELECT
      MAX(v.value) FILTER(WHERE
        f.name = 'city')
    FROM entries AS e
    JOIN answers AS v
      ON v.entry_id = e.id
    JOIN fields AS f
      ON f.id = v.field_id
    WHERE
      e.object_id = u.id AND e.object_type = 'U'
  ) AS city
FROM users AS u;
