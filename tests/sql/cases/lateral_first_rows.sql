-- ordered
SELECT d.ident, p.ident, p.weight FROM depot d LEFT JOIN LATERAL (SELECT x.ident, x.weight FROM parcel x WHERE x.depot_ident = d.ident ORDER BY x.weight DESC NULLS LAST, x.ident LIMIT 2) p ON TRUE ORDER BY 1, 2
