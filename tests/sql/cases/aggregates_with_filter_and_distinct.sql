SELECT kind, count(DISTINCT grade) FILTER (WHERE amount > 0) AS grades,
  string_agg(DISTINCT note, '|' ORDER BY note DESC) AS notes, bool_or(grade > 4) AS any_high
FROM ledger GROUP BY kind
