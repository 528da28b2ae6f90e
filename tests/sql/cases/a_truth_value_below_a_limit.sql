-- ordered
SELECT ident FROM parcel WHERE active = true ORDER BY ident LIMIT 2
