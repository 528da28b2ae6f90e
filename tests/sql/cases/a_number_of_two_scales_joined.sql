SELECT d.ident FROM (SELECT coalesce(99.99, CAST(3 AS numeric)) AS budget FROM visit) AS q JOIN depot AS d USING (budget)
