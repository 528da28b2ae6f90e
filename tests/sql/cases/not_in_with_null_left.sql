SELECT p.ident FROM parcel AS p
WHERE p.depot_ident NOT IN (SELECT d.ident FROM depot AS d WHERE d.grade > 1)
