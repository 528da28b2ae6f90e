SELECT '2' AS c2 FROM badge AS t10 INNER JOIN badge AS t11 USING (code) WHERE code ILIKE '%'
