-- search path
SELECT * FROM unnest(current_schemas(true));
-- schemata
SELECT nspname FROM pg_catalog.pg_namespace ORDER BY 1;
-- tables
SELECT n.nspname AS schema_name, c.relname AS table_name FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = ANY ('{r,p,f}'::"char"[]) AND n.nspname = 'c360' ORDER BY 1, 2;
-- columns
SELECT nsp.nspname AS schema_name, cls.relname AS table_name, att.attname AS column_name, att.atttypid::regtype::text AS type_name, att.atthasdef AS has_default, pg_catalog.pg_get_expr(def.adbin, def.adrelid, true) AS default
FROM pg_catalog.pg_attribute att INNER JOIN pg_catalog.pg_class cls ON att.attrelid = cls.oid INNER JOIN pg_catalog.pg_namespace nsp ON cls.relnamespace = nsp.oid LEFT OUTER JOIN pg_attrdef def ON def.adrelid = att.attrelid AND def.adnum = att.attnum
WHERE cls.relkind = ANY ('{r,v,m}'::"char"[]) AND NOT att.attisdropped AND att.attnum > 0 AND nsp.nspname = 'c360' ORDER BY 1, 2, att.attnum;
-- foreign keys
SELECT s_p.nspname AS parentschema, t_p.relname AS parenttable, unnest((SELECT array_agg(attname ORDER BY i) FROM (SELECT unnest(confkey) AS attnum, generate_subscripts(confkey, 1) AS i) x JOIN pg_catalog.pg_attribute c USING (attnum) WHERE c.attrelid = fk.confrelid)) AS parentcolumn,
  s_c.nspname AS childschema, t_c.relname AS childtable, unnest((SELECT array_agg(attname ORDER BY i) FROM (SELECT unnest(conkey) AS attnum, generate_subscripts(conkey, 1) AS i) x JOIN pg_catalog.pg_attribute c USING (attnum) WHERE c.attrelid = fk.conrelid)) AS childcolumn
FROM pg_catalog.pg_constraint fk JOIN pg_catalog.pg_class t_p ON t_p.oid = fk.confrelid JOIN pg_catalog.pg_namespace s_p ON s_p.oid = t_p.relnamespace JOIN pg_catalog.pg_class t_c ON t_c.oid = fk.conrelid JOIN pg_catalog.pg_namespace s_c ON s_c.oid = t_c.relnamespace WHERE fk.contype = 'f';
-- functions
SELECT n.nspname AS schema_name, p.proname AS func_name, p.proargnames, array_to_string(COALESCE(proallargtypes::regtype[], proargtypes::regtype[])::text[], ',') AS arg_types, p.proargmodes, prorettype::regtype::text AS return_type, p.prokind = 'a' AS is_aggregate, p.prokind = 'w' AS is_window, p.proretset AS is_set_returning, d.deptype = 'e' AS is_extension, pg_get_expr(proargdefaults, 0) AS arg_defaults
FROM pg_catalog.pg_proc p INNER JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace LEFT JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
WHERE p.prorettype::regtype != 'trigger'::regtype AND p.proname IN ('lower','upper','aclexplode','json_agg','row_number') ORDER BY 1, 2;
-- types
SELECT n.nspname AS schema_name, t.typname AS type_name FROM pg_catalog.pg_type t INNER JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type el WHERE el.oid = t.typelem AND el.typarray = t.oid) AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' ORDER BY 1, 2;
-- databases
SELECT d.datname FROM pg_catalog.pg_database d WHERE d.datname = 'c360' ORDER BY 1;
-- views
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = ANY ('{v,m}'::"char"[]) AND n.nspname = 'information_schema' ORDER BY 1, 2;
-- how a server lists its databases
SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba) AS owner, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype, pg_catalog.array_to_string(d.datacl, E'\n') AS access_privileges FROM pg_catalog.pg_database d WHERE d.datname IN ('c360','template1') ORDER BY 1;
-- is it a superuser
SELECT usesuper FROM pg_catalog.pg_user WHERE usename = current_user;
