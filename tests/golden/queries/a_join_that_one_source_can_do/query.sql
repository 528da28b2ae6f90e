-- over: tpch_vertical
SELECT n_name, r_name FROM nation JOIN trade_region ON r_regionkey = n_regionkey
WHERE r_name = 'ASIA'
