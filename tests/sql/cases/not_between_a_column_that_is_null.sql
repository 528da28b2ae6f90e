SELECT d.ident, b.ident FROM depot d LEFT JOIN badge b ON b.ident = d.ident WHERE b.size NOT BETWEEN b.mark AND 5
