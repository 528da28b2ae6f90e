-- tables of the search path
SELECT ns.nspname AS "Schema", r.relname AS "Name",
  CASE r.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' WHEN 'p' THEN 'partitioned table' END AS "Type",
  pg_catalog.pg_get_userbyid(r.relowner) AS "Owner"
FROM pg_catalog.pg_class r
  LEFT JOIN pg_catalog.pg_namespace ns ON ns.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_am method ON method.oid = r.relam
WHERE r.relkind IN ('r','p','') AND ns.nspname <> 'pg_catalog' AND ns.nspname !~ '^pg_toast'
  AND ns.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(r.oid)
ORDER BY 1, 2;
-- relation by pattern
SELECT r.oid, ns.nspname, r.relname FROM pg_catalog.pg_class r
  LEFT JOIN pg_catalog.pg_namespace ns ON ns.oid = r.relnamespace
WHERE r.relname OPERATOR(pg_catalog.~) '^(sales_order)$' COLLATE pg_catalog.default
  AND pg_catalog.pg_table_is_visible(r.oid)
ORDER BY 2, 3;
-- relation by schema and pattern
SELECT r.oid, ns.nspname, r.relname FROM pg_catalog.pg_class r
  LEFT JOIN pg_catalog.pg_namespace ns ON ns.oid = r.relnamespace
WHERE r.relname OPERATOR(pg_catalog.~) '^(pay.*)$' COLLATE pg_catalog.default
  AND ns.nspname OPERATOR(pg_catalog.~) '^(c360)$' COLLATE pg_catalog.default
ORDER BY 2, 3;
-- what a relation is
SELECT r.relchecks, r.relkind, r.relhasindex, r.relhasrules, r.relhastriggers, r.relrowsecurity,
  r.relforcerowsecurity, false AS relhasoids, r.relispartition, '' AS nothing, r.reltablespace,
  CASE WHEN r.reloftype = 0 THEN '' ELSE r.reloftype::pg_catalog.regtype::pg_catalog.text END,
  r.relpersistence, r.relreplident, method.amname
FROM pg_catalog.pg_class r
  LEFT JOIN pg_catalog.pg_class toast ON (r.reltoastrelid = toast.oid)
  LEFT JOIN pg_catalog.pg_am method ON (r.relam = method.oid)
WHERE r.oid = '{sales_order}';
-- columns of a relation
SELECT col.attname, pg_catalog.format_type(col.atttypid, col.atttypmod),
  (SELECT pg_catalog.pg_get_expr(def.adbin, def.adrelid, true) FROM pg_catalog.pg_attrdef def
   WHERE def.adrelid = col.attrelid AND def.adnum = col.attnum AND col.atthasdef),
  col.attnotnull,
  (SELECT co.collname FROM pg_catalog.pg_collation co, pg_catalog.pg_type ty
   WHERE co.oid = col.attcollation AND ty.oid = col.atttypid AND col.attcollation <> ty.typcollation) AS attcollation,
  col.attidentity, col.attgenerated
FROM pg_catalog.pg_attribute col
WHERE col.attrelid = '{sales_order}' AND col.attnum > 0 AND NOT col.attisdropped
ORDER BY col.attnum;
-- columns with storage and comment
SELECT col.attname, pg_catalog.format_type(col.atttypid, col.atttypmod), col.attstorage,
  col.attcompression AS attcompression,
  CASE WHEN col.attstattarget = -1 THEN NULL ELSE col.attstattarget END AS attstattarget,
  pg_catalog.col_description(col.attrelid, col.attnum)
FROM pg_catalog.pg_attribute col
WHERE col.attrelid = '{payment}' AND col.attnum > 0 AND NOT col.attisdropped
ORDER BY col.attnum;
-- indexes of a relation
SELECT other.relname, ix.indisprimary, ix.indisunique, ix.indisclustered, ix.indisvalid,
  pg_catalog.pg_get_indexdef(ix.indexrelid, 0, true),
  pg_catalog.pg_get_constraintdef(con.oid, true), con.contype, con.condeferrable, con.condeferred,
  ix.indisreplident, other.reltablespace
FROM pg_catalog.pg_class r, pg_catalog.pg_class other, pg_catalog.pg_index ix
  LEFT JOIN pg_catalog.pg_constraint con
    ON (con.conrelid = ix.indrelid AND con.conindid = ix.indexrelid AND con.contype IN ('p','u','x'))
WHERE r.oid = '{individual}' AND r.oid = ix.indrelid AND ix.indexrelid = other.oid
ORDER BY ix.indisprimary DESC, other.relname;
-- foreign keys of a relation
SELECT true AS sametable, con.conname, pg_catalog.pg_get_constraintdef(con.oid, true) AS condef,
  con.conrelid::pg_catalog.regclass AS ontable
FROM pg_catalog.pg_constraint con
WHERE con.conrelid = '{payment}' AND con.contype = 'f' AND con.conparentid = 0
ORDER BY con.conname;
-- who refers to a relation
SELECT con.conname, con.conrelid::pg_catalog.regclass AS ontable,
  pg_catalog.pg_get_constraintdef(con.oid, true) AS condef
