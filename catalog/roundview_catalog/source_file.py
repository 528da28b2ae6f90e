"""Decides what one file of `sources/` says: connection, limits, tables and mappings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ValidationError

from roundview_catalog import places, secrets
from roundview_catalog.connections import (
    FilesConnection,
    MysqlConnection,
    PostgresConnection,
    RestConnection,
    SqliteConnection,
    TrinoConnection,
)
from roundview_catalog.document import Document
from roundview_catalog.errors import Position
from roundview_catalog.files import (
    SourceFile,
)
from roundview_catalog.mapping import compile_branches
from roundview_catalog.model import Canonical, Defaults, Limits, Source
from roundview_catalog.plain_conditions import check_conditions
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.shapes import is_map, shaped
from roundview_catalog.source_tables import Tables, tables_of
from roundview_catalog.tables import RestTable
from roundview_catalog.waiting import LATER_CONNECTORS

CONNECTORS = ("sqlite", "files", "rest", "postgres", "mysql", "trino")
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9][a-z0-9_]*)?")
_NO_INSTANCES = (".schema", ".template", ".statistics")
_URL = re.compile(r"(?:https?://|\$\{)[^\s]+", re.IGNORECASE)


def read_source(
    document: Document,
    schema: Document | None,
    root: Path,
    canonical: Canonical,
    report: Report,
    *,
    env: Mapping[str, str] | None = None,
) -> Source | None:
    """Returns the source of a file with its mappings; None if it is wrong beyond use.

    With `env`, references that lead nowhere are problems too.
    """
    read = _read(document, report, env)
    if read is None:
        return None
    file, data = read
    tables = tables_of(file, data.get("tables") or {}, document, schema, report)
    if tables:
        _check_freshness(file, tables, document, report)
    source = _source(file, data, root, document.position(("source",)), tables)
    if not tables:
        return source
    found = Report()
    branches = compile_branches(document, file.source, tables, file.connector, canonical, found)
    # What is wrong with a declaration was told there, not at each mapping that uses the table.
    named = (*(data.get("tables") or {}), *file.views)
    known = {f"unknown table {name}" for name in named}
    report.problems += [problem for problem in found.problems if problem.message not in known]
    source = replace(source, branches=branches)
    _check_held(source, report)
    check_conditions(source, report)
    return source


def outline(
    document: Document, schema: Document | None, root: Path, report: Report
) -> Source | None:
    """Returns a source without its mappings, as introspection needs it before they can be read.

    Its tables are those that can be known before the source was asked; the report tells only
    what keeps us from asking.
    """
    read = _read(document, report, None)
    if read is None:
        return None
    file, data = read
    declared = data.get("tables") or {}
    tables = tables_of(file, declared, document, schema, Report(), is_outline=True)
    return _source(file, data, root, document.position(("source",)), tables)


def _read(
    document: Document, report: Report, env: Mapping[str, str] | None
) -> tuple[SourceFile, dict[str, Any]] | None:
    if not is_map(document.data, document, (), report):
        return None
    data = dict(document.data)
    if data.get("connector") in LATER_CONNECTORS:
        at = document.position(("connector",))
        report.add(at, "RV209", f"connector {data['connector']} is not supported yet",
                   f"one of {', '.join(CONNECTORS)}")  # fmt: skip
        return None
    for section in ("tables", "entities", "facts"):
        if data.get(section) is not None and not is_map(
            data[section], document, (section,), report
        ):
            return None
    # The mappings and tables have their own readers, which know more about their places.
    outer = {**data, "entities": {}, "tables": {}}
    file = shaped(SourceFile, outer, document, (), report) or _what_is_right(outer)
    _check_secrets(data, document, report, env)
    if file is None:
        return None
    _check_name(file, document, report)
    _check_defaults(file, document, report)
    kinds: dict[str, type[BaseModel]] = {
        "sqlite": SqliteConnection,
        "files": FilesConnection,
        "rest": RestConnection,
        "postgres": PostgresConnection,
        "mysql": MysqlConnection,
        "trino": TrinoConnection,
    }
    connection = shaped(kinds[file.connector], data["connection"], document,
                        ("connection",), report)  # fmt: skip
    if file.connector == "trino" and not file.trino_catalog:
        hint = "trino_catalog: NAME.SCHEMA"
        report.add(
            document.position(("connector",)),
            "RV220",
            "which catalog of Trino it is is not said",
            hint,
        )
    if isinstance(connection, RestConnection):
        _check_addresses(connection, document, report)
    return file, data


def _what_is_right(data: Mapping[str, Any]) -> SourceFile | None:
    """Returns a file without its wrong sections, so that the mistakes of others are told too."""
    try:
        return SourceFile.model_validate(data)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors(include_url=False)}
    try:
        return SourceFile.model_validate({k: v for k, v in data.items() if k not in wrong})
    except ValidationError:
        return None


def _source(
    file: SourceFile, data: Mapping[str, Any], root: Path, position: Position, tables: Tables
) -> Source:
    limits = file.limits
    return Source(
        name=file.source,
        title=file.title or file.source,
        owner=file.owner,
        connector=file.connector,
        connection=data["connection"],
        limits=Limits(
            timeout=limits.timeout,
            concurrency=limits.concurrency,
            scan_rows=limits.scan_rows,
            rows=limits.rows,
            bytes=limits.bytes,
            rate_per_second=limits.rate,
            reserve_for_views=limits.reserve_for_views,
            pages=limits.pages,
            calls=limits.calls,
        ),
        defaults=Defaults(**file.defaults.model_dump()),
        tables=tables,
        branches=(),
        root=root,
        position=position,
        freshness=(file.freshness.column, file.freshness.warn_after) if file.freshness else None,
        trino_catalog=file.trino_catalog,
    )


def _check_addresses(connection: RestConnection, document: Document, report: Report) -> None:
    addresses: list[tuple[tuple[str, ...], str]] = [
        (("connection", "base_url"), connection.base_url)
    ]
    if connection.auth is not None and connection.auth.oauth2 is not None:
        token_url = connection.auth.oauth2.token_url
        addresses.append((("connection", "auth", "oauth2", "token_url"), token_url))
    for path, address in addresses:
        if not _URL.fullmatch(address):
            hint = "https://host/path or ${env:NAME}"
            report.add(document.position(path), "RV206", "not an address", hint)


def _check_held(source: Source, report: Report) -> None:
    """Refuses customers in memory: what is held outlives the question that it was read for."""
    for branch in source.branches:
        first = branch.scan.args["from_"].this.name
        access = source.tables[first].access
        if isinstance(access, RestTable) and access.hold is not None and branch.person:
            report.add(branch.position, "RV206", f"{first} is held in memory and has customers",
                       "take `hold` out")  # fmt: skip


def _check_name(file: SourceFile, document: Document, report: Report) -> None:
    at = document.position(("source",))
    if not _NAME.fullmatch(file.source) or file.source.endswith(_NO_INSTANCES):
        report.add(at, "RV221", "not a name for a source", "pos, or pos.north for an instance")
    elif document.file != f"sources/{file.source}.yaml":
        report.add(at, "RV221", "source and file have different names",
                   f"name the file sources/{file.source}.yaml")  # fmt: skip


def _check_defaults(file: SourceFile, document: Document, report: Report) -> None:
    given = file.defaults
    checks = (
        ("time_zone", given.time_zone, available_timezones(), "Europe/Berlin, UTC …"),
        ("phone_region", given.phone_region, places.COUNTRIES, "two letters: DE"),
        ("currency", given.currency, places.CURRENCIES, "three letters: EUR"),
    )
    for key, value, known, hint in checks:
        if value and value not in known:
            at = document.position(("defaults", key))
            near = did_you_mean(value, known) if key == "time_zone" else ""
            report.add(at, "RV206", f"not a {key.replace('_', ' ')}", near or hint)


def _check_secrets(
    data: Mapping[str, Any], document: Document, report: Report, env: Mapping[str, str] | None
) -> None:
    """Refuses secrets that are written out; messages never show what stands there."""
    for path in secrets.literal_secrets(data.get("connection"), ("connection",)):
        at = document.position(path)
        report.add(at, "RV222", "a secret is written here", "write ${env:NAME} or ${file:NAME}")
    for section in ("tables", "table_defaults"):
        for path in secrets.literal_secrets(data.get(section), (section,)):
            if "headers" in path:
                at = document.key_position(path)
                report.add(at, "RV222", "a secret is written here", "use connection.auth.header")
    for path, text in secrets.texts({k: v for k, v in data.items() if k != "entities"}):
        if "${" not in text:
            continue
        at = document.position(path)
        if path[0] != "connection":
            report.add(at, "RV223", "references stand under connection only", "move it there")
        elif secrets.malformed_reference(text):
            report.add(at, "RV223", "not a reference", "write ${env:NAME} or ${file:NAME}")
        elif env is not None:
            missing = secrets.missing_reference(text, env)
            if missing:
                report.add(at, "RV223", str(missing), missing.hint)


def _check_freshness(file: SourceFile, tables: Tables, document: Document, report: Report) -> None:
    if file.freshness is None:
        return
    table, _, column = file.freshness.column.partition(".")
    if table not in tables or column not in tables[table].columns:
        at = document.position(("freshness", "column"))
        known = [f"{t}.{c}" for t, one in tables.items() for c in one.columns]
        report.add(at, "RV214", "unknown column", did_you_mean(file.freshness.column, known))
