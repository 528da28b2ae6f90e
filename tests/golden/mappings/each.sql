-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.country AS nationality
FROM customers AS c;

-- shop.contact_point_phone [home]
SELECT
  c.id AS k1,
  c.id AS p1,
  c.country AS phone_region,
  FALSE AS is_sms_capable,
  c.phone AS phone_raw
FROM customers AS c
WHERE
  c.country IS NOT NULL;

-- shop.contact_point_phone [mobile]
SELECT
  c.id AS k1,
  c.id AS p1,
  c.country AS phone_region,
  TRUE AS is_sms_capable,
  c.mobile AS phone_raw
FROM customers AS c
WHERE
  c.country IS NOT NULL;

-- shop.contact_point_phone [fax]
SELECT
  c.id AS k1,
  c.id AS p1,
  c.country AS phone_region,
  FALSE AS is_sms_capable,
  c.fax AS phone_raw
FROM customers AS c
WHERE
  c.country IS NOT NULL;

-- shop.contact_point_phone [swiss]
SELECT
  c.id AS k1,
  c.id AS p1,
  'CH' AS phone_region,
  FALSE AS is_sms_capable,
  c.swiss AS phone_raw
FROM customers AS c
WHERE
  c.country IS NOT NULL;
