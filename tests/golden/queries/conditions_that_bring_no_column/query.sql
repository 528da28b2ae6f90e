-- over: tpch_vertical
SELECT count(*) AS orders, min(o_custkey) AS first FROM orders
WHERE o_totalprice > 400000.00 AND o_orderdate >= DATE '1995-01-01'
