-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.account AS o1,
  c.name AS full_name
FROM contacts AS c;

-- shop.party_relationship
SELECT
  c.id AS k1,
  c.id AS p1,
  c.account AS o1,
  'employer' AS type,
  c.account AS to_id,
  c.since AS since
FROM contacts AS c;

-- shop.organization
SELECT
  a.id AS k1,
  a.id AS o1,
  a.name AS name
FROM accounts AS a;

-- shop.organization/branch
SELECT
  b.country AS k1,
  b.number AS k2,
  b.country AS o1_1,
  b.number AS o1_2,
  b.name AS name
FROM branches AS b;

-- shop.support_case
SELECT
  k.id AS k1,
  k.contact AS p1,
  NULLIF(k.account, 0) AS o1,
  k.country AS o2_1,
  k.branch AS o2_2,
  k.id AS case_number,
  k.opened AS opened_at
FROM cases AS k;

-- shop.message
SELECT
  m.id AS k1,
  parent.p1 AS p1,
  parent.o1 AS o1,
  parent.o2_1 AS o2_1,
  parent.o2_2 AS o2_2,
  m.case_id AS parent_key,
  m.sent AS sent_at
FROM messages AS m
JOIN (
  SELECT
    k.id AS k1,
    k.contact AS p1,
    NULLIF(k.account, 0) AS o1,
    k.country AS o2_1,
    k.branch AS o2_2
  FROM cases AS k
) AS parent
  ON parent.k1 = m.case_id;

-- shop.engagement
SELECT
  e.id AS k1,
  e.account AS o1,
  'visit' AS type,
  e.opened AS occurred_at
FROM cases AS e;
