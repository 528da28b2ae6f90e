SELECT d.ident, (SELECT count(*) FROM visit v WHERE v.depot_ident = d.k) FROM (SELECT ident, ident AS k FROM depot WHERE ident = 3 UNION ALL SELECT ident, ident + 1 FROM badge WHERE ident < 4) d
