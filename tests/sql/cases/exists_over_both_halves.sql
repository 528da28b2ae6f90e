SELECT p.ident FROM parcel AS p
WHERE EXISTS (SELECT 1 FROM ledger AS l WHERE l.parcel_ident = p.ident AND l.kind = 'fee')
  AND NOT EXISTS (SELECT 1 FROM visit AS v WHERE v.parcel_ident = p.ident AND v.active IS FALSE)
