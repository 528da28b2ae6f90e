SELECT d.ident FROM depot AS d WHERE d.ident NOT IN (SELECT p.depot_ident FROM parcel AS p)
