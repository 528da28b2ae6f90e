SELECT p.ident, (SELECT max(v.score) FROM visit AS v WHERE v.parcel_ident = p.ident) AS best
FROM parcel AS p