FROM pg_catalog.pg_constraint con
WHERE con.confrelid IN (SELECT pg_catalog.pg_partition_ancestors('{sales_order}')
                        UNION ALL VALUES ('{sales_order}'::pg_catalog.regclass))
  AND con.contype = 'f' AND con.conparentid = 0
ORDER BY con.conname;
-- policies of a relation
SELECT pol.polname, pol.polpermissive,
  CASE WHEN pol.polroles = '{0}' THEN NULL ELSE pg_catalog.array_to_string(ARRAY(
    SELECT rolname FROM pg_catalog.pg_roles WHERE oid = ANY (pol.polroles) ORDER BY 1), ',') END,
  pg_catalog.pg_get_expr(pol.polqual, pol.polrelid), pg_catalog.pg_get_expr(pol.polwithcheck, pol.polrelid),
  CASE pol.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' END AS cmd
FROM pg_catalog.pg_policy pol WHERE pol.polrelid = '{payment}' ORDER BY 1;
-- statistics of a relation
SELECT st.oid, st.stxrelid::pg_catalog.regclass, st.stxnamespace::pg_catalog.regnamespace::pg_catalog.text AS nsp,
  st.stxname, pg_catalog.pg_get_statisticsobjdef_columns(st.oid) AS columns,
  'd' = ANY (st.stxkind) AS ndist_enabled, 'f' = ANY (st.stxkind) AS deps_enabled, st.stxstattarget
FROM pg_catalog.pg_statistic_ext st WHERE st.stxrelid = '{payment}' ORDER BY nsp, st.stxname;
-- publications of a relation
SELECT pub.pubname, NULL, NULL FROM pg_catalog.pg_publication pub
  JOIN pg_catalog.pg_publication_namespace pn ON pub.oid = pn.pnpubid
  JOIN pg_catalog.pg_class pc ON pc.relnamespace = pn.pnnspid
WHERE pc.oid = '{payment}' AND pg_catalog.pg_relation_is_publishable('{payment}')
UNION
SELECT pub.pubname, pg_get_expr(pr.prqual, r.oid),
  (CASE WHEN pr.prattrs IS NOT NULL THEN
     (SELECT string_agg(attname, ', ') FROM pg_catalog.generate_series(0, pg_catalog.array_upper(pr.prattrs::pg_catalog.int2[], 1)) s,
        pg_catalog.pg_attribute WHERE attrelid = pr.prrelid AND attnum = pr.prattrs[s]) ELSE NULL END)
FROM pg_catalog.pg_publication pub JOIN pg_catalog.pg_publication_rel pr ON pub.oid = pr.prpubid
  JOIN pg_catalog.pg_class r ON r.oid = pr.prrelid
WHERE pr.prrelid = '{payment}' ORDER BY 1;
-- parents of a relation
SELECT r.oid::pg_catalog.regclass FROM pg_catalog.pg_class r, pg_catalog.pg_inherits h
WHERE r.oid = h.inhparent AND h.inhrelid = '{payment}' AND r.relkind <> 'p' AND r.relkind <> 'I'
ORDER BY h.inhseqno;
-- children of a relation
SELECT r.oid::pg_catalog.regclass, r.relkind, h.inhdetachpending, pg_catalog.pg_get_expr(r.relpartbound, r.oid)
FROM pg_catalog.pg_class r, pg_catalog.pg_inherits h
WHERE r.oid = h.inhrelid AND h.inhparent = '{payment}'
ORDER BY pg_catalog.pg_get_expr(r.relpartbound, r.oid) = 'DEFAULT', r.oid::pg_catalog.regclass::pg_catalog.text;
-- triggers of a relation
SELECT tr.tgname, pg_catalog.pg_get_triggerdef(tr.oid, true), tr.tgenabled, tr.tgisinternal,
  CASE WHEN tr.tgparentid != 0 THEN
    (SELECT up.tgrelid::pg_catalog.regclass FROM pg_catalog.pg_trigger AS up,
       pg_catalog.pg_partition_ancestors(tr.tgrelid) WITH ORDINALITY AS above(relid, depth)
     WHERE up.tgname = tr.tgname AND up.tgrelid = above.relid AND up.tgparentid = 0
     ORDER BY above.depth LIMIT 1) END AS parent
FROM pg_catalog.pg_trigger tr
WHERE tr.tgrelid = '{product}' AND (NOT tr.tgisinternal OR (tr.tgisinternal AND tr.tgenabled = 'D'))
ORDER BY 1;
-- schemas
SELECT ns.nspname AS "Name", pg_catalog.pg_get_userbyid(ns.nspowner) AS "Owner"
FROM pg_catalog.pg_namespace ns WHERE ns.nspname !~ '^pg_' AND ns.nspname <> 'information_schema' ORDER BY 1;
-- schemas with rights and comments
SELECT ns.nspname AS "Name", pg_catalog.pg_get_userbyid(ns.nspowner) AS "Owner",
  pg_catalog.array_to_string(ns.nspacl, E'\n') AS "Access privileges",
  pg_catalog.obj_description(ns.oid, 'pg_namespace') AS "Description"
