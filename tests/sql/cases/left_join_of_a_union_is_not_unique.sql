-- A relation of two sources may hold a value twice, even if nothing of it is asked.
SELECT p.ident FROM parcel AS p LEFT JOIN depot AS d ON d.code = p.code
