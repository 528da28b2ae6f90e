WITH "W" AS (SELECT ident FROM depot), w AS (SELECT ident FROM badge) SELECT a.ident, b.ident FROM "W" a JOIN w b ON a.ident = b.ident
