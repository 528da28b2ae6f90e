-- The NULLs of a FULL JOIN are there before coalesce sees them, and again after it.
SELECT l.ident, p.ident AS other, coalesce(x.filled, -1) AS filled
FROM ledger AS l
FULL JOIN (SELECT ident, coalesce(grade, 9) AS filled FROM parcel) AS x ON x.ident = l.parcel_ident
FULL JOIN parcel AS p ON p.ident = x.ident AND p.active
