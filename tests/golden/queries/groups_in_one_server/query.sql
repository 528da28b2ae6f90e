-- over: tpch_vertical
SELECT o_orderstatus, count(*) AS orders, sum(o_totalprice) AS total, max(o_orderdate) AS last
FROM orders GROUP BY o_orderstatus
