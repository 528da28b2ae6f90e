SELECT ident, grade FROM depot AS d FULL JOIN parcel AS p USING (ident, grade)
FULL JOIN ledger AS l USING (ident, grade)
