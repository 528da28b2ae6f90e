-- refused
SELECT avg(0.01 - 2.5) AS x FROM visit UNION SELECT amount - big FROM ledger
