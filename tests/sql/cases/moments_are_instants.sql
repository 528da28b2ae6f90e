SELECT ident, sent_at, CAST(sent_at AS date) AS day, date_trunc('month', sent_at) AS month,
  sent_at + INTERVAL '1 month' AS later
FROM visit WHERE sent_at >= TIMESTAMPTZ '2024-02-29 00:00:00+00' OR sent_at IS NULL
