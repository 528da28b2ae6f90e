-- over: odd
SELECT d.ident FROM depot AS d
WHERE NOT EXISTS (SELECT 1 FROM parcel AS p WHERE p.depot_ident = d.ident) AND d.ident < 4
