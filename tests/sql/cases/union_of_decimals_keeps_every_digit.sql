SELECT sum(2.5) AS value FROM badge UNION SELECT -99.99 UNION SELECT amount FROM ledger
