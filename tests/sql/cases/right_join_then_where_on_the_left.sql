SELECT d.ident, p.ident AS parcel FROM depot AS d RIGHT JOIN parcel AS p ON p.depot_ident = d.ident
WHERE d.active IS NOT TRUE
