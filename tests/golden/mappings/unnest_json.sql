-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.id AS lifecycle_stage
FROM contacts AS c;

-- shop.note
SELECT
  c.id AS k1,
  c.id AS p1,
  tag.position AS at1,
  tag.tag AS text
FROM contacts AS c
CROSS JOIN JSONB_ARRAY_ELEMENTS_TEXT(CAST(c.tags AS JSONB)) WITH ORDINALITY AS tag(tag, position);
