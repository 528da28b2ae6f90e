-- columns
SELECT * FROM information_schema.columns WHERE table_schema = 'c360' AND table_name = 'sales_order';
-- columns of the catalog itself
SELECT table_name, column_name, data_type, udt_name, is_nullable, character_maximum_length FROM information_schema.columns WHERE table_schema = 'information_schema' AND table_name IN ('columns','tables') ORDER BY 1, ordinal_position;
-- tables
SELECT * FROM information_schema.tables WHERE table_schema = 'c360';
-- tables of the catalog
SELECT table_schema, table_type, count(*) FROM information_schema.tables GROUP BY 1, 2 ORDER BY 1, 2;
-- schemata
SELECT * FROM information_schema.schemata;
-- views
SELECT table_schema, table_name, check_option, is_updatable FROM information_schema.views WHERE table_schema = 'c360';
-- table constraints
SELECT * FROM information_schema.table_constraints WHERE table_schema = 'c360' AND constraint_type <> 'CHECK';
-- key columns
SELECT * FROM information_schema.key_column_usage WHERE table_schema = 'c360';
-- constraint columns
SELECT * FROM information_schema.constraint_column_usage WHERE table_schema = 'c360';
-- referential constraints
SELECT * FROM information_schema.referential_constraints WHERE constraint_schema = 'c360';
-- table rights
SELECT * FROM information_schema.table_privileges WHERE table_schema = 'c360';
-- role rights
SELECT * FROM information_schema.role_table_grants WHERE table_schema = 'c360';
-- column rights
SELECT * FROM information_schema.column_privileges WHERE table_schema = 'c360' AND table_name = 'payment';
-- routines
SELECT routine_schema, routine_name, data_type, external_language FROM information_schema.routines WHERE routine_name IN ('now','lower') ORDER BY specific_name;
-- sequences
SELECT * FROM information_schema.sequences;
-- domains
SELECT domain_schema, domain_name, data_type, character_maximum_length FROM information_schema.domains ORDER BY 1, 2;
-- triggers
SELECT * FROM information_schema.triggers;
-- catalog name
SELECT * FROM information_schema.information_schema_catalog_name;
-- enabled and applicable roles
SELECT * FROM information_schema.enabled_roles;
-- applicable roles
SELECT * FROM information_schema.applicable_roles;
-- collations
SELECT collation_name FROM information_schema.collations WHERE collation_name IN ('C','POSIX');
-- features
SELECT * FROM information_schema.sql_features WHERE feature_id LIKE 'E0%';
-- sizing
SELECT * FROM information_schema.sql_sizing ORDER BY sizing_id LIMIT 5;
-- usage rights
SELECT * FROM information_schema.usage_privileges WHERE object_schema = 'c360';
-- foreign tables
SELECT * FROM information_schema.foreign_tables;
-- primary keys by join
SELECT kcu.table_name, kcu.column_name, kcu.ordinal_position FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu USING (constraint_schema, constraint_name) WHERE tc.constraint_type = 'PRIMARY KEY' AND tc.table_schema = 'c360' ORDER BY 1, 3;
-- foreign keys by join
SELECT tc.table_name, kcu.column_name, ccu.table_name AS foreign_table, ccu.column_name AS foreign_column FROM information_schema.table_constraints AS tc JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage AS ccu ON ccu.constraint_name = tc.constraint_name WHERE constraint_type = 'FOREIGN KEY' AND tc.table_name = 'payment';
