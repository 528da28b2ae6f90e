SELECT sum(grade), sum(DISTINCT grade) FROM ledger AS t2 RIGHT JOIN depot AS t3 USING (grade)
