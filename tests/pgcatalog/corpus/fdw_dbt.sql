-- import of a schema
SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, pg_get_expr(adbin, adrelid), collname, collnsp.nspname
FROM pg_class c JOIN pg_namespace n ON relnamespace = n.oid LEFT JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped LEFT JOIN pg_attrdef ad ON adrelid = c.oid AND adnum = attnum
  LEFT JOIN pg_collation coll ON coll.oid = attcollation LEFT JOIN pg_namespace collnsp ON collnsp.oid = collnamespace
WHERE c.relkind IN ('r','v','f','m','p') AND n.nspname = 'c360' AND (NOT c.relispartition OR c.relkind = 'p') ORDER BY c.relname, a.attnum;
-- is there a schema
SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'c360';
-- relations with kinds
SELECT 'c360' AS database, tablename AS name, schemaname AS schema, tablename AS path, 'table' AS type FROM pg_tables WHERE schemaname ILIKE 'c360' UNION ALL SELECT 'c360' AS database, viewname AS name, schemaname AS schema, viewname AS path, 'view' AS type FROM pg_views WHERE schemaname ILIKE 'c360';
-- columns of a relation
SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale FROM "c360".information_schema.columns WHERE table_name = 'payment' AND table_schema = 'c360' ORDER BY ordinal_position;
-- catalog for documentation
SELECT sch.nspname AS table_schema, tbl.relname AS table_name, CASE WHEN tbl.relkind = 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type, tbl_desc.description AS table_comment, col.attname AS column_name, col.attnum AS column_index, pg_catalog.format_type(col.atttypid, col.atttypmod) AS column_type, col_desc.description AS column_comment, pg_get_userbyid(tbl.relowner) AS table_owner
FROM pg_catalog.pg_namespace sch JOIN pg_catalog.pg_class tbl ON tbl.relnamespace = sch.oid JOIN pg_catalog.pg_attribute col ON col.attrelid = tbl.oid
  LEFT OUTER JOIN pg_catalog.pg_description tbl_desc ON (tbl_desc.objoid = tbl.oid AND tbl_desc.objsubid = 0) LEFT OUTER JOIN pg_catalog.pg_description col_desc ON (col_desc.objoid = tbl.oid AND col_desc.objsubid = col.attnum)
WHERE (upper(sch.nspname) = upper('c360')) AND NOT pg_is_other_temp_schema(sch.oid) AND tbl.relpersistence IN ('p','u') AND tbl.relkind IN ('r','v','f','p') AND col.attnum > 0 AND NOT col.attisdropped ORDER BY sch.nspname, tbl.relname, col.attnum;
-- dependencies of views
WITH relation AS (SELECT pg_rewrite.ev_class AS class, pg_rewrite.oid AS id FROM pg_rewrite), class AS (SELECT oid AS id, relname AS name, relnamespace AS schema, relkind AS kind FROM pg_class),
  dependency AS (SELECT DISTINCT pg_depend.objid AS id, pg_depend.refobjid AS ref FROM pg_depend)
SELECT DISTINCT c.name FROM relation r JOIN class c ON r.class = c.id JOIN dependency d ON d.id = r.id JOIN pg_namespace n ON n.oid = c.schema WHERE n.nspname = 'c360';
-- columns for a connector
SELECT a.attname, data_type, is_nullable, pg_catalog.col_description(('"' || c.table_schema || '"."' || c.table_name || '"')::regclass::oid, c.ordinal_position) FROM information_schema.columns c JOIN pg_attribute a ON a.attrelid = (quote_ident(c.table_schema) || '.' || quote_ident(c.table_name))::regclass AND a.attname = c.column_name WHERE c.table_name = 'customer' AND c.table_schema = 'c360' ORDER BY c.ordinal_position;
