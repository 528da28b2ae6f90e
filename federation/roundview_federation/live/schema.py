"""Decides whether a schema file still says what the source says of itself."""

from __future__ import annotations

from collections.abc import Iterator

from roundview_catalog import schema_file
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.report import Report
from roundview_federation.live.asking import Subject
from roundview_federation.live.findings import Finding, Verdict, counted

_Difference = tuple[tuple[str, ...], str, str]
"""(place below the table, claim, what was seen)"""


def prove_schema(subject: Subject) -> Iterator[Finding]:
    """Yields what has vanished, changed or been added since the schema file was written."""
    document = subject.places.schema
    if document is None:
        return
    declared = schema_file.read(document, Report())
    hint = f"run roundview introspect {subject.source.name}"
    live = {table.physical: table for table in subject.live.values()}
    for name, table in declared.items():
        at = ("tables", name)
        now = live.get(table.physical)
        if now is None:
            yield subject.finding(
                subject.places.in_schema(*at), f"there is a table {name}", Verdict.REFUTED,
                "the source has none, or our login may not read it", hint,
            )  # fmt: skip
            continue
        differences = [*_columns(table, now), *_keys(table, now)]
        for below, claim, seen in differences:
            place = subject.places.in_schema(*at, *below)
            yield subject.finding(place, f"{name}{claim}", Verdict.REFUTED, seen, hint)
        added = [column for column in now.columns if column not in table.columns]
        if differences:
            continue
        seen = f"{counted(len(table.columns), 'column')} with types and keys as written"
        if added:
            seen += f", {len(added):,} more in the source"
        yield subject.finding(
            subject.places.in_schema(*at), f"table {name}", Verdict.PROVED, seen,
            hint if added else "",
        )  # fmt: skip
    known = {table.physical for table in declared.values()}
    more = sum(physical not in known for physical in live)
    if more:
        yield subject.finding(
            subject.places.in_schema("tables"), "the schema file has every table",
            Verdict.NOT_REFUTED, f"{counted(more, 'table')} more in the source", hint,
        )  # fmt: skip


def _columns(before: SourceTable, now: SourceTable) -> Iterator[_Difference]:
    for name, column in before.columns.items():
        at = ("columns", name)
        found = now.columns.get(name)
        if found is None:
            yield at, f".{name} exists", "the source has no such column"
            continue
        for key, claim, seen in _changes(column, found):
            yield (*at, key), f".{name} {claim}", seen


def _changes(before: SourceColumn, now: SourceColumn) -> Iterator[tuple[str, str, str]]:
    if str(before.type) != str(now.type):
        yield "type", f"is {before.type}", f"it is {now.type}"
    elif before.native != now.native:
        was, found = before.native or str(before.type), now.native or str(now.type)
        yield "native", f"is {was}", f"it is {found}"
    if not before.is_nullable and now.is_nullable:
        yield "nullable", "is never NULL", "the source allows NULL"
    if before.collation != now.collation:
        yield "collation", f"compares {_compares(before)}", f"it compares {_compares(now)}"
    if before.references and before.references != now.references:
        seen = "the source has no such foreign key"
        yield "references", f"references {before.references}", seen


def _keys(before: SourceTable, now: SourceTable) -> Iterator[_Difference]:
    if before.primary_key and before.primary_key != now.primary_key:
        yield (
            ("primary_key",),
            f" has the primary key {_named(before.primary_key)}",
            (f"it is {_named(now.primary_key)}" if now.primary_key else "it has none"),
        )
    unique = {now.primary_key, *now.unique}
    for key in before.unique:
        if key not in unique:
            yield ("unique",), f" is unique by {_named(key)}", "no unique index says so"
    indexes = {*unique, *now.indexes}
    for key in before.indexes:
        if key not in indexes:
            yield ("indexes",), f" has an index on {_named(key)}", "the source has none"


def _named(columns: tuple[str, ...]) -> str:
    return ", ".join(columns)


def _compares(column: SourceColumn) -> str:
    return "exactly" if column.collation == "exact" else "without regard to case"
