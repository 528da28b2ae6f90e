-- One branch holds cents, one decimals, one JSON numbers.
SELECT l.ident, b.ident AS badge FROM ledger AS l JOIN badge AS b ON b.amount = l.amount
