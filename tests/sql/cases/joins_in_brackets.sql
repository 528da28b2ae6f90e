SELECT p.ident, d.ident AS depot, l.ident AS entry FROM parcel AS p
LEFT JOIN (depot AS d JOIN ledger AS l ON d.grade = l.grade) ON d.ident = p.depot_ident
