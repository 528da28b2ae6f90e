WITH few AS MATERIALIZED (SELECT ident, grade FROM parcel WHERE active)
SELECT f.ident, d.ident AS depot FROM few AS f JOIN depot AS d USING (grade)
