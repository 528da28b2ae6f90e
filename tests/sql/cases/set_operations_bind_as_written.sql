SELECT ident FROM depot UNION ALL SELECT ident FROM badge EXCEPT ALL SELECT ident FROM visit
INTERSECT SELECT depot_ident FROM parcel
