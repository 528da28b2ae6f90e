-- The enum has no such value, so no source is asked.
-- over: odd
SELECT ident FROM ledger WHERE kind = 'loan'
