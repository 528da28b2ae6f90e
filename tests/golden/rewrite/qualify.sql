-- CRM addresses: two branches, two slots, a mask
SELECT
  email_address,
  is_primary
FROM contact_point_email
WHERE
  domain = %(domain)s
-- becomes
SELECT
  contact_point_email.email_address,
  contact_point_email.is_primary
FROM contact_point_email
WHERE
  contact_point_email.domain = %(domain)s

-- Orders of the tills: totals from children, a row filter
SELECT
  order_number,
  grand_total
FROM sales_order
WHERE
  status = %(status)s
ORDER BY
  ordered_at DESC
-- becomes
SELECT
  sales_order.order_number,
  sales_order.grand_total
FROM sales_order
WHERE
  sales_order.status = %(status)s
ORDER BY
  sales_order.ordered_at DESC

-- Lines of orders: rows below a parent
SELECT
  sku,
  quantity
FROM sales_order_product
WHERE
  quantity > %(least)s
-- becomes
SELECT
  sales_order_product.sku,
  sales_order_product.quantity
FROM sales_order_product
WHERE
  sales_order_product.quantity > %(least)s

-- Cases of the desk: plain columns over REST
SELECT
  case_number,
  status
FROM support_case
WHERE
  queue = ANY %(queues)s
-- becomes
SELECT
  support_case.case_number,
  support_case.status
FROM support_case
WHERE
  support_case.queue = ANY %(queues)s

-- Messages of the desk: a condition that waits for arrival
SELECT
  body_excerpt
FROM message
WHERE
  direction = %(direction)s
-- becomes
SELECT
  message.body_excerpt
FROM message
WHERE
  message.direction = %(direction)s

-- People of the CRM: a masked birth date
SELECT
  full_name,
  birth_date
FROM individual
WHERE
  birth_date = %(born)s
-- becomes
SELECT
  individual.full_name,
  individual.birth_date
FROM individual
WHERE
  individual.birth_date = %(born)s
