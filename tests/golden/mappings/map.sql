-- shop.individual
SELECT
  p.id AS k1,
  p.id AS p1,
  CASE
    WHEN CAST(p.gender AS TEXT) = '0'
    THEN 'female'
    WHEN CAST(p.gender AS TEXT) = '1'
    THEN 'male'
  END AS gender,
  CASE
    WHEN (
      p.state % 4
    ) IS NULL
    THEN NULL
    WHEN CAST((
      p.state % 4
    ) AS TEXT) = '1'
    THEN 'prospect'
    WHEN CAST((
      p.state % 4
    ) AS TEXT) = '2'
    THEN 'customer'
    ELSE 'lapsed'
  END AS lifecycle_stage,
  CASE WHEN p.state IS NULL THEN FALSE WHEN CAST(p.state AS TEXT) = '9' THEN TRUE END AS deceased
FROM people AS p;

-- shop.consent
SELECT
  p.id AS k1,
  p.id AS p1,
  'purpose' AS scope,
  CASE
    WHEN p.opted IS NULL
    THEN 'pending'
    WHEN p.opted = 'Y'
    THEN 'opt_in'
    ELSE 'opt_out'
  END AS status
FROM people AS p;
