-- version is PostgreSQL's
SELECT substring(version() from 1 for 10), current_setting('server_version_num')::int >= 150000, current_setting('server_encoding');
-- settings
SELECT current_setting('search_path'), current_setting('standard_conforming_strings'), current_setting('TimeZone'), current_setting('max_index_keys'), current_setting('IntervalStyle');
-- set_config tells what is set
SELECT set_config('application_name', 'corpus', false);
-- set_config has an effect
SELECT current_setting('application_name');
-- search path is emptied
SELECT pg_catalog.set_config('search_path', '', false);
-- nothing is visible without a search path
SELECT count(*) FROM pg_catalog.pg_class c WHERE c.relnamespace = 'c360'::regnamespace AND pg_catalog.pg_table_is_visible(c.oid);
-- names are qualified without a search path
SELECT 'c360.payment'::regclass, pg_get_constraintdef(oid), confrelid::regclass::text FROM pg_constraint WHERE conrelid = 'c360.payment'::regclass AND contype = 'f';
-- unqualified names are not found without a search path
SELECT 'payment'::regclass;
-- schemas without a search path
SELECT current_schema(), current_schemas(true), current_schemas(false);
-- types are qualified without a search path
SELECT 'c360.payment'::regtype, format_type('c360.payment'::regtype, -1);
-- search path is set
SELECT set_config('search_path', '"$user",c360', false);
-- visible again
SELECT 'payment'::regclass::text, 'payment'::regtype, current_schema, current_schemas(true);
-- rights by name and OID
SELECT has_table_privilege('payment', 'SELECT'), has_table_privilege('c360.payment', 'INSERT'), has_table_privilege(current_user, 'payment', 'SELECT, INSERT'), has_table_privilege('roundview', 'payment', 'DELETE'), has_schema_privilege('c360', 'USAGE'), has_schema_privilege('c360', 'CREATE'), has_database_privilege('c360', 'CONNECT'), has_column_privilege('payment', 'amount', 'SELECT'), has_any_column_privilege('payment', 'SELECT'), has_function_privilege('now()', 'EXECUTE'), pg_has_role('roundview', 'USAGE');
-- rights on the catalog
SELECT relname, has_table_privilege(oid, 'SELECT') FROM pg_class WHERE relname IN ('pg_class','pg_authid','pg_statistic','pg_stats') ORDER BY 1;
-- names of columns
SELECT count(*), max(oid), 1, 'a', relname || 'x', CASE WHEN true THEN 1 END, CASE WHEN true THEN 1 ELSE relnatts END, (relname), relname::text, 1::int8, NOT true, oid::regclass, array_agg(relname), ARRAY[1], coalesce(NULL, 1), (SELECT 2), EXISTS (SELECT 1), now() IS NULL, current_user, relnatts + 1 FROM pg_class WHERE relname = 'payment' GROUP BY relname, relnatts, oid HAVING false;
-- types of expressions
SELECT oid, relname, relkind, relnatts, reltuples, relhasindex, relacl, relnatts * 2, relnatts / 2, relname || relkind::text, count(*) OVER (), row_number() OVER (ORDER BY oid), sum(relnatts) OVER (), length(relname), relkind::text, relkind = 'r', relnatts::text, oid::int8, oid::int FROM pg_class WHERE relname = 'pg_class' AND false;
-- arrays
SELECT array_upper(conkey, 1), array_lower(conkey, 1), conkey[1], conkey[2], array_length(conkey, 1), array_to_string(conkey, ','), conkey::text, 1 = ANY (conkey), conkey FROM pg_constraint WHERE conrelid = 'payment'::regclass ORDER BY conname;
-- vectors
SELECT indkey, indkey[0], indkey[1], indkey::text, array_upper(indkey, 1), array_lower(indkey, 1), indclass, indcollation, 2 = ANY (indkey), indnatts, string_to_array(indkey::text, ' ') FROM pg_index WHERE indrelid = 'payment'::regclass;
-- integer division
SELECT 7 / 2, -7 / 2, 7 % 3, 7.0 / 2 > 3 FROM pg_namespace WHERE nspname = 'c360';
-- order of NULL
SELECT relname, relacl IS NULL FROM pg_class WHERE relname IN ('payment','payment_pkey','pg_statistic') ORDER BY relacl IS NULL DESC, relname;
-- system columns
SELECT c.tableoid::regclass, tableoid, xmin IS NULL, ctid IS NULL FROM pg_class c WHERE relname = 'payment';
-- values
SELECT v.a, v.b, c.relname FROM (VALUES (1, 'payment'), (2, 'customer')) AS v(a, b) JOIN pg_class c ON c.relname = v.b ORDER BY 1;
-- set operations
SELECT relname FROM pg_class WHERE relname = 'payment' UNION SELECT nspname FROM pg_namespace WHERE nspname = 'c360' EXCEPT SELECT 'none' ORDER BY 1;
-- comments
SELECT obj_description('payment'::regclass), obj_description('payment'::regclass, 'pg_class'), col_description('payment'::regclass, 1), shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'c360';
-- limit and offset
SELECT relname FROM pg_class WHERE relnamespace = 'c360'::regnamespace AND relkind = 'r' ORDER BY relname LIMIT 3 OFFSET 2;
-- limit by parameter
--$ 20 2
SELECT relname FROM pg_class WHERE relnamespace = 'c360'::regnamespace AND relkind = 'r' ORDER BY relname LIMIT $1;
-- parameters without types
--$ 0 payment
--$ 0 {r,v}
SELECT relname FROM pg_class WHERE relname = $1 AND relkind = ANY ($2);
-- distinct on
SELECT DISTINCT ON (relkind) relkind, relnamespace::regnamespace FROM pg_class WHERE relnamespace = 'c360'::regnamespace ORDER BY relkind, relname;
-- filter and windows
SELECT relkind, count(*) FILTER (WHERE relhasindex), bool_or(relhasindex), string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'c360'::regnamespace GROUP BY relkind ORDER BY 1;
-- tables view
SELECT * FROM pg_tables WHERE schemaname = 'c360' ORDER BY tablename;
-- indexes view
SELECT * FROM pg_indexes WHERE schemaname = 'c360' ORDER BY indexname;
-- roles views
SELECT rolname, rolsuper, rolcanlogin FROM pg_roles ORDER BY 1;
-- sizes
SELECT pg_size_pretty(0::bigint), pg_size_pretty(20480::bigint), pg_table_size('pg_class'::regclass) >= 0;
