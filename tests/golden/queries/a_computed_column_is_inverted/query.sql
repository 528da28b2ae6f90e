-- The source holds cents; the condition reaches it as cents.
-- over: tpch_vertical
SELECT c_custkey FROM buyer WHERE c_acctbal = 711.56
