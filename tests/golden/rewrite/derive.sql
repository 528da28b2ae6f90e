-- The customer: read from records, masked there
SELECT
  customer_id,
  full_name,
  birth_date,
  email
FROM customer
-- becomes
SELECT
  full_name,
  birth_date,
  source_updated_at
FROM individual
-- full_name: column 4, trusted crm support mail pos
-- birth_date: column 5, trusted crm
SELECT
  email_normalized,
  source_updated_at,
  is_primary
FROM contact_point_email
-- email: column 4, trusted crm mail support pos
