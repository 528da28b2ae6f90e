-- over: tpch_vertical
SELECT c_mktsegment, count(*) AS orders, sum(o_totalprice) AS total
FROM buyer JOIN orders ON o_custkey = c_custkey
WHERE o_orderdate >= DATE '1995-01-01'
GROUP BY c_mktsegment
