-- version
SELECT current_setting('server_version_num')::int/100 AS version;
-- tables in the search path
SELECT CASE WHEN quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
    FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s)
  THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
FROM information_schema.tables
WHERE quote_ident(table_schema) NOT IN ('information_schema','pg_catalog','_timescaledb_cache','_timescaledb_catalog') AND table_type IN ('BASE TABLE','VIEW') ORDER BY 1;
-- columns of a table in the search path
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns
WHERE CASE WHEN array_length(parse_ident('payment'), 1) = 2
  THEN quote_ident(table_schema) = (parse_ident('payment'))[1] AND quote_ident(table_name) = (parse_ident('payment'))[2]
  ELSE quote_ident(table_name) = 'payment' AND quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
    FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s) END;
-- columns of a qualified table
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns
WHERE quote_ident(table_schema) = (parse_ident('c360.customer'))[1] AND quote_ident(table_name) = (parse_ident('c360.customer'))[2];
-- parts of a name
SELECT parse_ident('"Some Schema".t'), (parse_ident('a.b'))[2], array_length(parse_ident('a.b.c'), 1);
-- schemas
SELECT quote_ident(schema_name) AS schema FROM information_schema.schemata WHERE schema_name NOT LIKE 'pg\_%' ORDER BY 1;
-- extensions
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';
-- quoting
SELECT quote_ident('select'), quote_ident('plain'), quote_ident('Upper'), quote_ident('a"b'), quote_literal('it''s'), quote_literal('a\b'), quote_nullable(NULL);
