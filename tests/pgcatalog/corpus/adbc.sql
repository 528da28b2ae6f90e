-- types with receive functions
SELECT attrelid, attname, atttypid FROM pg_catalog.pg_attribute WHERE attrelid = {payment} AND attnum > 0 ORDER BY attnum;
-- type resolver
SELECT oid, typname, typreceive, typbasetype, typrelid, typarray FROM pg_catalog.pg_type WHERE (typreceive != 0 OR typsend != 0) AND typtype != 'r' AND typreceive::TEXT != 'array_recv' AND typnamespace = 11;
-- receive functions as texts
SELECT oid, typname, typreceive::TEXT, typbasetype FROM pg_catalog.pg_type WHERE typtype IN ('b','d') AND typnamespace = 11 ORDER BY oid;
-- catalogs
SELECT datname FROM pg_catalog.pg_database WHERE datname = 'c360';
-- schemas
SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema';
-- tables
SELECT c.relname, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 't' THEN 'TOAST table' WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table' END AS reltype
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','v','m','t','f','p') AND pg_catalog.pg_table_is_visible(c.oid) AND n.nspname = 'c360';
-- columns
SELECT attr.attname, attr.attnum, pg_catalog.col_description(cls.oid, attr.attnum) FROM pg_catalog.pg_attribute AS attr INNER JOIN pg_catalog.pg_class AS cls ON attr.attrelid = cls.oid
  INNER JOIN pg_catalog.pg_namespace AS nsp ON nsp.oid = cls.relnamespace WHERE attr.attnum > 0 AND NOT attr.attisdropped AND nsp.nspname LIKE 'c360' AND cls.relname LIKE 'sales_order_product';
-- constraints
WITH fk_unnest AS (SELECT con.conname, 'FOREIGN KEY' AS contype, conrelid, unnest(con.conkey) AS conkey, confrelid, unnest(con.confkey) AS confkey
    FROM pg_catalog.pg_constraint AS con INNER JOIN pg_catalog.pg_class AS cls ON cls.oid = conrelid INNER JOIN pg_catalog.pg_namespace AS nsp ON nsp.oid = cls.relnamespace
    WHERE con.contype = 'f' AND nsp.nspname = 'c360' AND cls.relname = 'payment'),
  fk_names AS (SELECT fk_unnest.conname, fk_unnest.contype, fk_unnest.conkey, fk_unnest.confkey, attr.attname, fnsp.nspname AS fschema, fcls.relname AS ftable, fattr.attname AS fattname
    FROM fk_unnest INNER JOIN pg_catalog.pg_class AS cls ON cls.oid = fk_unnest.conrelid INNER JOIN pg_catalog.pg_class AS fcls ON fcls.oid = fk_unnest.confrelid
      INNER JOIN pg_catalog.pg_namespace AS fnsp ON fnsp.oid = fcls.relnamespace
      INNER JOIN pg_catalog.pg_attribute AS attr ON attr.attnum = fk_unnest.conkey AND attr.attrelid = fk_unnest.conrelid
      LEFT JOIN pg_catalog.pg_attribute AS fattr ON fattr.attnum = fk_unnest.confkey AND fattr.attrelid = fk_unnest.confrelid),
  fkeys AS (SELECT conname, contype, array_agg(attname ORDER BY conkey) AS colnames, fschema, ftable, array_agg(fattname ORDER BY confkey) AS fcolnames FROM fk_names GROUP BY conname, contype, fschema, ftable),
  other AS (SELECT con.conname, CASE con.contype WHEN 'c' THEN 'CHECK' WHEN 'u' THEN 'UNIQUE' WHEN 'p' THEN 'PRIMARY KEY' END AS contype, array_agg(attr.attname) AS colnames
    FROM pg_catalog.pg_constraint AS con CROSS JOIN unnest(conkey) AS conkeys INNER JOIN pg_catalog.pg_class AS cls ON cls.oid = con.conrelid
      INNER JOIN pg_catalog.pg_namespace AS nsp ON nsp.oid = cls.relnamespace INNER JOIN pg_catalog.pg_attribute AS attr ON attr.attnum = conkeys AND cls.oid = attr.attrelid
    WHERE con.contype IN ('c','u','p') AND nsp.nspname = 'c360' AND cls.relname = 'customer' GROUP BY con.conname, con.contype)
SELECT conname, contype, colnames, fschema, ftable, fcolnames FROM fkeys UNION ALL SELECT conname, contype, colnames, NULL, NULL, NULL FROM other;
-- statistics
WITH class AS (SELECT n.nspname, c.relname, c.reltuples, c.relkind FROM pg_class c INNER JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'c360' AND c.relkind IN ('r','p'))
SELECT s.tablename, s.attname, s.null_frac, s.avg_width, s.n_distinct, class.reltuples FROM pg_catalog.pg_stats AS s INNER JOIN class ON s.schemaname = class.nspname AND s.tablename = class.relname;
