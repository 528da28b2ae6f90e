SELECT p.ident, d.ident AS depot FROM parcel AS p JOIN depot AS d ON d.code = p.code
WHERE p.code <> 'A1' AND d.city >= 'K'
