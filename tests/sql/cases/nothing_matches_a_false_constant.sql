SELECT d.ident, p.ident AS parcel FROM depot AS d LEFT JOIN parcel AS p ON FALSE WHERE 1 = 1
