-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  'store' AS given_name,
  '478' AS family_name,
  FALSE AS deceased,
  NULL AS photo_url,
  'it''s' || c.store AS lifecycle_stage
FROM customers AS c;

-- shop.contact_point_phone
SELECT
  c.id AS k1,
  c.id AS p1,
  c.phone AS phone_raw,
  TRUE AS is_mobile,
  'Germany' AS phone_region
FROM customers AS c;

-- shop.survey_response
SELECT
  c.id AS k1,
  c.id AS p1,
  4.5 AS score,
  5 AS scale_max
FROM customers AS c;
