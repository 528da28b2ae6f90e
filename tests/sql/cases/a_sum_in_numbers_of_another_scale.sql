SELECT q.total FROM (SELECT sum(p.depot_ident) AS total FROM parcel AS p GROUP BY p.size) AS q WHERE q.total IN (SELECT t.weight FROM parcel AS t)
