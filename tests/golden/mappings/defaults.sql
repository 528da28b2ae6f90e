-- shop.contact_point_phone
SELECT
  p.id AS k1,
  p.id AS p1,
  p.phone AS phone_raw,
  p.country AS phone_region
FROM people AS p;

-- shop.sales_order/own
SELECT
  s.id AS k1,
  s.made AS ordered_at,
  s.currency AS currency,
  s.area AS region
FROM sales AS s;

-- shop.sales_order/none
SELECT
  s.id AS k1,
  s.made AS ordered_at
FROM sales AS s;
