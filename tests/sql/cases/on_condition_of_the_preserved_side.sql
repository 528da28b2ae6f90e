-- A condition on the preserved side of an outer join filters no row of it.
SELECT p.ident, d.ident AS depot FROM parcel AS p LEFT JOIN depot AS d
  ON d.ident = p.depot_ident AND p.active AND d.city IS NOT NULL
