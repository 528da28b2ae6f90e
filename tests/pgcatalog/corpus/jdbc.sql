-- keywords
SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{a,abs,absolute,action,ada,add,admin,after,all,allocate,alter,always,and,any,are}'::text[]);
-- schemas
SELECT nspname AS "TABLE_SCHEM", NULL AS "TABLE_CATALOG" FROM pg_catalog.pg_namespace
WHERE nspname <> 'pg_toast' AND (nspname !~ '^pg_temp_' OR nspname = (pg_catalog.current_schemas(true))[1])
  AND (nspname !~ '^pg_toast_temp_' OR nspname = replace((pg_catalog.current_schemas(true))[1], 'pg_temp_', 'pg_toast_temp_'))
ORDER BY "TABLE_SCHEM";
-- tables with their kinds
SELECT current_database() AS "TABLE_CAT", ns.nspname AS "TABLE_SCHEM", r.relname AS "TABLE_NAME",
  CASE ns.nspname ~ '^pg_' OR ns.nspname = 'information_schema'
    WHEN true THEN CASE WHEN ns.nspname = 'pg_catalog' OR ns.nspname = 'information_schema'
        THEN CASE r.relkind WHEN 'r' THEN 'SYSTEM TABLE' WHEN 'v' THEN 'SYSTEM VIEW' WHEN 'i' THEN 'SYSTEM INDEX' ELSE NULL END
        WHEN ns.nspname = 'pg_toast' THEN CASE r.relkind WHEN 'r' THEN 'SYSTEM TOAST TABLE' ELSE NULL END
        ELSE CASE r.relkind WHEN 'r' THEN 'TEMPORARY TABLE' ELSE NULL END END
    WHEN false THEN CASE r.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'i' THEN 'INDEX' WHEN 'v' THEN 'VIEW' ELSE NULL END
    ELSE NULL END AS "TABLE_TYPE",
  des.description AS "REMARKS", '' AS "TYPE_CAT", '' AS "TYPE_SCHEM", '' AS "TYPE_NAME", '' AS "SELF_REFERENCING_COL_NAME", '' AS "REF_GENERATION"
FROM pg_catalog.pg_namespace ns, pg_catalog.pg_class r
  LEFT JOIN pg_catalog.pg_description des ON (r.oid = des.objoid AND des.objsubid = 0 AND des.classoid = 'pg_class'::regclass)
WHERE r.relnamespace = ns.oid AND ns.nspname LIKE 'c360' AND (false OR (r.relkind = 'r' AND ns.nspname !~ '^pg_' AND ns.nspname <> 'information_schema'))
ORDER BY "TABLE_TYPE", "TABLE_SCHEM", "TABLE_NAME";
-- columns
SELECT * FROM (
  SELECT current_database() AS current_database, ns.nspname, r.relname, a.attname, a.atttypid,
    a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod,
    row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum,
    nullif(a.attidentity, '') AS attidentity, nullif(a.attgenerated, '') AS attgenerated,
    pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, des.description, t.typbasetype, t.typtype
  FROM pg_catalog.pg_namespace ns
    JOIN pg_catalog.pg_class r ON (r.relnamespace = ns.oid)
    JOIN pg_catalog.pg_attribute a ON (a.attrelid = r.oid)
    JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid)
    LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum)
    LEFT JOIN pg_catalog.pg_description des ON (r.oid = des.objoid AND a.attnum = des.objsubid)
    LEFT JOIN pg_catalog.pg_class dc ON (dc.oid = des.classoid AND dc.relname = 'pg_class')
    LEFT JOIN pg_catalog.pg_namespace dn ON (dc.relnamespace = dn.oid AND dn.nspname = 'pg_catalog')
  WHERE r.relkind IN ('r','p','v','f','m') AND a.attnum > 0 AND NOT a.attisdropped AND ns.nspname LIKE 'c360' AND r.relname LIKE 'sales%') c
WHERE true ORDER BY nspname, c.relname, attnum;
-- primary keys
SELECT result.table_cat AS "TABLE_CAT", result.table_schem AS "TABLE_SCHEM", result.table_name AS "TABLE_NAME", result.column_name AS "COLUMN_NAME",
  result.key_seq AS "KEY_SEQ", result.pk_name AS "PK_NAME"
FROM (SELECT current_database() AS table_cat, n.nspname AS table_schem, ct.relname AS table_name, a.attname AS column_name,
    (information_schema._pg_expandarray(i.indkey)).n AS key_seq, ci.relname AS pk_name,
    information_schema._pg_expandarray(i.indkey) AS keys, a.attnum AS a_attnum
  FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid)
    JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid)
    JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid)
    JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
  WHERE true AND n.nspname = 'c360' AND ct.relname = 'individual' AND i.indisprimary) result
