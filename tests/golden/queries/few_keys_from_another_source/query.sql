-- The orders of few buyers are asked for with their keys, the lines with those of the orders.
-- over: tpch_horizontal
SELECT c_name, o_orderkey, sum(l_quantity) AS quantity
FROM buyer
JOIN orders ON o_custkey = c_custkey
JOIN lineitem ON l_orderkey = o_orderkey
WHERE c_acctbal > 9970
GROUP BY c_name, o_orderkey
