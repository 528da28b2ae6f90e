-- three-part names
SELECT "c360"."pg_catalog"."pg_class"."relname" FROM "c360"."pg_catalog"."pg_class" WHERE "c360"."pg_catalog"."pg_class"."relname" = 'payment';
-- schemas that are seen
SELECT n.nspname AS "TABLE_SCHEM" FROM pg_catalog.pg_namespace n WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND n.nspname NOT LIKE 'pg\_%' ORDER BY 1;
-- kinds of relations
SELECT DISTINCT relkind::text FROM pg_catalog.pg_class WHERE relnamespace = 'c360'::regnamespace ORDER BY 1;
-- collation of the database
SELECT datcollate, datctype, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database();
-- probe for rows
SELECT 1 AS "one" FROM "pg_catalog"."pg_class" LIMIT 1;
-- sum over a catalog
SELECT SUM(1) AS "cnt:ok", COUNT(DISTINCT "c"."relkind") AS "ctd:kinds" FROM "pg_catalog"."pg_class" "c" WHERE "c"."relname" IN ('payment','customer') HAVING (COUNT(1) > 0);
-- subquery as a table
SELECT "t"."relname" AS "name" FROM (SELECT relname, relkind FROM pg_class WHERE relnamespace = 'c360'::regnamespace) "t" WHERE ("t"."relkind" = 'r') GROUP BY 1 ORDER BY 1 ASC NULLS FIRST LIMIT 5;
-- what joins what
SELECT fc.relname AS fk_table, fa.attname AS fk_column, pc.relname AS pk_table, pa.attname AS pk_column
FROM pg_constraint con JOIN pg_class fc ON fc.oid = con.conrelid JOIN pg_class pc ON pc.oid = con.confrelid
  CROSS JOIN LATERAL unnest(con.conkey, con.confkey) AS k(f, p)
  JOIN pg_attribute fa ON fa.attrelid = fc.oid AND fa.attnum = k.f JOIN pg_attribute pa ON pa.attrelid = pc.oid AND pa.attnum = k.p
WHERE con.contype = 'f' AND fc.relname = 'sales_order_product' ORDER BY 1, 2;
