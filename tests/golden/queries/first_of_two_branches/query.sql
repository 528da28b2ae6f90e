-- Each branch gives its own first five.
-- over: tpch_horizontal
-- ordered
SELECT o_orderkey, o_totalprice FROM orders ORDER BY o_totalprice DESC, o_orderkey LIMIT 5
