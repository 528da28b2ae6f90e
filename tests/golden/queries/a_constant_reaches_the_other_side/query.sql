-- over: tpch_vertical
SELECT o_orderkey, l_linenumber, l_quantity
FROM orders JOIN lineitem ON l_orderkey = o_orderkey
WHERE o_orderkey = 39
