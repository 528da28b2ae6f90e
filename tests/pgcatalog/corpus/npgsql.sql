-- types with their receive functions
SELECT ns.nspname, a.typname, a.oid, a.typbasetype,
  CASE WHEN pg_proc.proname = 'array_recv' THEN 'a' ELSE a.typtype END AS typtype,
  CASE WHEN pg_proc.proname = 'array_recv' THEN a.typelem WHEN a.typtype = 'r' THEN rngsubtype ELSE 0 END AS typelem,
  CASE WHEN pg_proc.proname IN ('array_recv','oidvectorrecv') THEN 3 WHEN a.typtype = 'r' THEN 2 WHEN a.typtype = 'd' THEN 1 ELSE 0 END AS ord
FROM pg_catalog.pg_type AS a
  JOIN pg_catalog.pg_namespace AS ns ON (ns.oid = a.typnamespace)
  JOIN pg_catalog.pg_proc ON pg_proc.oid = a.typreceive
  LEFT OUTER JOIN pg_catalog.pg_class AS cls ON (cls.oid = a.typrelid)
  LEFT OUTER JOIN pg_catalog.pg_type AS b ON (b.oid = a.typelem)
  LEFT OUTER JOIN pg_catalog.pg_class AS elemcls ON (elemcls.oid = b.typrelid)
  LEFT OUTER JOIN pg_catalog.pg_range ON (pg_range.rngtypid = a.oid)
WHERE a.typtype IN ('b','r','e','d') OR (a.typtype = 'c' AND cls.relkind = 'c')
  OR (pg_proc.proname = 'array_recv' AND (b.typtype IN ('b','r','e','d') OR (b.typtype = 'p' AND b.typname IN ('record','void')) OR (b.typtype = 'c' AND elemcls.relkind = 'c')))
  OR (a.typtype = 'p' AND a.typname IN ('record','void'))
ORDER BY ord;
-- types of the newer driver
SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid
FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname,
    elemcls.relkind AS elemrelkind, CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype
  FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid,
      CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype,
      CASE WHEN proc.proname = 'array_recv' THEN typ.typelem WHEN typ.typtype = 'r' THEN rngsubtype
        WHEN typ.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid) WHEN typ.typtype = 'd' THEN typ.typbasetype END AS elemtypoid
    FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)) AS typ
  LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid) LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive) AS t
  JOIN pg_namespace AS ns ON (ns.oid = typnamespace)
WHERE typtype IN ('b','r','m','e','d') OR (typtype = 'c' AND relkind = 'c') OR (typtype = 'p' AND typname IN ('record','void','unknown'))
  OR (typtype = 'a' AND (elemtyptype IN ('b','r','m','e','d') OR (elemtyptype = 'p' AND elemtypname IN ('record','void')) OR (elemtyptype = 'c' AND elemrelkind = 'c')))
ORDER BY CASE WHEN typtype IN ('b','e','p') THEN 0 WHEN typtype = 'c' THEN 1 WHEN typtype = 'r' THEN 2 WHEN typtype = 'm' THEN 3 WHEN typtype = 'd' AND elemtyptype <> 'a' THEN 4 WHEN typtype = 'a' THEN 5 ELSE 6 END;
-- composite types
SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace)
  JOIN pg_class AS cls ON (cls.oid = typ.typrelid) JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid)
WHERE (typ.typtype = 'c' AND cls.relkind = 'c') AND attnum > 0 AND NOT attisdropped ORDER BY typ.oid, att.attnum;
-- enums
SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid ORDER BY oid, enumsortorder;
-- character sets
SELECT character_set_name, default_collate_schema FROM information_schema.character_sets;
-- tables of the information schema
SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables WHERE table_type IN ('BASE TABLE','VIEW') AND table_schema NOT IN ('pg_catalog','information_schema') ORDER BY 2, 3;
-- columns for schema collections
SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, udt_name AS data_type, data_type AS plain, is_nullable,
  character_maximum_length, character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision,
  character_set_catalog, character_set_schema, character_set_name, collation_catalog
