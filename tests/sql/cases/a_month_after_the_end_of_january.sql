SELECT DATE '2024-01-31' + INTERVAL '1 month' AS one, DATE '2024-02-29' - 1 AS two,
  (SELECT max(day) - min(day) FROM ledger) AS three
FROM badge
