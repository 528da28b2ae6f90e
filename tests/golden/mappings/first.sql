-- shop.individual
SELECT
  c.id AS k1,
  c.id AS p1,
  c.name AS full_name
FROM contacts AS c;

-- shop.support_case/newest
SELECT
  k.id AS k1,
  NULLIF(
    (
      SELECT
        p.person_id
      FROM case_people AS p
      WHERE
        p.case_id = k.id AND p.role = 'caller'
      ORDER BY
        p.since DESC NULLS LAST,
        p.id ASC
      LIMIT 1
    ),
    0
  ) AS p1,
  k.opened AS opened_at,
  COALESCE(
    (
      SELECT
        p.rank
      FROM case_people AS p
      WHERE
        p.case_id = k.id AND p.role = 'caller'
      ORDER BY
        p.since DESC NULLS LAST,
        p.id ASC
      LIMIT 1
    ),
    'none'
  ) AS assignee,
  (
    SELECT
      p.since
    FROM case_people AS p
    WHERE
      p.case_id = k.id AND p.role = 'caller'
    ORDER BY
      p.since DESC NULLS LAST,
      p.id ASC
    LIMIT 1
  ) AS resolved_at,
  (
    SELECT
      COUNT(a.id)
    FROM case_people AS a
    WHERE
      a.case_id = k.id
  ) AS reopened_count
FROM cases AS k;

-- shop.support_case/ranked
SELECT
  k.id AS k1,
  (
    SELECT
      p.person_id
    FROM case_people AS p
    LEFT JOIN contacts AS c
      ON c.id = p.person_id
    WHERE
      p.case_id = k.id
    ORDER BY
      p.rank ASC,
      p.since DESC NULLS LAST,
      p.id ASC,
      c.id ASC
    LIMIT 1
  ) AS p1,
  k.opened AS opened_at,
  (
    SELECT
      c.name
    FROM case_people AS p
    LEFT JOIN contacts AS c
      ON c.id = p.person_id
    WHERE
      p.case_id = k.id
    ORDER BY
      p.rank ASC,
      p.since DESC NULLS LAST,
      p.id ASC,
      c.id ASC
    LIMIT 1
  ) AS assignee
FROM cases AS k;

-- shop.message
SELECT
  m.id AS k1,
  parent.p1 AS p1,
  m.case_id AS parent_key,
  m.words AS body_excerpt,
  m.sent AS sent_at
FROM messages AS m
JOIN (
  SELECT
    k.id AS k1,
    NULLIF(
      (
        SELECT
          p.person_id
        FROM case_people AS p
        WHERE
          p.case_id = k.id AND p.role = 'caller'
        ORDER BY
          p.since DESC NULLS LAST,
          p.id ASC
        LIMIT 1
      ),
      0
    ) AS p1
  FROM cases AS k
) AS parent
  ON parent.k1 = m.case_id;