FROM information_schema.columns WHERE table_schema = 'c360' AND table_name IN ('payment','customer') ORDER BY table_name, ordinal_position;
-- foreign key columns for relationships
SELECT pkcol.column_name AS pk_column, fkcol.table_schema, fkcol.table_name, fkcol.column_name AS fk_column, fkcol.ordinal_position AS ordinal,
  fkcon.constraint_schema || '_' || fkcol.table_name || '_' || 'customer' || '_' || fkcon.constraint_name AS fk_name
FROM (SELECT DISTINCT constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_catalog, unique_constraint_name FROM information_schema.referential_constraints) fkcon
  INNER JOIN information_schema.key_column_usage fkcol ON fkcon.constraint_schema = fkcol.constraint_schema AND fkcon.constraint_name = fkcol.constraint_name
  INNER JOIN information_schema.key_column_usage pkcol ON fkcon.unique_constraint_schema = pkcol.constraint_schema AND fkcon.unique_constraint_name = pkcol.constraint_name
WHERE pkcol.table_schema = 'c360' AND pkcol.table_name = 'customer' AND pkcol.ordinal_position = fkcol.ordinal_position ORDER BY fk_name, fkcol.ordinal_position;
-- primary key columns for relationships
SELECT i.constraint_schema || '_' || i.constraint_name AS index_name, ii.column_name, ii.ordinal_position, CASE WHEN i.constraint_type = 'PRIMARY KEY' THEN 'Y' ELSE 'N' END AS primary_key
FROM information_schema.table_constraints i INNER JOIN information_schema.key_column_usage ii ON i.constraint_schema = ii.constraint_schema AND i.constraint_name = ii.constraint_name AND i.table_schema = ii.table_schema AND i.table_name = ii.table_name
WHERE i.table_schema = 'c360' AND i.table_name = 'sales_order' AND i.constraint_type IN ('PRIMARY KEY','UNIQUE')
ORDER BY i.constraint_schema || '_' || i.constraint_name, ii.table_schema, ii.table_name, ii.ordinal_position;
-- is it in recovery
SELECT pg_is_in_recovery();
-- column schema of a result
SELECT typ.typname, attname, attnum, attrelid, typ.oid AS typoid, atttypmod, attnotnull, attidentity != '' AS isidentity,
  CASE WHEN typ.typtype = 'd' THEN typ.typtypmod ELSE atttypmod END AS typmod,
  CASE WHEN atthasdef THEN (SELECT pg_get_expr(adbin, cls.oid) FROM pg_attrdef WHERE adrelid = cls.oid AND adnum = attr.attnum) ELSE NULL END AS default,
  CASE WHEN col.is_updatable = 'YES' THEN true ELSE false END AS is_updatable,
  EXISTS (SELECT * FROM pg_index WHERE pg_index.indrelid = cls.oid AND pg_index.indisprimary AND attnum = ANY (indkey)) AS isprimarykey,
  EXISTS (SELECT * FROM pg_index WHERE pg_index.indrelid = cls.oid AND pg_index.indisunique AND pg_index.indnkeyatts = 1 AND attnum = pg_index.indkey[0]) AS isunique
FROM pg_attribute AS attr JOIN pg_type AS typ ON attr.atttypid = typ.oid JOIN pg_class AS cls ON cls.oid = attr.attrelid JOIN pg_namespace AS ns ON ns.oid = cls.relnamespace
  LEFT OUTER JOIN information_schema.columns AS col ON col.table_schema = nspname AND col.table_name = relname AND col.column_name = attname
WHERE atttypid <> 0 AND relkind IN ('r','v','m') AND NOT attisdropped AND nspname NOT IN ('pg_catalog','information_schema') AND attnum > 0
  AND ((attr.attrelid = {customer} AND attr.attnum = 1) OR (attr.attrelid = {payment} AND attr.attnum = 5)) ORDER BY attnum;
