-- What PostgreSQL's functions about its catalog give here. A parameter may be any expression over the
-- relations of a question: names in here are of relations that nobody else calls so.

CREATE VIEW pg.pg_authid AS
    SELECT _r.* REPLACE (
        CASE WHEN _r.oid = 16384 THEN getvariable('rv_user') ELSE _r.rolname END AS rolname)
    FROM pg.pg_authid_rows AS _r;
CREATE VIEW pg.pg_database AS
    SELECT _r.* REPLACE (
        CASE WHEN _r.oid = 16385 THEN getvariable('rv_database') ELSE _r.datname END AS datname)
    FROM pg.pg_database_rows AS _r;

CREATE VIEW pg.pg_settings AS
    SELECT _r.* REPLACE (
        coalesce(map_extract_value(getvariable('rv_settings'), lower(_r.name)), _r.setting)
        AS setting)
    FROM pg.pg_settings_rows AS _r;

CREATE MACRO pg.rv_seen(_namespace) AS list_contains(getvariable('rv_path'), _namespace);
CREATE MACRO pg.rv_definition(_what, _oid, _number) AS
    (SELECT replace(_d.definition, chr(1),
                    CASE WHEN pg.rv_seen(getvariable('rv_schema')) THEN '' ELSE 'c360.' END)
     FROM pg.definitions AS _d
     WHERE _d.kind = _what AND _d.oid = _oid AND _d.number = _number);
CREATE MACRO pg.rv_type(_oid) AS
    (SELECT replace(_t.spelled, chr(1),
                    CASE WHEN pg.rv_seen(getvariable('rv_schema')) THEN '' ELSE 'c360.' END)
     FROM pg.rv_types AS _t WHERE _t.oid = _oid);
CREATE MACRO pg.quote_ident(_name) AS
    CASE WHEN regexp_full_match(_name, '[a-z_][a-z0-9_]*')
              AND NOT list_contains(getvariable('rv_reserved'), _name)
         THEN _name ELSE '"' || replace(_name, '"', '""') || '"' END;
