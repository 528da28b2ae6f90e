-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.name AS full_name
FROM contacts AS c;

-- shop.contact_point_email [main]
SELECT
  c.id AS k1,
  c.id AS p1,
  mail.position AS at1,
  mail.mail AS email_address,
  c.name = 'Mia' AS is_primary
FROM contacts AS c
CROSS JOIN UNNEST(STRING_TO_ARRAY(c.mails, ',')) WITH ORDINALITY AS mail(mail, position)
WHERE
  mail.mail <> 'off' AND c.id < 9;

-- shop.contact_point_email [copy]
SELECT
  c.id AS k1,
  c.id AS p1,
  mail.position AS at1,
  NULLIF(LOWER(mail.mail), '') || '.copy' AS email_address
FROM contacts AS c
CROSS JOIN UNNEST(STRING_TO_ARRAY(c.mails, ',')) WITH ORDINALITY AS mail(mail, position)
WHERE
  mail.mail <> 'off' AND c.id < 9;

-- shop.note
SELECT
  c.id AS k1,
  c.id AS p1,
  mail.position AS at1,
  kind.position AS at2,
  kind.kind || ' ' || mail.mail AS text,
  c.stamped AS source_created_at
FROM contacts AS c
CROSS JOIN UNNEST(STRING_TO_ARRAY(COALESCE(c.mails, c.name), ',')) WITH ORDINALITY AS mail(mail, position)
CROSS JOIN UNNEST(STRING_TO_ARRAY(c.kinds, ';')) WITH ORDINALITY AS kind(kind, position);
