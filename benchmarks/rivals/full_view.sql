-- The full view of one customer, written by hand for DuckDB over attached databases.
--
-- Every scan has a key or is of a table with a few rows. `mine` is read once, and its keys reach the
-- two tables below it as IN lists: so the joins stand in this order, and the order is kept.
WITH mine AS MATERIALIZED (
  SELECT
    sale_id, invoice_number, sale_type, sale_status,
    timezone('Europe/Berlin', sale_time)::TIMESTAMP AS ordered_at
  FROM pos.pos.ospos_sales
  WHERE customer_id = $pos AND sale_type IN (0, 1, 4) AND sale_status IN (0, 2)
),
taxes AS (
  SELECT x.sale_id, sum(x.item_tax_amount) FILTER (WHERE x.tax_type = 1) AS on_top
  FROM pos.pos.ospos_sales_items_taxes x JOIN mine ON mine.sale_id = x.sale_id
  GROUP BY x.sale_id
),
bought AS (
  SELECT
    i.sale_id, i.item_id, i.line, i.item_location, i.quantity_purchased, i.item_unit_price,
    i.quantity_purchased * i.item_unit_price
      * CASE WHEN i.discount_type = 0 THEN 1 - i.discount / 100 ELSE 1 END
      - CASE WHEN i.discount_type = 1 THEN i.discount ELSE 0 END AS line_total
  FROM pos.pos.ospos_sales_items i JOIN mine ON mine.sale_id = i.sale_id
),
lines AS (
  SELECT
    b.sale_id,
    max(g.currency) AS currency,
    sum(b.line_total) AS total,
    list({
      line_no: b.line, sku: t.item_number, name: t.name, quantity: b.quantity_purchased,
      unit_price: b.item_unit_price, line_total: b.line_total
    } ORDER BY b.line)[:5] AS lines
  FROM bought b
  JOIN pos.pos.ospos_items t ON t.item_id = b.item_id
  JOIN pos.pos.ospos_stock_locations g ON g.location_id = b.item_location
  GROUP BY b.sale_id
),
happened AS (
  SELECT 'call' AS type, 'phone' AS channel, name, completed_at AS occurred_at, NULL::INTEGER AS campaign_id
  FROM crm.public.tasks
  WHERE asset_id = $crm AND asset_type = 'Contact' AND category = 'call'
    AND completed_at IS NOT NULL AND deleted_at IS NULL
  UNION ALL
  SELECT 'open', 'email', NULL, created_at::TIMESTAMP, campaign_id
  FROM mail.public.campaign_views WHERE subscriber_id = $mail
  UNION ALL
  SELECT 'click', 'email', NULL, created_at::TIMESTAMP, campaign_id
  FROM mail.public.link_clicks WHERE subscriber_id = $mail
  UNION ALL
  SELECT 'bounce', 'email', NULL, created_at::TIMESTAMP, campaign_id
  FROM mail.public.bounces WHERE subscriber_id = $mail
  UNION ALL
  SELECT 'unsubscribe', 'email', l.name, m.updated_at::TIMESTAMP, NULL
  FROM mail.public.subscriber_lists m JOIN mail.public.lists l ON l.id = m.list_id
  WHERE m.subscriber_id = $mail AND m.status = 'unsubscribed'
),
events AS (
  SELECT h.type, h.channel, coalesce(h.name, c.name) AS campaign_name, h.occurred_at
  FROM happened h LEFT JOIN mail.public.campaigns c ON c.id = h.campaign_id
  ORDER BY h.occurred_at DESC LIMIT 100
),
addresses AS (
  SELECT a.street1, a.street2, a.city, a.zipcode, a.country
  FROM crm.public.addresses a
  WHERE a.addressable_id = $crm AND a.addressable_type = 'Contact' AND a.deleted_at IS NULL
),
shopper AS (
  SELECT
    p.first_name, p.last_name, p.gender, p.phone_number, p.email, p.address_1, p.address_2, p.zip,
    p.city, p.country, k.date
  FROM pos.pos.ospos_customers k JOIN pos.pos.ospos_people p ON p.person_id = k.person_id
  WHERE k.person_id = $pos AND p.person_id = $pos AND k.deleted = 0
)
SELECT
  {
    given_name: c.first_name, family_name: c.last_name, birth_date: c.born_on, email: c.email,
    alternative: c.alt_email, mobile: c.mobile, phone: c.phone, updated_at: c.updated_at
  } AS contact,
  {
    name: s.name, email: s.email, attribs: s.attribs, updated_at: s.updated_at::TIMESTAMP
  } AS subscriber,
  (SELECT list(shopper) FROM shopper) AS shopper,
  (SELECT list(addresses) FROM addresses) AS addresses,
  (
    SELECT list({
      order_number: o.invoice_number, ordered_at: o.ordered_at,
      status: CASE WHEN o.sale_status = 2 THEN 'cancelled' WHEN o.sale_type = 4 THEN 'returned'
                   ELSE 'completed' END,
      sales_channel: 'store', currency: l.currency, grand_total: l.total + coalesce(x.on_top, 0),
      lines: l.lines
    } ORDER BY o.ordered_at DESC)
    FROM (FROM mine ORDER BY ordered_at DESC LIMIT 50) o
    LEFT JOIN lines l ON l.sale_id = o.sale_id
    LEFT JOIN taxes x ON x.sale_id = o.sale_id
  ) AS orders,
  (SELECT list(events ORDER BY occurred_at DESC) FROM events) AS events
FROM crm.public.contacts c LEFT JOIN mail.public.subscribers s ON s.id = $mail
WHERE c.id = $crm AND c.deleted_at IS NULL
