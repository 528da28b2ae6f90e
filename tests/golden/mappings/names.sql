-- shop.individual
SELECT
  Customer.Id AS k1,
  Customer.Id AS p1,
  Customer.firstName AS given_name,
  LOWER(Customer."order") AS lifecycle_stage,
  Customer."Größe" AS photo_url
FROM Customer AS Customer
WHERE
  Customer.firstName <> '';

-- shop.note
SELECT
  Customer.Id AS k1,
  Customer.Id AS p1,
  Customer."e-mail" AS text
FROM Customer AS Customer
WHERE
  Customer.firstName <> '';
