-- shop.support_case
SELECT
  k.id AS k1,
  k.opened AS opened_at,
  (
    SELECT
      MIN(e.seen)
    FROM events AS e
    WHERE
      e.case_id = k.id AND e.kind = 'close'
  ) AS resolved_at,
  (
    SELECT
      COUNT(DISTINCT v.kind)
    FROM events AS v
    LEFT JOIN staff AS s
      ON s.id = k.owner AND v.kind <> 'open'
    WHERE
      v.case_id = k.id
  ) AS reopened_count,
  COALESCE(
    (
      SELECT
        MAX(s.name)
      FROM events AS v
      LEFT JOIN staff AS s
        ON s.id = k.owner AND v.kind <> 'open'
      WHERE
        v.case_id = k.id
    ),
    k.tag,
    'nobody'
  ) AS assignee,
  (
    SELECT
      COUNT(l.id)
    FROM events AS l
    WHERE
      l.case_id >= k.id
  ) AS priority
FROM cases AS k;
