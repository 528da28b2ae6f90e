"""Decides what the tables of a source are: what it says of itself, declarations and claims."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import available_timezones

from roundview_catalog import schema_file
from roundview_catalog.document import Document
from roundview_catalog.files import Claims, SourceFile
from roundview_catalog.mapping.views import read_views
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.normalizers import NORMALIZERS
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.shapes import shaped
from roundview_catalog.tables import FileTable, RestAnswers, RestTable
from roundview_catalog.types import parse_type

DATABASES = ("sqlite", "postgres", "mysql", "trino")
NORMAL_FORMS = ("lower", "upper", *NORMALIZERS)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Tables = dict[str, SourceTable]


def tables_of(
    file: SourceFile,
    declared: Mapping[str, Any],
    document: Document,
    schema: Document | None,
    report: Report,
    *,
    is_outline: bool = False,
) -> Tables:
    """Returns every table that mappings of the source may name.

    An outline also has the file tables whose columns are not known yet.
    """
    known = schema_file.read(schema, report) if schema is not None else {}
    for name in declared:
        if not _NAME.fullmatch(name):
            at = document.key_position(("tables", name))
            report.add(at, "RV221", "not a name for a table", "letters, digits and _")
    if file.connector in DATABASES:
        tables = _of_database(file, declared, document, schema, known, report)
    elif file.connector == "files":
        tables = _of_files(declared, document, known, report, is_outline=is_outline)
    else:
        tables = _of_rest(file, declared, document, report)
    if file.connector != "rest" and file.table_defaults is not None:
        at = document.key_position(("table_defaults",))
        report.add(at, "RV205", "table_defaults belong to REST sources", "leave them out")
    if tables:
        tables |= read_views(file.views, file.connector, tables, document, report)
    for place, claims in file.facts.items() if tables else ():
        _claim(tables, place, claims, document, report)
    return tables


def _of_database(
    file: SourceFile,
    declared: Mapping[str, Any],
    document: Document,
    schema: Document | None,
    known: Tables,
    report: Report,
) -> Tables:
    if declared:
        at = document.key_position(("tables",))
        report.add(at, "RV205", "tables of a database come from its schema file", "leave them out")
    if schema is None:
        at = document.position(("source",))
        hint = f"run `roundview introspect {file.source}`"
        report.add(at, "RV220", "the schema file is missing", hint)
    prefix = str(file.connection.get("table_prefix") or "")
    if not prefix:
        return known
    found: Tables = {}
    for name, table in known.items():
        short = name.removeprefix(prefix)
        short = short if short and short not in known else name
        found[short] = replace(table, name=short, physical=table.physical)
    return found


def _of_files(
    declared: Mapping[str, Any],
    document: Document,
    known: Tables,
    report: Report,
    *,
    is_outline: bool,
) -> Tables:
    found: Tables = {}
    for name, data in declared.items():
        path = ("tables", name)
        table = shaped(FileTable, data, document, path, report)
        if table is None:
            continue
        seen = known.get(name)
        columns = dict(seen.columns) if seen else {}
        for column, given in table.columns.items():
            if given.path:
                at = document.key_position((*path, "columns", column, "path"))
                report.add(at, "RV205", "path belongs to REST tables", "leave it out")
            columns[column] = SourceColumn(column, parse_type(given.type), given.nullable)
        if not columns and not is_outline:
            at = document.key_position(path)
            hint = "run `roundview introspect` or declare them"
            report.add(at, "RV220", f"the columns of {name} are not known", hint)
            continue
        bucket = table.bucket_by.column if table.bucket_by else ""
        for kind, named in (("key", table.key), ("bucket_by", (bucket,) if bucket else ())):
            for one in named:
                if one not in columns:
                    at = document.key_position((*path, kind))
                    hint = did_you_mean(one, columns)
                    report.add(at, "RV214", f"unknown column {one} in {name}", hint)
        found[name] = SourceTable(
            name=name,
            physical=table.path,
            columns=columns,
            primary_key=_known(table.key, columns) or (seen.primary_key if seen else ()),
            unique=seen.unique if seen else (),
            indexes=((bucket,),) if bucket in columns else (),
            rows_estimate=seen.rows_estimate if seen else None,
            access=table,
        )
    return found


def _of_rest(
    file: SourceFile, declared: Mapping[str, Any], document: Document, report: Report
) -> Tables:
    defaults = file.table_defaults or RestAnswers()
    shapes: dict[str, RestTable] = {}
    for name, data in declared.items():
        table = shaped(RestTable, data, document, ("tables", name), report)
        if table is not None:
            shapes[name] = table.answering(defaults)
    found: Tables = {}
    for name, table in shapes.items():
        _check_rest(name, table, declared, shapes, document, report)
        columns = {
            column: SourceColumn(column, parse_type(given.type), given.nullable)
            for column, given in table.columns.items()
        }
        asked = [path.columns for path in table.get if path.columns]
        asked += [(c,) for c, ops in table.filters.items() if "eq" in ops or "in" in ops]
        found[name] = SourceTable(
            name=name,
            physical=table.within or (table.get[0].target if table.get else name),
            columns=columns,
            primary_key=_known(table.key, columns),
            indexes=tuple(dict.fromkeys(key for key in asked if _known(key, columns))),
            access=table,
        )
    return found


def _check_rest(
    name: str,
    table: RestTable,
    declared: Mapping[str, Any],
    shapes: Mapping[str, RestTable],
    document: Document,
    report: Report,
) -> None:
    path = ("tables", name)
    for column, operators in table.filters.items():
        for operator, given in operators.items():
            if given.normal_form and given.normal_form not in NORMAL_FORMS:
                at = document.position((*path, "filters", column, operator, "normal_form"))
                _not_a_form(given.normal_form, at, report)
    named: list[tuple[tuple[str | int, ...], str]] = [(("key",), column) for column in table.key]
    named += [(("filters", column), column) for column in table.filters]
    if table.order:
        named.append((("order",), table.order.removeprefix("-")))
    is_list = isinstance(declared[name].get("get"), list)
    for index, access in enumerate(table.get):
        at_path: tuple[str | int, ...] = ("get", index) if is_list else ("get",)
        named += [(at_path, column) for column in access.columns]
        if access.post and table.page is not None and table.page.by == "link":
            at = document.position((*path, *at_path))
            report.add(at, "RV206", "a link leads to its page by GET",
                       "page a `post` by cursor, page or offset")  # fmt: skip
    for where, column in named:
        if column not in table.columns:
            is_key = where[0] == "filters"
            at = (document.key_position if is_key else document.position)((*path, *where))
            hint = did_you_mean(column, table.columns) or "declare it under columns"
            report.add(at, "RV214", f"unknown column {column} in {name}", hint)
    seen = {name}
    above = table.within
    while above is not None:
        if above not in declared:
            at = document.position((*path, "in"))
            report.add(at, "RV213", f"unknown table {above}", did_you_mean(above, declared))
            return
        if above in seen:
            report.add(document.position((*path, "in")), "RV206", "tables lie in each other")
            return
        seen.add(above)
        above = shapes[above].within if above in shapes else None
    for column, shape in table.columns.items():
        outer = shapes.get(table.within or "")
        name_above = shape.path.removeprefix("^")
        if shape.path.startswith("^") and (outer is None or name_above not in outer.columns):
            at = document.position((*path, "columns", column, "path"))
            known = outer.columns if outer else ()
            report.add(at, "RV214", f"unknown column {name_above} in the table above",
                       did_you_mean(name_above, known))  # fmt: skip


def _claim(tables: Tables, place: str, claims: Claims, document: Document, report: Report) -> None:
    path = ("facts", place)
    name, _, column = place.partition(".")
    table = tables.get(name)
    if table is None:
        hint = did_you_mean(name, tables)
        report.add(document.key_position(path), "RV213", f"unknown table {name}", hint)
        return
    if not column:
        tables[name] = _claim_of_table(table, claims, document, path, report)
        return
    if column not in table.columns:
        hint = did_you_mean(column, table.columns)
        report.add(document.key_position(path), "RV214", f"unknown column {place}", hint)
        return
    _check_claims(tables, table, claims, document, path, report)
    known = table.columns[column]
    changed = replace(
        known,
        normal_form=claims.normal_form or known.normal_form,
        time_zone=claims.time_zone or known.time_zone,
        collation=claims.collation or known.collation,
        domain=claims.domain or known.domain,
        search=claims.search or known.search,
        references=claims.references or known.references,
    )
    tables[name] = replace(
        table,
        columns={**table.columns, column: changed},
        unique=(*table.unique, (column,)) if claims.unique is True else table.unique,
        indexes=(*table.indexes, (column,)) if claims.index is True else table.indexes,
    )


def _claim_of_table(
    table: SourceTable, claims: Claims, document: Document, path: tuple[str, ...], report: Report
) -> SourceTable:
    for key in claims.model_fields_set - {"unique", "index"}:
        at = document.key_position((*path, key))
        report.add(at, "RV206", f"{key} is said of a column", f"{path[-1]}.COLUMN: …")
    found = table
    for key, columns in (("unique", claims.unique), ("index", claims.index)):
        if columns is None:
            continue
        at = document.position((*path, key))
        if not isinstance(columns, tuple) or not columns:
            report.add(at, "RV206", f"{key} of a table lists columns", f"{key}: [a, b]")
            continue
        unknown = [column for column in columns if column not in table.columns]
        if unknown:
            hint = did_you_mean(unknown[0], table.columns)
            report.add(at, "RV214", f"unknown column {unknown[0]} in {table.name}", hint)
        elif key == "unique":
            found = replace(found, unique=(*found.unique, columns))
        else:
            found = replace(found, indexes=(*found.indexes, columns))
    return found


def _check_claims(
    tables: Tables,
    table: SourceTable,
    claims: Claims,
    document: Document,
    path: tuple[str, ...],
    report: Report,
) -> None:
    if claims.normal_form and claims.normal_form not in NORMAL_FORMS:
        _not_a_form(claims.normal_form, document.position((*path, "normal_form")), report)
    if claims.time_zone and claims.time_zone not in available_timezones():
        report.add(document.position((*path, "time_zone")), "RV206", "not a time zone",
                   "Europe/Berlin, UTC …")  # fmt: skip
    if claims.search and claims.search not in table.columns:
        report.add(document.position((*path, "search")), "RV214",
                   f"unknown column {claims.search} in {table.name}",
                   did_you_mean(claims.search, table.columns))  # fmt: skip
    for key, value in (("unique", claims.unique), ("index", claims.index)):
        if value is not None and value is not True:
            at = document.position((*path, key))
            report.add(at, "RV206", f"{key} of a column is true", "lists belong to the table")
    if claims.references:
        other, _, column = claims.references.partition(".")
        if other not in tables or column not in tables[other].columns:
            at = document.position((*path, "references"))
            hint = "references: table.column"
            report.add(at, "RV214", f"unknown column {claims.references}", hint)


def _known(key: tuple[str, ...], columns: Mapping[str, SourceColumn]) -> tuple[str, ...]:
    return key if all(column in columns for column in key) else ()


def _not_a_form(form: str, position: Any, report: Report) -> None:
    hint = did_you_mean(form, NORMAL_FORMS) or f"one of {', '.join(NORMAL_FORMS)}"
    report.add(position, "RV206", f"{form} is not a normal form", hint)
