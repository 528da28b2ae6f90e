SELECT ident, substring(note FROM 2 FOR 2) AS a, left(note, -1) AS b, right(note, 2) AS c,
  upper(note) AS d, length(note) AS e, trim(note) AS f, note || NULL AS g, concat(note, NULL) AS h
FROM ledger
