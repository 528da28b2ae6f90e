WITH "R1" AS (SELECT ident FROM depot) SELECT w.ident, p.code FROM "R1" w JOIN parcel p ON p.depot_ident = w.ident