CREATE MACRO pg.quote_literal(_text) AS
    CASE WHEN contains(_text, '\') THEN 'E''' ELSE '''' END
    || replace(replace(_text, '\', '\\'), '''', '''''') || '''';
CREATE MACRO pg.quote_nullable(_text) AS coalesce(pg.quote_literal(_text), 'NULL');

CREATE MACRO pg.pg_table_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.relnamespace) FROM pg.pg_class AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_type_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.typnamespace) FROM pg.pg_type AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_function_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.pronamespace) FROM pg.pg_proc AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_operator_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.oprnamespace) FROM pg.pg_operator AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_opclass_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.opcnamespace) FROM pg.pg_opclass AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_opfamily_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.opfnamespace) FROM pg.pg_opfamily AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_collation_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.collnamespace) FROM pg.pg_collation AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_conversion_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.connamespace) FROM pg.pg_conversion AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_ts_config_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.cfgnamespace) FROM pg.pg_ts_config AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_ts_dict_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.dictnamespace) FROM pg.pg_ts_dict AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_ts_parser_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.prsnamespace) FROM pg.pg_ts_parser AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_ts_template_is_visible(_oid) AS
    (SELECT pg.rv_seen(_c.tmplnamespace) FROM pg.pg_ts_template AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_statistics_obj_is_visible(_oid) AS CAST(NULL AS BOOLEAN);

CREATE MACRO pg.rv_qualified(_namespace, _name) AS
    CASE WHEN pg.rv_seen(_namespace) THEN '' ELSE
        (SELECT pg.quote_ident(_n.nspname) || '.' FROM pg.pg_namespace AS _n
         WHERE _n.oid = _namespace) END || pg.quote_ident(_name);
CREATE MACRO pg.regclass_out(_oid) AS
    CASE WHEN _oid = 0 THEN '-' ELSE coalesce(
        (SELECT pg.rv_qualified(_c.relnamespace, _c.relname) FROM pg.pg_class AS _c
         WHERE _c.oid = _oid), CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regtype_out(_oid) AS
    CASE WHEN _oid = 0 THEN '-' ELSE coalesce(pg.rv_type(_oid), CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regnamespace_out(_oid) AS
    CASE WHEN _oid = 0 THEN '-' ELSE coalesce(
        (SELECT pg.quote_ident(_n.nspname) FROM pg.pg_namespace AS _n WHERE _n.oid = _oid),
        CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regrole_out(_oid) AS
    CASE WHEN _oid = 0 THEN '-' ELSE coalesce(
        (SELECT pg.quote_ident(_n.rolname) FROM pg.pg_authid AS _n WHERE _n.oid = _oid),
        CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regproc_out(_oid) AS
    CASE WHEN _oid = 0 THEN '-' ELSE coalesce(
        (SELECT CASE WHEN pg.rv_seen(_p.pronamespace) AND _p.rv_is_only THEN '' ELSE
             (SELECT pg.quote_ident(_n.nspname) || '.' FROM pg.pg_namespace AS _n
              WHERE _n.oid = _p.pronamespace) END || pg.quote_ident(_p.proname)
         FROM pg.rv_functions AS _p WHERE _p.oid = _oid), CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regprocedure_out(_oid) AS
    CASE WHEN _oid = 0 THEN '-' ELSE coalesce(
        pg.rv_definition('procedure', _oid, 0), CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regoper_out(_oid) AS
    CASE WHEN _oid = 0 THEN '0' ELSE coalesce(
        (SELECT CASE WHEN _p.rv_is_only THEN '' ELSE 'pg_catalog.' END || _p.oprname
         FROM pg.rv_operators AS _p WHERE _p.oid = _oid), CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.rv_name(_text) AS
    list_transform(regexp_extract_all(_text, '"(?:[^"]|"")*"|[^."]+'), lambda _part:
        CASE WHEN starts_with(_part, '"')
             THEN replace(_part[2:len(_part) - 1], '""', '"') ELSE lower(trim(_part)) END);
CREATE MACRO pg.regclass_in(_text) AS
    CASE WHEN regexp_full_match(_text, '[0-9]+') THEN CAST(_text AS BIGINT) ELSE coalesce(
        (SELECT arg_min(_c.oid, list_position(getvariable('rv_path'), _c.relnamespace))
         FROM pg.rv_relations AS _c
         WHERE _c.relname = list_last(pg.rv_name(_text))
           AND (len(pg.rv_name(_text)) = 1 AND pg.rv_seen(_c.relnamespace)
                OR _c.nspname = list_extract(pg.rv_name(_text), len(pg.rv_name(_text)) - 1))),
        error('42P01 ' || _text)) END;
CREATE MACRO pg.to_regclass(_text) AS
    (SELECT arg_min(_c.oid, list_position(getvariable('rv_path'), _c.relnamespace))
     FROM pg.rv_relations AS _c
     WHERE _c.relname = list_last(pg.rv_name(_text))
       AND (len(pg.rv_name(_text)) = 1 AND pg.rv_seen(_c.relnamespace)
            OR _c.nspname = list_extract(pg.rv_name(_text), len(pg.rv_name(_text)) - 1)));
CREATE MACRO pg.to_regnamespace(_text) AS
    (SELECT _n.oid FROM pg.pg_namespace AS _n WHERE _n.nspname = list_last(pg.rv_name(_text)));
CREATE MACRO pg.regnamespace_in(_text) AS
    coalesce(pg.to_regnamespace(_text), error('3F000 ' || _text));
CREATE MACRO pg.to_regrole(_text) AS
    (SELECT _n.oid FROM pg.pg_authid AS _n WHERE _n.rolname = list_last(pg.rv_name(_text)));
CREATE MACRO pg.regrole_in(_text) AS coalesce(pg.to_regrole(_text), error('42704 ' || _text));
CREATE MACRO pg.to_regproc(_text) AS
    (SELECT CASE WHEN count(*) = 1 THEN min(_p.oid) END FROM pg.pg_proc AS _p
     WHERE _p.proname = list_last(pg.rv_name(_text)));
CREATE MACRO pg.regproc_in(_text) AS coalesce(pg.to_regproc(_text), error('42883 ' || _text));
CREATE MACRO pg.to_regtype(_text) AS
    (SELECT min(_t.oid) FROM pg.rv_types AS _t
     WHERE _t.spelled = lower(_text) OR _t.typname = list_last(pg.rv_name(_text))
       AND (len(pg.rv_name(_text)) = 1 AND pg.rv_seen(_t.typnamespace)
            OR _t.nspname = list_extract(pg.rv_name(_text), 1)));
CREATE MACRO pg.regtype_in(_text) AS
    CASE WHEN regexp_full_match(_text, '[0-9]+') THEN CAST(_text AS BIGINT)
         ELSE coalesce(pg.to_regtype(_text), error('42704 ' || _text)) END;

CREATE MACRO pg.format_type(_oid, _typmod) AS
    CASE WHEN _typmod IS NULL OR _typmod < 0 THEN
             CASE WHEN _oid = 1042 AND _typmod = -1 THEN 'bpchar' WHEN _oid = 0 THEN '-'
                  WHEN _oid IS NULL THEN NULL ELSE coalesce(pg.rv_type(_oid), '???') END
         WHEN _oid = 1700 THEN 'numeric(' || ((_typmod - 4) >> 16) || ',' || ((_typmod - 4) & 2047)
              || ')'
         WHEN _oid = 1231 THEN 'numeric(' || ((_typmod - 4) >> 16) || ',' || ((_typmod - 4) & 2047)
              || ')[]'
         WHEN _oid = 1043 THEN 'character varying(' || (_typmod - 4) || ')'
         WHEN _oid = 1042 THEN 'character(' || (_typmod - 4) || ')'
         WHEN _oid = 1114 THEN 'timestamp(' || _typmod || ') without time zone'
         WHEN _oid = 1184 THEN 'timestamp(' || _typmod || ') with time zone'
         WHEN _oid = 1083 THEN 'time(' || _typmod || ') without time zone'
         WHEN _oid = 1266 THEN 'time(' || _typmod || ') with time zone'
         WHEN _oid IN (1560, 1562) THEN pg.rv_type(_oid) || '(' || _typmod || ')'
         ELSE coalesce(pg.rv_type(_oid), '???') END;
CREATE MACRO pg.pg_get_constraintdef(_oid) AS pg.rv_definition('constraint', _oid, 0),
    (_oid, _pretty) AS coalesce(
        CASE WHEN _pretty THEN pg.rv_definition('constraint', _oid, 1) END,
        pg.rv_definition('constraint', _oid, 0));
CREATE MACRO pg.pg_get_indexdef(_oid) AS
    (SELECT replace(_d.definition, chr(1), 'c360.') FROM pg.definitions AS _d
     WHERE _d.kind = 'index' AND _d.oid = _oid AND _d.number = 0),
    (_oid, _number, _pretty) AS
    coalesce(
        CASE WHEN _number = 0 AND NOT _pretty THEN
            (SELECT replace(_d.definition, chr(1), 'c360.') FROM pg.definitions AS _d
             WHERE _d.kind = 'index' AND _d.oid = _oid AND _d.number = 0)
        ELSE pg.rv_definition('index', _oid, _number) END,
        (SELECT '' FROM pg.pg_index AS _i WHERE _i.indexrelid = _oid));
CREATE MACRO pg.pg_get_viewdef(_oid) AS pg.rv_definition('view', _oid, 0),
    (_oid, _pretty) AS pg.rv_definition('view', _oid, 0);
CREATE MACRO pg.pg_get_function_result(_oid) AS pg.rv_definition('result', _oid, 0);
CREATE MACRO pg.pg_get_function_arguments(_oid) AS pg.rv_definition('arguments', _oid, 0);
CREATE MACRO pg.pg_get_function_identity_arguments(_oid) AS pg.rv_definition('identity', _oid, 0);
CREATE MACRO pg.pg_get_ruledef(_oid) AS CAST(NULL AS VARCHAR),
    (_oid, _pretty) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_triggerdef(_oid) AS CAST(NULL AS VARCHAR),
    (_oid, _pretty) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_partkeydef(_oid) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_statisticsobjdef_columns(_oid) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_statisticsobjdef(_oid) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_serial_sequence(_table, _column) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_expr(_node, _table) AS CAST(_node AS VARCHAR),
    (_node, _table, _pretty) AS CAST(_node AS VARCHAR);
CREATE MACRO pg.pg_get_userbyid(_oid) AS
    CASE WHEN _oid IS NULL THEN NULL ELSE coalesce(
        (SELECT _r.rolname FROM pg.pg_authid AS _r WHERE _r.oid = _oid),
        'unknown (OID=' || _oid || ')') END;
CREATE MACRO pg.obj_description(_oid) AS
    (SELECT min(_d.description) FROM pg.pg_description AS _d
     WHERE _d.objoid = _oid AND _d.objsubid = 0),
    (_oid, _catalog) AS
    (SELECT _d.description FROM pg.pg_description AS _d
     JOIN pg.pg_class AS _c ON _c.oid = _d.classoid AND _c.relnamespace = 11
     WHERE _d.objoid = _oid AND _c.relname = _catalog AND _d.objsubid = 0);
CREATE MACRO pg.shobj_description(_oid, _catalog) AS
    (SELECT _d.description FROM pg.pg_shdescription AS _d
     JOIN pg.pg_class AS _c ON _c.oid = _d.classoid AND _c.relnamespace = 11
     WHERE _d.objoid = _oid AND _c.relname = _catalog);
CREATE MACRO pg.col_description(_oid, _number) AS
    (SELECT _d.description FROM pg.pg_description AS _d
     WHERE _d.objoid = _oid AND _d.classoid = 1259 AND _d.objsubid = _number);

CREATE MACRO pg.rv_granted(_acl, _wanted, _letters) AS
    list_bool_or(list_transform(string_split(_wanted, ','), lambda _right:
        list_bool_or(list_transform(_acl, lambda _item:
            starts_with(_item, '=') AND contains(string_split(_item, '/')[1],
                map_extract_value(_letters,
                    replace(upper(trim(_right)), ' WITH GRANT OPTION', '*')))))));
CREATE MACRO pg.rv_table_right(_oid, _wanted) AS
    (SELECT coalesce(pg.rv_granted(_c.relacl, _wanted, MAP {
        'SELECT': 'r', 'INSERT': 'a', 'UPDATE': 'w', 'DELETE': 'd', 'TRUNCATE': 'D',
        'REFERENCES': 'x', 'TRIGGER': 't'}), false)
     FROM pg.pg_class AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.rv_is_super(_role) AS
    (SELECT _r.rolsuper FROM pg.pg_authid AS _r
     WHERE CAST(_r.oid AS VARCHAR) = CAST(_role AS VARCHAR) OR _r.rolname = CAST(_role AS VARCHAR));
CREATE MACRO pg.has_table_privilege(_oid, _wanted) AS pg.rv_table_right(_oid, _wanted),
    (_role, _oid, _wanted) AS pg.rv_is_super(_role) OR pg.rv_table_right(_oid, _wanted);
CREATE MACRO pg.rv_column_right(_oid, _column, _wanted) AS
    pg.rv_table_right(_oid, _wanted) OR coalesce(
        (SELECT bool_or(pg.rv_granted(_a.attacl, _wanted, MAP {
             'SELECT': 'r', 'INSERT': 'a', 'UPDATE': 'w', 'REFERENCES': 'x'}))
         FROM pg.pg_attribute AS _a WHERE _a.attrelid = _oid AND _a.attacl IS NOT NULL
         AND (_column = '' OR _column IN (_a.attname, CAST(_a.attnum AS VARCHAR)))), false);
CREATE MACRO pg.has_any_column_privilege(_oid, _wanted) AS pg.rv_column_right(_oid, '', _wanted),
    (_role, _oid, _wanted) AS pg.rv_is_super(_role) OR pg.rv_column_right(_oid, '', _wanted);
CREATE MACRO pg.has_column_privilege(_oid, _column, _wanted) AS
    pg.rv_column_right(_oid, CAST(_column AS VARCHAR), _wanted),
    (_role, _oid, _column, _wanted) AS
    pg.rv_is_super(_role) OR pg.rv_column_right(_oid, CAST(_column AS VARCHAR), _wanted);
CREATE MACRO pg.has_sequence_privilege(_oid, _wanted) AS pg.rv_table_right(_oid, _wanted),
    (_role, _oid, _wanted) AS pg.rv_is_super(_role) OR pg.rv_table_right(_oid, _wanted);
CREATE MACRO pg.rv_schema_right(_oid, _wanted) AS
    (SELECT coalesce(pg.rv_granted(_c.nspacl, _wanted, MAP {'USAGE': 'U', 'CREATE': 'C'}), false)
     FROM pg.pg_namespace AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.has_schema_privilege(_oid, _wanted) AS pg.rv_schema_right(_oid, _wanted),
    (_role, _oid, _wanted) AS pg.rv_is_super(_role) OR pg.rv_schema_right(_oid, _wanted);
CREATE MACRO pg.rv_database_right(_wanted) AS
    regexp_matches(upper(_wanted), 'CONNECT|TEMP');
CREATE MACRO pg.has_database_privilege(_oid, _wanted) AS pg.rv_database_right(_wanted),
    (_role, _oid, _wanted) AS pg.rv_is_super(_role) OR pg.rv_database_right(_wanted);
CREATE MACRO pg.rv_function_right(_oid, _wanted) AS
    (SELECT coalesce(pg.rv_granted(_c.proacl, _wanted, MAP {'EXECUTE': 'X'}), _c.proacl IS NULL)
     FROM pg.pg_proc AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.has_function_privilege(_oid, _wanted) AS pg.rv_function_right(_oid, _wanted),
    (_role, _oid, _wanted) AS pg.rv_is_super(_role) OR pg.rv_function_right(_oid, _wanted);
CREATE MACRO pg.has_type_privilege(_oid, _wanted) AS _oid IS NOT NULL,
    (_role, _oid, _wanted) AS _oid IS NOT NULL;
CREATE MACRO pg.has_language_privilege(_oid, _wanted) AS _oid IS NOT NULL,
    (_role, _oid, _wanted) AS _oid IS NOT NULL;
CREATE MACRO pg.has_tablespace_privilege(_oid, _wanted) AS false,
    (_role, _oid, _wanted) AS pg.rv_is_super(_role);
CREATE MACRO pg.has_foreign_data_wrapper_privilege(_oid, _wanted) AS false,
    (_role, _oid, _wanted) AS pg.rv_is_super(_role);
CREATE MACRO pg.has_server_privilege(_oid, _wanted) AS false,
    (_role, _oid, _wanted) AS pg.rv_is_super(_role);
CREATE MACRO pg.pg_has_role(_role, _wanted) AS
    CAST(_role AS VARCHAR) IN ('16384', getvariable('rv_user')),
    (_member, _role, _wanted) AS
    pg.rv_is_super(_member) OR CAST(_member AS VARCHAR) = CAST(_role AS VARCHAR);
CREATE MACRO pg.acldefault(_kind, _owner) AS
    CASE _kind WHEN 'r' THEN ['roundview=arwdDxt/roundview'] WHEN 'n' THEN ['roundview=UC/roundview']
        WHEN 'f' THEN ['=X/roundview', 'roundview=X/roundview']
        WHEN 'd' THEN ['=Tc/roundview', 'roundview=CTc/roundview']
        WHEN 'T' THEN ['=U/roundview', 'roundview=U/roundview']
        WHEN 'l' THEN ['=U/roundview', 'roundview=U/roundview']
        WHEN 's' THEN ['roundview=rwU/roundview'] WHEN 'c' THEN CAST([] AS VARCHAR[])
        ELSE ['roundview=U/roundview'] END;
CREATE MACRO pg.aclexplode(_acl) AS
    flatten(list_transform(_acl, lambda _item:
        list_transform(regexp_extract_all(
            string_split(string_split(_item, '/')[1], '=')[2], '[a-zA-Z]\*?'), lambda _letter: {
            'grantor': map_extract_value(getvariable('rv_roles'), string_split(_item, '/')[2]),
            'grantee': coalesce(map_extract_value(getvariable('rv_roles'),
                                                  string_split(_item, '=')[1]), 0),
            'privilege_type': map_extract_value(MAP {
                'r': 'SELECT', 'a': 'INSERT', 'w': 'UPDATE', 'd': 'DELETE', 'D': 'TRUNCATE',
                'x': 'REFERENCES', 't': 'TRIGGER', 'X': 'EXECUTE', 'U': 'USAGE', 'C': 'CREATE',
                'T': 'TEMPORARY', 'c': 'CONNECT', 's': 'SET', 'A': 'ALTER SYSTEM'}, _letter[1]),
            'is_grantable': contains(_letter, '*')})));

CREATE MACRO pg._pg_expandarray(_list) AS
    list_transform(range(1, len(_list) + 1), lambda _at: {'x': _list[_at], 'n': CAST(_at AS INTEGER)});
CREATE MACRO pg._pg_char_max_length(_type, _typmod) AS
    CASE WHEN _typmod = -1 THEN NULL WHEN _type IN (1042, 1043) THEN _typmod - 4
         WHEN _type IN (1560, 1562) THEN _typmod END;
CREATE MACRO pg._pg_char_octet_length(_type, _typmod) AS
    CASE WHEN _type IN (25, 1042, 1043) THEN
        CASE WHEN _typmod = -1 THEN CAST(1073741824 AS INTEGER) ELSE (_typmod - 4) * 4 END END;
CREATE MACRO pg._pg_numeric_precision(_type, _typmod) AS
    CASE _type WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53
        WHEN 1700 THEN CASE WHEN _typmod = -1 THEN NULL ELSE ((_typmod - 4) >> 16) & 65535 END END;
CREATE MACRO pg._pg_numeric_precision_radix(_type, _typmod) AS
    CASE WHEN _type IN (21, 23, 20, 700, 701) THEN 2 WHEN _type = 1700 THEN 10 END;
CREATE MACRO pg._pg_numeric_scale(_type, _typmod) AS
    CASE WHEN _type IN (21, 23, 20) THEN 0
         WHEN _type = 1700 THEN CASE WHEN _typmod = -1 THEN NULL ELSE (_typmod - 4) & 2047 END END;
CREATE MACRO pg._pg_datetime_precision(_type, _typmod) AS
    CASE WHEN _type = 1082 THEN 0
         WHEN _type IN (1083, 1114, 1184, 1266) THEN
             CASE WHEN _typmod < 0 THEN 6 ELSE _typmod END
         WHEN _type = 1186 THEN
             CASE WHEN _typmod < 0 OR _typmod & 65535 = 65535 THEN 6 ELSE _typmod & 65535 END END;
CREATE MACRO pg._pg_interval_type(_type, _typmod) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg._pg_index_position(_index, _number) AS
    (SELECT list_position(_i.indkey, _number) FROM pg.pg_index AS _i WHERE _i.indexrelid = _index);

CREATE MACRO pg.row_security_active(_oid) AS CASE WHEN _oid IS NOT NULL THEN false END;
CREATE MACRO pg.nameconcatoid(_name, _oid) AS
    left(_name, 62 - length(CAST(_oid AS VARCHAR))) || '_' || CAST(_oid AS VARCHAR);
CREATE MACRO pg.regexp_match(_text, _pattern) AS
    CASE WHEN regexp_matches(_text, _pattern)
         THEN [regexp_extract(_text, _pattern, CASE WHEN contains(_pattern, '(') THEN 1 ELSE 0 END)]
    END;
CREATE MACRO pg.pg_encoding_to_char(_number) AS
    CASE _number WHEN 6 THEN 'UTF8' WHEN 0 THEN 'SQL_ASCII' ELSE '' END;
CREATE MACRO pg.pg_char_to_encoding(_name) AS
    CASE WHEN lower(_name) IN ('utf8', 'utf-8', 'unicode') THEN 6 ELSE -1 END;
CREATE MACRO pg.getdatabaseencoding() AS 'UTF8';
CREATE MACRO pg.pg_client_encoding() AS 'UTF8';
CREATE MACRO pg.pg_is_in_recovery() AS false;
CREATE MACRO pg.pg_is_other_temp_schema(_oid) AS false;
CREATE MACRO pg.pg_my_temp_schema() AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_relation_is_publishable(_oid) AS
    (SELECT _c.relkind = 'r' AND _c.oid >= 16384 FROM pg.pg_class AS _c WHERE _c.oid = _oid);
CREATE MACRO pg.pg_relation_is_updatable(_oid, _triggers) AS
    CASE WHEN (SELECT _c.relkind FROM pg.pg_class AS _c WHERE _c.oid = _oid) = 'r' THEN 28 ELSE 0 END;
CREATE MACRO pg.pg_column_is_updatable(_oid, _number, _triggers) AS
    coalesce((SELECT _c.relkind FROM pg.pg_class AS _c WHERE _c.oid = _oid) = 'r', false);
CREATE MACRO pg.pg_tablespace_location(_oid) AS '';
CREATE MACRO pg.pg_relation_size(_oid) AS CAST(0 AS BIGINT), (_oid, _fork) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_table_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_indexes_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_total_relation_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_database_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_tablespace_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_size_pretty(_size) AS
    CASE WHEN abs(_size) < 10240 THEN _size || ' bytes'
         WHEN abs(_size) < 10240 * 1024 THEN (_size + 512) // 1024 || ' kB'
         ELSE (_size + 524288) // 1048576 || ' MB' END;
CREATE MACRO pg.pg_index_column_has_property(_oid, _number, _property) AS
    CASE WHEN _property IN ('asc', 'nulls_last', 'orderable', 'returnable', 'search_array',
                            'search_nulls') THEN true
         WHEN _property IN ('desc', 'nulls_first', 'distance_orderable') THEN false END;
CREATE MACRO pg.pg_index_has_property(_oid, _property) AS
    CASE WHEN _property IN ('clusterable', 'index_scan', 'bitmap_scan', 'backward_scan')
         THEN true END;
CREATE MACRO pg.pg_indexam_has_property(_oid, _property) AS
    CASE WHEN _oid = 403 AND _property IN ('can_order', 'can_unique', 'can_multi_col',
                                           'can_exclude', 'can_include') THEN true END;
CREATE MACRO pg.inet_server_addr() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.inet_client_addr() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.inet_server_port() AS CAST(NULL AS INTEGER);
CREATE MACRO pg.inet_client_port() AS CAST(NULL AS INTEGER);
CREATE MACRO pg.pg_options_to_table(_options) AS
    list_transform(_options, lambda _one: {
        'option_name': string_split(_one, '=')[1], 'option_value': string_split(_one, '=')[2]});

CREATE MACRO pg.array_upper(_list, _dimension) AS
    CASE WHEN _dimension = 1 AND len(_list) > 0 THEN CAST(len(_list) AS INTEGER) END;
CREATE MACRO pg.array_lower(_list, _dimension) AS
    CASE WHEN _dimension = 1 AND len(_list) > 0 THEN CAST(1 AS INTEGER) END;
CREATE MACRO pg.array_length(_list, _dimension) AS
    CASE WHEN _dimension = 1 AND len(_list) > 0 THEN CAST(len(_list) AS INTEGER) END;
CREATE MACRO pg.array_ndims(_list) AS CASE WHEN len(_list) > 0 THEN 1 END;
CREATE MACRO pg.cardinality(_list) AS CAST(len(_list) AS INTEGER);
CREATE MACRO pg.array_to_string(_list, _between) AS
    CASE WHEN _list IS NULL OR _between IS NULL THEN NULL ELSE coalesce(array_to_string(list_filter(
        CAST(_list AS VARCHAR[]), lambda _one: _one IS NOT NULL), _between), '') END,
    (_list, _between, _null) AS
    CASE WHEN _list IS NULL OR _between IS NULL THEN NULL ELSE coalesce(array_to_string(
        list_transform(CAST(_list AS VARCHAR[]), lambda _one: coalesce(_one, _null)),
        _between), '') END;
CREATE MACRO pg.string_to_array(_text, _between) AS
    CASE WHEN _text = '' THEN CAST([] AS VARCHAR[]) ELSE string_split(_text, _between) END;
CREATE MACRO pg.parse_ident(_text) AS pg.rv_name(_text), (_text, _strict) AS pg.rv_name(_text);
CREATE MACRO pg.array_append(_list, _one) AS list_append(_list, _one);
CREATE MACRO pg.array_prepend(_one, _list) AS list_prepend(_one, _list);
CREATE MACRO pg.array_cat(_one, _other) AS list_concat(_one, _other);
CREATE MACRO pg.array_position(_list, _one) AS CAST(list_position(_list, _one) AS INTEGER);
CREATE MACRO pg.array_remove(_list, _one) AS list_filter(_list, lambda _item: _item <> _one);
CREATE MACRO pg.strpos(_text, _part) AS CAST(strpos(_text, _part) AS INTEGER);
CREATE MACRO pg.length(_text) AS CAST(length(_text) AS INTEGER);
CREATE MACRO pg.char_length(_text) AS CAST(length(_text) AS INTEGER);
CREATE MACRO pg.octet_length(_text) AS CAST(strlen(_text) AS INTEGER);
CREATE MACRO pg.split_part(_text, _between, _at) AS split_part(_text, _between, _at);
CREATE MACRO pg.btrim(_text) AS trim(_text, ' '), (_text, _signs) AS trim(_text, _signs);
CREATE MACRO pg.mod(_one, _other) AS _one % _other;
CREATE MACRO pg.rv_array_out(_list) AS
    CASE WHEN _list IS NULL THEN NULL ELSE '{' || coalesce(array_to_string(list_transform(
        CAST(_list AS VARCHAR[]), lambda _one:
            CASE WHEN _one IS NULL THEN 'NULL'
                 WHEN regexp_matches(_one, '[\s{}",\\]|^$|^(?i:null)$')
                 THEN '"' || replace(replace(_one, '\', '\\'), '"', '\"') || '"'
                 ELSE _one END), ','), '') || '}' END;
