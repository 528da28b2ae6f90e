-- types by OID, recursively
--$ 1028 {1009,1016,26}
WITH RECURSIVE typeinfo_tree (oid, ns, name, kind, basetype, elemtype, elemdelim, range_subtype, attrtypoids, attrnames, depth) AS (
  SELECT ti.oid, ti.ns, ti.name, ti.kind, ti.basetype, ti.elemtype, ti.elemdelim, ti.range_subtype, ti.attrtypoids, ti.attrnames, 0
  FROM (SELECT t.oid AS oid, ns.nspname AS ns, t.typname AS name, t.typtype AS kind,
      (CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE NULL END) AS basetype, t.typelem AS elemtype, elem_t.typdelim AS elemdelim,
      range_t.rngsubtype AS range_subtype,
      (CASE WHEN t.typtype = 'c' THEN (SELECT array_agg(ia.atttypid ORDER BY ia.attnum) FROM pg_attribute ia INNER JOIN pg_class c ON (ia.attrelid = c.oid) WHERE ia.attnum > 0 AND NOT ia.attisdropped AND c.reltype = t.oid) ELSE NULL END) AS attrtypoids,
      (CASE WHEN t.typtype = 'c' THEN (SELECT array_agg(ia.attname::text ORDER BY ia.attnum) FROM pg_attribute ia INNER JOIN pg_class c ON (ia.attrelid = c.oid) WHERE ia.attnum > 0 AND NOT ia.attisdropped AND c.reltype = t.oid) ELSE NULL END) AS attrnames
    FROM pg_catalog.pg_type AS t INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace)
      LEFT JOIN pg_type elem_t ON (t.typlen = -1 AND t.typelem != 0 AND t.typelem = elem_t.oid) LEFT JOIN pg_range range_t ON (t.oid = range_t.rngtypid)) AS ti
  WHERE ti.oid = any($1::oid[])
  UNION ALL
  SELECT ti.oid, ns.nspname, ti.typname, ti.typtype, NULL, ti.typelem, ti.typdelim, NULL, NULL, NULL, tt.depth + 1
  FROM pg_catalog.pg_type ti JOIN pg_catalog.pg_namespace ns ON (ns.oid = ti.typnamespace), typeinfo_tree tt
  WHERE (tt.elemtype IS NOT NULL AND ti.oid = tt.elemtype))
SELECT DISTINCT oid, ns, name, kind, basetype, elemtype, elemdelim, range_subtype, attrtypoids, attrnames, depth FROM typeinfo_tree ORDER BY depth DESC;
-- type by name
--$ 25 int4
--$ 25 pg_catalog
SELECT t.oid, t.typelem AS elemtype, t.typtype AS kind FROM pg_catalog.pg_type AS t INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace) WHERE t.typname = $1 AND ns.nspname = $2;
-- all base types
SELECT oid, typname, typarray FROM pg_type WHERE typtype = 'b' AND typelem = 0 AND typnamespace = 'pg_catalog'::regnamespace ORDER BY oid;
-- types beyond the known
SELECT t.oid, t.typname, t.typtype::text, t.typbasetype, t.typarray FROM pg_type t LEFT JOIN pg_namespace nsp ON t.typnamespace = nsp.oid
WHERE t.typtype IN ('b','p','r','e') AND NOT EXISTS (SELECT 1 FROM pg_type el WHERE el.oid = t.typelem AND el.typarray = t.oid) AND nsp.nspname NOT IN ('information_schema') ORDER BY t.oid;
-- cast to a registered type
--$ 25 c360.customer
SELECT $1::regclass::oid, $1::regclass::text;
-- missing relation is NULL
SELECT to_regclass('no_such_relation'), to_regclass('payment')::text, to_regtype('no_such_type'), to_regtype('integer'), to_regnamespace('c360'), to_regnamespace('none');
-- missing relation is an error
SELECT 'no_such_relation'::regclass;
-- missing type is an error
SELECT 'no_such_type'::regtype;
-- missing schema is an error
SELECT 'none'::regnamespace;
-- missing catalog relation is an error
SELECT * FROM pg_catalog.pg_nothing;
-- missing column is an error
SELECT relnothing FROM pg_catalog.pg_class;
-- missing column of an alias is an error
SELECT c.relnothing FROM pg_catalog.pg_class c;
-- missing alias is an error
SELECT x.relname FROM pg_catalog.pg_class c;
-- missing function is an error
SELECT pg_catalog.pg_nothing(oid) FROM pg_catalog.pg_class;
-- ambiguous column is an error
SELECT oid FROM pg_class, pg_namespace;
-- unknown setting is an error
SELECT current_setting('no.such.setting');
-- unknown setting may be missing
SELECT current_setting('no.such.setting', true);
-- regtype by several spellings
SELECT 'int4'::regtype, 'integer'::regtype, 'timestamp with time zone'::regtype, '_text'::regtype, 'text[]'::regtype, '1043'::regtype;
-- regproc
SELECT 'array_in'::regproc, 'now'::regproc::oid, 0::regproc, 1299::regproc;
-- registered types in text
SELECT oid::regtype::text, typname::text, typarray::regtype, typinput::text FROM pg_type WHERE typname IN ('bool','int2vector','timestamptz','_aclitem','yes_or_no') ORDER BY typname;
