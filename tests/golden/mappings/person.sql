-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.name AS full_name
FROM contacts AS c;

-- shop.note/plain
SELECT
  k.id AS k1,
  k.contact AS p1,
  k.kind AS text
FROM calls AS k;

-- shop.note/nullif
SELECT
  k.id AS k1,
  NULLIF(k.contact, '-') AS p1,
  k.kind AS text
FROM calls AS k;

-- shop.note/case
SELECT
  k.id AS k1,
  CASE WHEN k.kind = 'in' THEN k.contact END AS p1,
  k.kind AS text
FROM calls AS k;

-- shop.note/prefix
SELECT
  k.id AS k1,
  'c-' || k.number AS p1,
  k.kind AS text
FROM calls AS k;

-- shop.note/cast
SELECT
  k.id AS k1,
  CAST(k.number AS TEXT) AS p1,
  k.kind AS text
FROM calls AS k;

-- shop.note/all
SELECT
  k.id AS k1,
  NULLIF('c-' || CASE WHEN k.kind = 'in' THEN k.number END, 'c-2') AS p1,
  k.kind AS text
FROM calls AS k;
