SELECT sum(amount) AS total, count(amount) AS n, max(note) AS last, bool_and(grade > 0) AS every
FROM ledger WHERE day > DATE '2200-01-01'