WHERE result.a_attnum = (result.keys).x
ORDER BY result.table_name, result.pk_name, result.key_seq;
-- foreign keys
SELECT NULL::text AS "PKTABLE_CAT", pkn.nspname AS "PKTABLE_SCHEM", pkc.relname AS "PKTABLE_NAME", pka.attname AS "PKCOLUMN_NAME",
  NULL::text AS "FKTABLE_CAT", fkn.nspname AS "FKTABLE_SCHEM", fkc.relname AS "FKTABLE_NAME", fka.attname AS "FKCOLUMN_NAME",
  pos.n AS "KEY_SEQ",
  CASE con.confupdtype WHEN 'c' THEN 0 WHEN 'n' THEN 2 WHEN 'd' THEN 4 WHEN 'r' THEN 1 WHEN 'p' THEN 1 WHEN 'a' THEN 3 ELSE NULL END AS "UPDATE_RULE",
  CASE con.confdeltype WHEN 'c' THEN 0 WHEN 'n' THEN 2 WHEN 'd' THEN 4 WHEN 'r' THEN 1 WHEN 'p' THEN 1 WHEN 'a' THEN 3 ELSE NULL END AS "DELETE_RULE",
  con.conname AS "FK_NAME", pkic.relname AS "PK_NAME",
  CASE WHEN con.condeferrable AND con.condeferred THEN 5 WHEN con.condeferrable THEN 6 ELSE 7 END AS "DEFERRABILITY"
FROM pg_catalog.pg_namespace pkn, pg_catalog.pg_class pkc, pg_catalog.pg_attribute pka,
  pg_catalog.pg_namespace fkn, pg_catalog.pg_class fkc, pg_catalog.pg_attribute fka,
  pg_catalog.pg_constraint con, pg_catalog.generate_series(1, 32) pos(n), pg_catalog.pg_class pkic
WHERE pkn.oid = pkc.relnamespace AND pkc.oid = pka.attrelid AND pka.attnum = con.confkey[pos.n] AND con.confrelid = pkc.oid
  AND fkn.oid = fkc.relnamespace AND fkc.oid = fka.attrelid AND fka.attnum = con.conkey[pos.n] AND con.conrelid = fkc.oid
  AND con.contype = 'f' AND (pkic.relkind = 'i' OR pkic.relkind = 'I') AND pkic.oid = con.conindid AND fkc.relname = 'payment'
ORDER BY pkn.nspname, pkc.relname, con.conname, pos.n;
-- indexes
SELECT tmp.table_cat AS "TABLE_CAT", tmp.table_schem AS "TABLE_SCHEM", tmp.table_name AS "TABLE_NAME", tmp.non_unique AS "NON_UNIQUE",
  tmp.index_name AS "INDEX_NAME", tmp.type AS "TYPE", tmp.ordinal_position AS "ORDINAL_POSITION",
  trim(both '"' from pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.ordinal_position, false)) AS "COLUMN_NAME",
  CASE tmp.am_name WHEN 'btree' THEN CASE tmp.i_indoption[tmp.ordinal_position - 1] & 1::smallint WHEN 1 THEN 'D' ELSE 'A' END ELSE NULL END AS "ASC_OR_DESC",
  tmp.filter_condition AS "FILTER_CONDITION"
FROM (SELECT NULL AS table_cat, n.nspname AS table_schem, ct.relname AS table_name, NOT i.indisunique AS non_unique, NULL AS index_qualifier,
    ci.relname AS index_name, CASE i.indisclustered WHEN true THEN 1 ELSE CASE am.amname WHEN 'hash' THEN 2 ELSE 3 END END AS type,
    (information_schema._pg_expandarray(i.indkey)).n AS ordinal_position, ci.oid AS ci_oid, i.indoption AS i_indoption, am.amname AS am_name,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS filter_condition
  FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid)
    JOIN pg_catalog.pg_index i ON (ct.oid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
    JOIN pg_catalog.pg_am am ON (ci.relam = am.oid)
  WHERE true AND n.nspname = 'c360' AND ct.relname = 'customer') AS tmp
ORDER BY "NON_UNIQUE", "TYPE", "INDEX_NAME", "ORDINAL_POSITION";
-- a type by name
--$ 1043 timestamptz
SELECT ty.typinput = 'pg_catalog.array_in'::regproc AS is_array, ty.typtype, ty.typname, ty.oid FROM pg_catalog.pg_type ty
  LEFT JOIN (SELECT ns.oid AS nspoid, ns.nspname, r.r FROM pg_catalog.pg_namespace AS ns
    JOIN (SELECT s.r, (current_schemas(false))[s.r] AS nspname FROM generate_series(1, array_upper(current_schemas(false), 1)) AS s(r)) AS r USING (nspname)) AS sp
  ON sp.nspoid = ty.typnamespace
