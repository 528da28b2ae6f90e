-- Only one of two branches can hold the key: a condition on `source` leaves the other out.
-- over: odd
SELECT ident, code FROM depot WHERE source = 'shop' AND grade >= 1
