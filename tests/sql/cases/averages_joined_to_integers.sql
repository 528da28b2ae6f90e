SELECT l.day FROM (SELECT avg(amount) AS mean FROM badge) AS t JOIN ledger AS l ON t.mean = l.big