WHERE ty.typname = $1 ORDER BY sp.r, ty.oid DESC;
-- a type by OID
--$ 26 1114
SELECT ns.nspname = ANY (current_schemas(true)), ns.nspname, ty.typname FROM pg_catalog.pg_type ty
  JOIN pg_catalog.pg_namespace ns ON ty.typnamespace = ns.oid WHERE ty.oid = $1;
-- array delimiters
--$ 23 1009
SELECT el.typdelim FROM pg_catalog.pg_type ty, pg_catalog.pg_type el WHERE ty.typelem = el.oid AND ty.oid = $1;
-- element of an array
SELECT el.oid, ns.nspname = ANY (current_schemas(true)), ns.nspname, el.typname FROM pg_catalog.pg_type ty
  JOIN pg_catalog.pg_type el ON ty.typelem = el.oid JOIN pg_catalog.pg_namespace ns ON ty.typnamespace = ns.oid WHERE ty.oid = 1016;
-- types
SELECT t.typname, t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON (t.typnamespace = n.oid)
WHERE n.nspname <> 'pg_toast' AND (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) AND n.nspname = 'pg_catalog';
-- rights on a table
SELECT n.nspname, c.relname, r.rolname, c.relacl FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c, pg_catalog.pg_roles r
WHERE c.relnamespace = n.oid AND c.relowner = r.oid AND c.relkind IN ('r','p','v','m','f') AND n.nspname = 'c360' AND c.relname = 'payment' ORDER BY 1, 2;
-- rights on columns
SELECT n.nspname, c.relname, r.rolname, c.relacl, a.attacl, a.attname FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c, pg_catalog.pg_roles r, pg_catalog.pg_attribute a
WHERE c.relnamespace = n.oid AND c.relowner = r.oid AND c.oid = a.attrelid AND c.relkind IN ('r','p','v','m','f') AND a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname = 'c360' AND c.relname = 'payment' ORDER BY a.attname;
-- functions
SELECT current_database() AS "FUNCTION_CAT", n.nspname AS "FUNCTION_SCHEM", p.proname AS "FUNCTION_NAME", d.description AS "REMARKS",
  CASE WHEN (format_type(p.prorettype, NULL) = 'unknown') THEN 0 WHEN (substring(pg_get_function_result(p.oid) from 0 for 6) = 'TABLE') OR (substring(pg_get_function_result(p.oid) from 0 for 6) = 'SETOF') THEN 2 ELSE 1 END AS "FUNCTION_TYPE",
  p.proname || '_' || p.oid AS "SPECIFIC_NAME"
FROM pg_catalog.pg_proc p INNER JOIN pg_catalog.pg_namespace n ON p.pronamespace = n.oid LEFT JOIN pg_catalog.pg_description d ON p.oid = d.objoid
WHERE p.prokind = 'f' AND n.nspname LIKE 'pg_catalog' AND p.proname LIKE 'array\_%' ORDER BY "FUNCTION_SCHEM", "FUNCTION_NAME", p.oid::text;
-- parameters of functions
SELECT n.nspname, p.proname, p.prorettype, p.proargtypes, t.typtype, t.typrelid, p.proargnames, p.proargmodes, p.proallargtypes, p.oid
FROM pg_catalog.pg_proc p, pg_catalog.pg_namespace n, pg_catalog.pg_type t
WHERE p.pronamespace = n.oid AND p.prorettype = t.oid AND p.proname LIKE 'aclexplode' ORDER BY n.nspname, p.proname, p.oid::text;
-- best row identifier
SELECT a.attname, a.atttypid, a.atttypmod FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid)
  JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid)
  JOIN (SELECT i.indexrelid, i.indrelid, i.indisprimary, information_schema._pg_expandarray(i.indkey) AS keys FROM pg_catalog.pg_index i) i
    ON (a.attnum = (i.keys).x AND a.attrelid = i.indrelid)
WHERE true AND n.nspname = 'c360' AND ct.relname = 'payment' AND i.indisprimary ORDER BY a.attnum;
-- biggest name
SELECT t.typlen FROM pg_catalog.pg_type t, pg_catalog.pg_namespace n WHERE t.typnamespace = n.oid AND t.typname = 'name' AND n.nspname = 'pg_catalog';
-- identity and auto increment of result columns
SELECT c.oid, a.attnum, a.attname, c.relname, n.nspname,
  a.attnotnull OR (t.typtype = 'd' AND t.typnotnull), a.attidentity != '' OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%'
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (c.oid = a.attrelid)
  JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef d ON (d.adrelid = a.attrelid AND d.adnum = a.attnum)
  JOIN (SELECT {payment} AS oid, 1 AS attnum UNION ALL SELECT {payment}, 2) vals ON (c.oid = vals.oid AND a.attnum = vals.attnum);
-- databases
SELECT datname AS "TABLE_CAT" FROM pg_catalog.pg_database WHERE datallowconn = true AND datname = current_database() ORDER BY datname;
-- client info
SELECT current_setting('transaction_isolation'), current_setting('application_name') = '', current_schema();
