SELECT * FROM (SELECT code, grade FROM depot) AS a
NATURAL LEFT JOIN (SELECT code, size FROM parcel) AS b
