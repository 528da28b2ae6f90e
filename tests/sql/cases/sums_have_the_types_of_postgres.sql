SELECT sum(grade) AS small, sum(ident) AS wide, sum(amount) AS exact, avg(grade) AS mean,
  avg(amount) AS mean_amount, count(*) AS n
FROM ledger
