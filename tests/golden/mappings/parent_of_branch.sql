-- shop.individual
SELECT
  t.user_id AS k1,
  t.user_id AS p1,
  'Mia' AS full_name
FROM tickets AS t
WHERE
  t.id = 1;

-- shop.support_case/phone
SELECT
  t.id AS k1,
  t.user_id AS p1,
  t.made AS opened_at
FROM tickets AS t;

-- shop.conversation
SELECT
  h.id AS k1,
  parent.p1 AS p1,
  h.ticket_id AS parent_key,
  h.made AS started_at
FROM threads AS h
JOIN (
  SELECT
    t.id AS k1,
    t.user_id AS p1
  FROM tickets AS t
) AS parent
  ON parent.k1 = h.ticket_id;

-- shop.message/far
SELECT
  e.id AS k1,
  parent.p1 AS p1,
  e.thread_id AS parent_key,
  e.made AS sent_at
FROM entries AS e
JOIN (
  SELECT
    h.id AS k1,
    parent.p1 AS p1
  FROM threads AS h
  JOIN (
    SELECT
      t.id AS k1,
      t.user_id AS p1
    FROM tickets AS t
  ) AS parent
    ON parent.k1 = h.ticket_id
) AS parent
  ON parent.k1 = e.thread_id;

-- shop.message/own
SELECT
  e.id AS k1,
  e.user_id AS p1,
  e.thread_id AS parent_key,
  e.made AS sent_at
FROM entries AS e
JOIN (
  SELECT
    h.id AS k1,
    parent.p1 AS p1
  FROM threads AS h
  JOIN (
    SELECT
      t.id AS k1,
      t.user_id AS p1
    FROM tickets AS t
  ) AS parent
    ON parent.k1 = h.ticket_id
) AS parent
  ON parent.k1 = e.thread_id;
