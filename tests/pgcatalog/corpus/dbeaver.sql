-- databases
SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datname = 'postgres' AND false ORDER BY db.datname;
-- schemas
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass WHERE n.nspname <> 'pg_toast' ORDER BY nspname;
-- settings
SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('standard_conforming_strings','max_index_keys','block_size');
-- relations of a schema
SELECT c.oid, c.relname, c.relkind, c.relnatts, c.relhasindex, c.relpersistence, c.relowner, d.description, c.reltablespace, c.relispartition,
  pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key
FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = 'c360'::regnamespace AND c.relkind NOT IN ('i','I','c') ORDER BY c.relname;
-- attributes of a relation
SELECT c.relname, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attlen, a.attnotnull, a.attidentity, a.attstorage, a.attcollation, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid
FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)
  LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
  LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid AND false
WHERE NOT a.attisdropped AND a.attnum > 0 AND c.oid = {customer} ORDER BY a.attnum;
-- constraints of a schema
SELECT c.oid, c.conname, c.contype, c.conrelid, c.conindid, c.confrelid, c.confupdtype, c.confdeltype, c.confmatchtype, c.conkey, c.confkey, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description,
  CASE WHEN c.contype = 'c' THEN "substring"(pg_get_constraintdef(c.oid), 7) ELSE NULL END AS consrc_copy
FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
  LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass WHERE t.relnamespace = 'c360'::regnamespace ORDER BY c.conname;
-- indexes of a relation
SELECT i.indisprimary, i.indisunique, i.indkey, i.indclass, i.indoption, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname AS tabrelname, dsc.description, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr,
  pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, pg_catalog.pg_relation_size(i.indexrelid) >= 0 AS index_rel_size
FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid
WHERE i.indrelid = {individual} ORDER BY tabrelname, c.relname;
-- types of a schema
SELECT t.oid, t.typname, t.typtype, t.typcategory, t.typrelid, t.typelem, t.typinput, t.typoutput, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description
FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid
WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C') AND t.typnamespace = 11 ORDER BY t.oid;
-- types of rows
SELECT t.typname, t.typtype, t.typcategory, t.typlen, t.typdelim, t.typrelid, t.typelem, t.typarray, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typalign, t.typstorage FROM pg_type t WHERE t.typnamespace = 'c360'::regnamespace;
-- functions
SELECT p.oid, p.proname, p.prorettype, p.proargtypes, p.provolatile, p.prosrc, pg_get_function_identity_arguments(p.oid) FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE p.proname IN ('lower','now','format_type') ORDER BY p.proname, p.oid;
-- access methods
SELECT am.oid, am.* FROM pg_catalog.pg_am am ORDER BY am.oid;
-- languages and encodings
SELECT oid, lanname, lanispl, lanpltrusted FROM pg_catalog.pg_language ORDER BY oid;
-- tablespaces
SELECT t.oid, t.spcname, t.spcowner, t.spcacl, t.spcoptions, pg_tablespace_location(t.oid) AS loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid;
-- rights of a role
SELECT * FROM information_schema.table_privileges WHERE table_schema = 'c360' AND table_name = 'payment' ORDER BY grantee, privilege_type;
-- search path
SELECT current_schema(), session_user, current_schemas(true), array_to_string(current_schemas(false), ',');
-- who asks
SELECT current_user, session_user, user, current_role, current_catalog, current_database();
-- inheritance
SELECT i.*, c.relnamespace FROM pg_catalog.pg_inherits i, pg_catalog.pg_class c WHERE i.inhrelid = {payment} AND c.oid = i.inhparent ORDER BY i.inhseqno;
-- rules and triggers
SELECT x.oid, x.ev_type, x.rulename FROM pg_catalog.pg_rewrite x WHERE x.ev_class = {payment};
-- event triggers and extensions
SELECT e.oid, cfg.tbls, n.nspname AS schema_name, e.extname, e.extversion FROM pg_catalog.pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace LEFT JOIN (SELECT ARRAY_AGG(ns.nspname || '.' || cls.relname) AS tbls, oid_ext FROM (SELECT unnest(e1.extconfig) AS oid, e1.oid AS oid_ext FROM pg_catalog.pg_extension e1) c JOIN pg_catalog.pg_class cls ON cls.oid = c.oid JOIN pg_catalog.pg_namespace ns ON ns.oid = cls.relnamespace GROUP BY oid_ext) cfg ON cfg.oid_ext = e.oid ORDER BY e.oid;
