WITH r1 AS (SELECT ident FROM depot) SELECT r1.ident, p.code FROM r1 JOIN parcel p ON p.depot_ident = r1.ident
