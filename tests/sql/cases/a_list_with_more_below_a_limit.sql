-- ordered
SELECT ident FROM parcel WHERE (code = 'A1' AND note IS NULL) OR code = 'B1' ORDER BY ident LIMIT 2