FROM pg_catalog.pg_namespace ns ORDER BY 1;
-- rights of relations
SELECT ns.nspname AS "Schema", r.relname AS "Name", CASE r.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END AS "Type",
  pg_catalog.array_to_string(r.relacl, E'\n') AS "Access privileges",
  pg_catalog.array_to_string(ARRAY(
    SELECT attname || E':\n  ' || pg_catalog.array_to_string(attacl, E'\n  ')
    FROM pg_catalog.pg_attribute a WHERE attrelid = r.oid AND NOT attisdropped AND attacl IS NOT NULL), E'\n') AS "Column privileges"
FROM pg_catalog.pg_class r LEFT JOIN pg_catalog.pg_namespace ns ON ns.oid = r.relnamespace
WHERE r.relkind IN ('r','v','m','S','f','p') AND ns.nspname !~ '^pg_' AND pg_catalog.pg_table_is_visible(r.oid)
ORDER BY 1, 2;
-- indexes
SELECT ns.nspname AS "Schema", r.relname AS "Name", 'index' AS "Type", pg_catalog.pg_get_userbyid(r.relowner) AS "Owner", base.relname AS "Table"
FROM pg_catalog.pg_class r LEFT JOIN pg_catalog.pg_namespace ns ON ns.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_index ix ON ix.indexrelid = r.oid
  LEFT JOIN pg_catalog.pg_class base ON ix.indrelid = base.oid
WHERE r.relkind IN ('i','I','') AND ns.nspname !~ '^pg_toast' AND pg_catalog.pg_table_is_visible(r.oid) AND ns.nspname = 'c360'
ORDER BY 1, 2;
-- databases
SELECT db.datname AS "Name", pg_catalog.pg_get_userbyid(db.datdba) AS "Owner", pg_catalog.pg_encoding_to_char(db.encoding) AS "Encoding",
  db.datcollate AS "Collate", db.datctype AS "Ctype", db.daticulocale AS "ICU Locale",
  CASE db.datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' END AS "Locale Provider"
FROM pg_catalog.pg_database db WHERE db.datname = 'c360' ORDER BY 1;
-- roles
SELECT ro.rolname, ro.rolsuper, ro.rolinherit, ro.rolcreaterole, ro.rolcreatedb, ro.rolcanlogin, ro.rolconnlimit, ro.rolvaliduntil,
  ARRAY(SELECT up.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles up ON (m.roleid = up.oid) WHERE m.member = ro.oid) AS memberof,
  ro.rolreplication, ro.rolbypassrls
FROM pg_catalog.pg_roles ro WHERE ro.rolname !~ '^pg_' ORDER BY 1;
-- functions by name
SELECT ns.nspname AS "Schema", fn.proname AS "Name", pg_catalog.pg_get_function_result(fn.oid) AS "Result data type",
  pg_catalog.pg_get_function_arguments(fn.oid) AS "Argument data types",
  CASE fn.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END AS "Type"
FROM pg_catalog.pg_proc fn LEFT JOIN pg_catalog.pg_namespace ns ON ns.oid = fn.pronamespace
WHERE fn.proname OPERATOR(pg_catalog.~) '^(date_.*)$' COLLATE pg_catalog.default AND pg_catalog.pg_function_is_visible(fn.oid)
ORDER BY 1, 2, 4;
-- types
SELECT ns.nspname AS "Schema", pg_catalog.format_type(ty.oid, NULL) AS "Name", pg_catalog.obj_description(ty.oid, 'pg_type') AS "Description"
FROM pg_catalog.pg_type ty LEFT JOIN pg_catalog.pg_namespace ns ON ns.oid = ty.typnamespace
WHERE (ty.typrelid = 0 OR (SELECT r.relkind = 'c' FROM pg_catalog.pg_class r WHERE r.oid = ty.typrelid))
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type el WHERE el.oid = ty.typelem AND el.typarray = ty.oid)
  AND pg_catalog.pg_type_is_visible(ty.oid)
ORDER BY 1, 2;
-- setting by name
SELECT st.name AS "Parameter", pg_catalog.current_setting(st.name) AS "Value" FROM pg_catalog.pg_settings st
WHERE pg_catalog.lower(st.name) OPERATOR(pg_catalog.~) '^(work_mem)$' COLLATE pg_catalog.default ORDER BY 1;
-- casts
SELECT pg_catalog.format_type(ca.castsource, NULL) AS "Source", pg_catalog.format_type(ca.casttarget, NULL) AS "Target",
  CASE WHEN ca.castmethod = 'b' THEN '(binary coercible)' WHEN ca.castmethod = 'i' THEN '(with inout)' ELSE fn.proname END AS "Function",
  CASE WHEN ca.castcontext = 'e' THEN 'no' WHEN ca.castcontext = 'a' THEN 'in assignment' ELSE 'yes' END AS "Implicit?"
FROM pg_catalog.pg_cast ca LEFT JOIN pg_catalog.pg_proc fn ON ca.castfunc = fn.oid ORDER BY 1, 2;
