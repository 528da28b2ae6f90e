SELECT p.ident, (p.grade, p.size) < (1, p.size) AS less, (p.grade, p.size) = (1, p.size) AS same
FROM parcel AS p
