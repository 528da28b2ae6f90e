-- shop.individual
SELECT
  p.id AS k1,
  p.id AS p1,
  CASE WHEN p.name = 'anna' THEN 'same' WHEN p.name > 'a' THEN 'after' ELSE 'before' END AS given_name,
  UPPER(p.code) || '/' || LENGTH(p.code) AS family_name,
  CASE p.name WHEN 'ANNA' THEN 'loud' END AS salutation,
  p.a / NULLIF(p.b, 0) AS lifecycle_stage,
  NULLIF(p.name, 'anna') AS photo_url,
  p.born + 1 AS birth_date,
  p.seen + INTERVAL '1 MONTH' AS customer_since
FROM people AS p;

-- shop.survey_response
SELECT
  p.id AS k1,
  p.id AS p1,
  p.price * 3 AS score,
  EXTRACT(YEAR FROM p.born) AS scale_max,
  DATE_TRUNC('MONTH', p.seen) AS responded_at
FROM people AS p;
