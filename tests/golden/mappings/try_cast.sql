-- shop.organization
SELECT
  a.id AS k1,
  a.id AS o1,
  a.name AS name,
  TRY_CAST(a.staff AS INT) AS employee_count
FROM accounts AS a;

-- shop.party_relationship
SELECT
  a.id AS k1,
  'employer' AS type,
  TRY_CAST(a.since AS DATE) AS since
FROM accounts AS a;
