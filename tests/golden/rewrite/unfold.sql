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
  AND contact_point_email.customer_id = ANY %(who)s
-- becomes
-- crm.contact_point_email main
SELECT
  1
FROM contacts AS c
WHERE
  c.deleted_at IS NULL
-- person: c.id
-- mask email_address: LEFT(email_address, 1) || '…'
-- where: contact_point_email.domain = %(domain)s
-- crm.contact_point_email alternative
SELECT
  1
FROM contacts AS c
WHERE
  c.deleted_at IS NULL
-- person: c.id
-- mask email_address: LEFT(email_address, 1) || '…'
-- where: contact_point_email.domain = %(domain)s
-- crm.contact_point_email/lead
SELECT
  1
FROM leads AS l
WHERE
  l.deleted_at IS NULL AND l.status <> 'converted'
-- person lead: l.id
-- mask email_address: LEFT(email_address, 1) || '…'
-- where: contact_point_email.domain = %(domain)s

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
  sales_order.status = %(status)s AND sales_order.customer_id = ANY %(who)s
ORDER BY
  sales_order.ordered_at DESC
-- becomes
-- pos.sales_order
SELECT
  1
FROM sales AS s
WHERE
  s.sale_type IN (0, 1, 4) AND s.sale_status IN (0, 2)
-- person: s.customer_id
-- row filter: region = principal.region
-- where: sales_order.status = %(status)s

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
  AND sales_order_product.customer_id = ANY %(who)s
-- becomes
-- pos.sales_order_product
SELECT
  1
FROM sales_items AS i
JOIN items AS t
  ON t.item_id = i.item_id
JOIN sales AS sales_order_s
  ON sales_order_s.sale_id = i.sale_id
WHERE
  sales_order_s.sale_type IN (0, 1, 4) AND sales_order_s.sale_status IN (0, 2)
-- person: sales_order_s.customer_id
-- where: sales_order_product.quantity > %(least)s

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
  support_case.queue = ANY %(queues)s AND support_case.customer_id = ANY %(who)s
-- becomes
-- support.support_case
SELECT
  1
FROM tickets AS t
-- person: t.user_id
-- where: support_case.queue = ANY %(queues)s

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
  message.direction = %(direction)s AND message.customer_id = ANY %(who)s
-- becomes
-- support.message
SELECT
  1
FROM messages AS m
WHERE
  m.type <> 'N'
-- person: m.user_id
-- where: message.direction = %(direction)s

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
  individual.birth_date = %(born)s AND individual.customer_id = ANY %(who)s
-- becomes
-- crm.individual
SELECT
  1
FROM contacts AS c
WHERE
  c.deleted_at IS NULL
-- person: c.id
-- mask birth_date: DATE_TRUNC('YEAR', birth_date)
-- where: individual.birth_date = %(born)s
-- crm.individual/lead
SELECT
  1
FROM leads AS l
WHERE
  l.deleted_at IS NULL AND l.status <> 'converted'
-- person lead: l.id
-- mask birth_date: DATE_TRUNC('YEAR', birth_date)
-- where: individual.birth_date = %(born)s
