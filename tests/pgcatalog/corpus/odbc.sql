-- tables with owner
SELECT relname, nspname, relkind FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n
WHERE relkind IN ('r','v','m','f','p') AND nspname NOT IN ('pg_catalog','information_schema','pg_toast','pg_temp_1') AND n.oid = relnamespace ORDER BY nspname, relname;
-- columns with everything
SELECT n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid,
  pg_get_expr(d.adbin, d.adrelid), CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE 0 END, t.typtypmod, 0, attidentity, c.relhassubclass
FROM (((pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND c.oid = {individual})
  INNER JOIN pg_catalog.pg_attribute a ON (NOT a.attisdropped) AND a.attnum > 0 AND a.attrelid = c.oid)
  INNER JOIN pg_catalog.pg_type t ON t.oid = a.atttypid)
  LEFT OUTER JOIN pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
ORDER BY n.nspname, c.relname, attnum;
-- columns by name pattern
SELECT n.nspname, c.relname, a.attname, a.atttypid, t.typname FROM ((pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND c.relname LIKE 'customer%' AND n.nspname LIKE 'c360')
  INNER JOIN pg_catalog.pg_attribute a ON NOT a.attisdropped AND a.attnum > 0 AND a.attrelid = c.oid) INNER JOIN pg_catalog.pg_type t ON t.oid = a.atttypid ORDER BY n.nspname, c.relname, a.attnum;
-- primary keys by position
SELECT ta.attname, ia.attnum, ic.relname, n.nspname, tc.relname
FROM pg_catalog.pg_attribute ta, pg_catalog.pg_attribute ia, pg_catalog.pg_class tc, pg_catalog.pg_index i, pg_catalog.pg_namespace n, pg_catalog.pg_class ic
WHERE tc.relname = 'sales_order' AND n.nspname = 'c360' AND tc.oid = i.indrelid AND n.oid = tc.relnamespace AND i.indisprimary = 't'
  AND ia.attrelid = i.indexrelid AND ta.attrelid = i.indrelid AND ta.attnum = i.indkey[ia.attnum - 1] AND (NOT ta.attisdropped) AND (NOT ia.attisdropped) AND ic.oid = i.indexrelid
ORDER BY ia.attnum;
-- indexes for statistics
SELECT c.relname, i.indkey, i.indisunique, i.indisclustered, a.amname, c.relhasrules, n.nspname, c.oid, d.relhasrules, i.indoption
FROM pg_catalog.pg_index i, pg_catalog.pg_class c, pg_catalog.pg_class d, pg_catalog.pg_am a, pg_catalog.pg_namespace n
WHERE d.relname = 'individual' AND n.nspname = 'c360' AND n.oid = d.relnamespace AND d.oid = i.indrelid AND i.indexrelid = c.oid AND c.relam = a.oid
ORDER BY i.indisprimary DESC, i.indisunique, n.nspname, c.relname;
-- an index's column beyond its end
SELECT pg_get_indexdef(i.indexrelid, 9, true) FROM pg_catalog.pg_index i WHERE i.indrelid = {individual} AND i.indisprimary;
-- an index's columns
SELECT pg_get_indexdef(i.indexrelid, 1, true), pg_get_indexdef(i.indexrelid, 2, false), pg_get_indexdef(i.indexrelid, 0, false), pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i WHERE i.indrelid = {individual} ORDER BY 3;
-- nothing where there is no such index
SELECT pg_get_indexdef(1, 1, true) IS NULL;
-- foreign keys with catalogs
SELECT 'c360'::name AS "PKTABLE_CAT", n2.nspname AS "PKTABLE_SCHEM", c2.relname AS "PKTABLE_NAME", a2.attname AS "PKCOLUMN_NAME",
  'c360'::name AS "FKTABLE_CAT", n1.nspname AS "FKTABLE_SCHEM", c1.relname AS "FKTABLE_NAME", a1.attname AS "FKCOLUMN_NAME",
  i::int2 AS "KEY_SEQ",
  CASE ref.confupdtype WHEN 'c' THEN 0::int2 WHEN 'n' THEN 2::int2 WHEN 'd' THEN 4::int2 WHEN 'r' THEN 1::int2 ELSE 3::int2 END AS "UPDATE_RULE",
  ref.conname AS "FK_NAME", cn.conname AS "PK_NAME",
  CASE WHEN ref.condeferrable THEN CASE WHEN ref.condeferred THEN 5::int2 ELSE 6::int2 END ELSE 7::int2 END AS "DEFERRABLITY"
FROM ((((((((SELECT cn.oid, conrelid, conkey, confrelid, confkey, generate_series(array_lower(conkey, 1), array_upper(conkey, 1)) AS i,
      confupdtype, confdeltype, conname, condeferrable, condeferred
    FROM pg_catalog.pg_constraint cn, pg_catalog.pg_class c, pg_catalog.pg_namespace n
    WHERE contype = 'f' AND conrelid = c.oid AND relname = 'payment' AND n.oid = c.relnamespace AND n.nspname = 'c360') ref
  INNER JOIN pg_catalog.pg_class c1 ON c1.oid = ref.conrelid) INNER JOIN pg_catalog.pg_namespace n1 ON n1.oid = c1.relnamespace)
  INNER JOIN pg_catalog.pg_attribute a1 ON a1.attrelid = c1.oid AND a1.attnum = conkey[i])
  INNER JOIN pg_catalog.pg_class c2 ON c2.oid = ref.confrelid) INNER JOIN pg_catalog.pg_namespace n2 ON n2.oid = c2.relnamespace)
  INNER JOIN pg_catalog.pg_attribute a2 ON a2.attrelid = c2.oid AND a2.attnum = confkey[i])
  LEFT OUTER JOIN pg_catalog.pg_constraint cn ON cn.conrelid = ref.confrelid AND cn.contype = 'p')
ORDER BY ref.oid, ref.i;
-- large objects
SELECT oid, typbasetype FROM pg_catalog.pg_type WHERE typname = 'lo';
-- procedures
SELECT proname, proretset, prorettype, pronargs, proargtypes, nspname, p.oid, atttypid, attname, proargnames, proargmodes, proallargtypes
FROM ((pg_catalog.pg_namespace n INNER JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid) INNER JOIN pg_type t ON t.oid = p.prorettype)
  LEFT OUTER JOIN pg_attribute a ON a.attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
WHERE has_function_privilege(p.oid, 'EXECUTE') AND nspname = 'pg_catalog' AND proname LIKE 'array\_a%' ORDER BY nspname, proname, p.oid::text, attnum;
-- rights of a table
SELECT relname, usename, relacl, nspname FROM pg_catalog.pg_namespace n, pg_catalog.pg_class, pg_catalog.pg_user
WHERE nspname = 'c360' AND relname = 'payment' AND n.oid = relnamespace AND relkind IN ('r','v','m','f','p') AND relname !~ '^pg_|^dd_' AND relowner = usesysid ORDER BY 1;
-- users
SELECT usename, usesysid, usesuper FROM pg_catalog.pg_user ORDER BY usename;
-- max identifier
SELECT typlen FROM pg_catalog.pg_type WHERE typname = 'name';
-- is there an OID column
SELECT relhasindex, relkind, relnatts FROM pg_catalog.pg_class WHERE oid = 'payment'::regclass;
-- vectors of keys
SELECT indrelid, indkey, indclass, indoption, indcollation FROM pg_catalog.pg_index WHERE indrelid = 'c360.payment'::regclass;
