-- CRM addresses: two branches, two slots, a mask
SELECT
  contact_point_email.email_address,
  contact_point_email.is_primary
FROM (
  SELECT
    LEFT(email_address, 1) || '…' AS email_address,
    is_primary,
    domain
  FROM contact_point_email
) AS contact_point_email
WHERE
  contact_point_email.domain = %(domain)s
-- becomes
SELECT
  contact_point_email.email_address,
  contact_point_email.is_primary
FROM (
  SELECT
    LEFT(email_address, 1) || '…' AS email_address,
    is_primary,
    domain
  FROM contact_point_email
) AS contact_point_email
WHERE
  contact_point_email.domain = %(domain)s
  AND contact_point_email.customer_id = ANY %(who)s

-- Orders of the tills: totals from children, a row filter
SELECT
  sales_order.order_number,
  sales_order.grand_total
FROM (
  SELECT
    order_number,
    grand_total,
    status,
    ordered_at
  FROM sales_order
  WHERE
    region = principal.region
) AS sales_order
WHERE
  sales_order.status = %(status)s
ORDER BY
  sales_order.ordered_at DESC
-- becomes
SELECT
  sales_order.order_number,
  sales_order.grand_total
FROM (
  SELECT
    order_number,
    grand_total,
    status,
    ordered_at
  FROM sales_order
  WHERE
    region = principal.region
) AS sales_order
WHERE
  sales_order.status = %(status)s AND sales_order.customer_id = ANY %(who)s
ORDER BY
  sales_order.ordered_at DESC

-- Lines of orders: rows below a parent
SELECT
  sales_order_product.sku,
  sales_order_product.quantity
FROM (
  SELECT
    sku,
    quantity
  FROM sales_order_product
) AS sales_order_product
WHERE
  sales_order_product.quantity > %(least)s
-- becomes
SELECT
  sales_order_product.sku,
  sales_order_product.quantity
FROM (
  SELECT
    sku,
    quantity
  FROM sales_order_product
) AS sales_order_product
WHERE
  sales_order_product.quantity > %(least)s
  AND sales_order_product.customer_id = ANY %(who)s

-- Cases of the desk: plain columns over REST
SELECT
  support_case.case_number,
  support_case.status
FROM (
  SELECT
    case_number,
    status,
    queue
  FROM support_case
) AS support_case
WHERE
  support_case.queue = ANY %(queues)s
-- becomes
SELECT
  support_case.case_number,
  support_case.status
FROM (
  SELECT
    case_number,
    status,
    queue
  FROM support_case
) AS support_case
WHERE
  support_case.queue = ANY %(queues)s AND support_case.customer_id = ANY %(who)s

-- Messages of the desk: a condition that waits for arrival
SELECT
  message.body_excerpt
FROM (
  SELECT
    body_excerpt,
    direction
  FROM message
) AS message
WHERE
  message.direction = %(direction)s
-- becomes
SELECT
  message.body_excerpt
FROM (
  SELECT
    body_excerpt,
    direction
  FROM message
) AS message
WHERE
  message.direction = %(direction)s AND message.customer_id = ANY %(who)s

-- People of the CRM: a masked birth date
SELECT
  individual.full_name,
  individual.birth_date
FROM (
  SELECT
    full_name,
    DATE_TRUNC('YEAR', birth_date) AS birth_date
  FROM individual
) AS individual
WHERE
  individual.birth_date = %(born)s
-- becomes
SELECT
  individual.full_name,
  individual.birth_date
FROM (
  SELECT
    full_name,
    DATE_TRUNC('YEAR', birth_date) AS birth_date
  FROM individual
) AS individual
WHERE
  individual.birth_date = %(born)s AND individual.customer_id = ANY %(who)s
