-- over: tpch_horizontal
SELECT c_name, c_acctbal FROM buyer WHERE c_custkey = 370
