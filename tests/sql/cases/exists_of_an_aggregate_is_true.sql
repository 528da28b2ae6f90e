SELECT d.ident FROM depot d WHERE EXISTS (SELECT 1 FROM visit v WHERE v.depot_ident = d.ident AND v.ident = 3 ORDER BY max(v.ident))
