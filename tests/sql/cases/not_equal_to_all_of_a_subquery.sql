SELECT b.ident FROM badge AS b
WHERE NOT (b.code = ALL (SELECT d.code FROM depot AS d WHERE d.ident = b.ident + 1 OR d.ident = 2))
   OR (b.size = ANY (SELECT p.size FROM parcel AS p WHERE p.size IS NOT NULL))
