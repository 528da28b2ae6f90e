SELECT u.k, v.ident FROM (SELECT ident AS k FROM depot WHERE ident = 3 UNION ALL SELECT ident + 1 FROM badge WHERE ident < 4) u JOIN visit v ON v.depot_ident = u.k
