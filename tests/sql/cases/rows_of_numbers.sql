SELECT d.ident, n, v.word FROM depot d, generate_series(1, d.ident % 4) AS n, LATERAL (VALUES ('a', d.city), ('b', 'x')) AS v (word, city) WHERE v.city IS NOT NULL
