-- ordered
SELECT big, big = 9223372036854775807 AS is_top, big - 1.5 AS moved FROM ledger
ORDER BY big DESC NULLS LAST, ident
