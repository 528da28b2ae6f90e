-- over: tpch_horizontal
SELECT l_returnflag, sum(l_quantity) AS quantity, count(*) AS lines FROM lineitem
GROUP BY l_returnflag
