SELECT note, note LIKE 'a\_b' AS one, note LIKE 'a\%b' AS two, note LIKE '%\\%' AS three,
  note ILIKE 'TA%' AS four
FROM ledger
