SELECT d.ident FROM depot AS d
WHERE (SELECT count(*) FROM parcel AS p WHERE p.depot_ident = d.ident AND p.active) = 0
