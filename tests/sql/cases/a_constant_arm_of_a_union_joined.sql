SELECT u.k, v.ident FROM (SELECT ident AS k FROM depot WHERE ident = 3 UNION SELECT 4) u JOIN visit v ON v.depot_ident = u.k
