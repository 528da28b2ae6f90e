SELECT d.ident, b.ident FROM depot d LEFT JOIN badge b ON b.ident = d.ident WHERE CAST(coalesce(b.size, 1) AS bigint) = 1
