SELECT d.ident, b.ident, p.ident FROM depot d LEFT JOIN badge b ON b.ident = d.ident RIGHT JOIN parcel p ON p.depot_ident = d.ident WHERE b.size IS NULL
