"""Decides whether Trino reads the tables of a source too, with the types that the catalog says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from roundview_catalog.errors import CODES, CatalogError, RequestError, RoundviewError
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.types import Kind
from roundview_federation.bridged import bridged_type
from roundview_federation.dialect.types import TEXT, PgType
from roundview_federation.live.asking import Subject
from roundview_federation.live.findings import Finding, Verdict, counted
from roundview_federation.rewrite.trino.columns import own_value
from roundview_federation.rewrite.trino.place import Place, places_of

if TYPE_CHECKING:
    from roundview_federation.engines.trino.engine import TrinoEngine

_ROWS: Final = 20
"""So many rows of a table are read there."""
_MOST_NAMED: Final = 3
_WHOLE: Final = "tinyint|smallint|integer"
_TEXT: Final = r"(varchar|char)(\(\d+\))?"
_TYPES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.INTEGER: _WHOLE,
        Kind.BIGINT: rf"{_WHOLE}|bigint|decimal\(20,0\)",
        Kind.BOOLEAN: "boolean|tinyint",
        Kind.DATE: "date",
        Kind.TIMESTAMP: r"timestamp\(\d+\)",
        Kind.TIMESTAMPTZ: r"timestamp\(\d+\)( with time zone)?",
        Kind.UUID: rf"uuid|{_TEXT}",
        Kind.TEXT: _TEXT,
        Kind.ENUM: _TEXT,
    }
)


def is_on_trino(subject: Subject) -> bool:
    """Tells whether the catalog says that Trino reads the source."""
    try:
        return _place(subject) is not None
    except CatalogError:
        return False


async def prove_on_trino(subject: Subject) -> AsyncIterator[Finding]:
    """Yields for each table whether Trino has its columns with their types, and reads rows of it.

    Without an answer of Trino nothing is proved.
    """
    place = _place(subject)
    told = subject.catalog.engines.trino
    if place is None or told is None:
        return
    try:
        from roundview_federation.engines.trino.engine import TrinoEngine
        from roundview_federation.engines.trino.settings import settings_of
    except ImportError as error:
        seen, hint = f"{error.name} is not installed", "pip install roundview[trino]"
        at = subject.places.key("trino_catalog")
        claim = f"Trino reads {subject.source.name}"
        yield subject.finding(at, claim, Verdict.OPEN, seen, hint)
        return
    engine = TrinoEngine(settings_of(told, subject.catalog.root, subject.env))
    try:
        for table in subject.source.tables.values():
            if table.view is None:
                yield await _proved(engine, subject, place, table)
    finally:
        await engine.close()


def _place(subject: Subject) -> Place | None:
    if subject.catalog.engines.trino is None:
        return None
    return places_of(subject.catalog, subject.env).get(subject.source.name)


async def _proved(
    engine: TrinoEngine, subject: Subject, place: Place, table: SourceTable
) -> Finding:
    at = subject.places.key("trino_catalog")
    claim = f"Trino reads {table.name} with its types"
    try:
        there = await _types(engine, subject, place, table)
        wrong = [
            f"{name} is {there.get(place.column(name, table), 'missing')}"
            for name, column in table.columns.items()
            if not _is_equal(column, there.get(place.column(name, table), ""), place)
        ]
        if wrong or not there:
            seen = ", ".join(wrong[:_MOST_NAMED]) if there else "it has no such table"
            more = f" and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
            hint = "compare its catalogs with those of roundview trino catalogs"
            return subject.finding(at, claim, Verdict.REFUTED, f"{seen}{more} there", hint)
        unused = await _read(engine, subject, place, table)
    except RoundviewError as error:
        return subject.finding(at, claim, Verdict.OPEN, f"{error.code} {error.message}", error.hint)
    seen = counted(len(table.columns), "column")
    hint = ""
    if unused:
        seen += f", {unused:,} of a type that questions on Trino do not take"
        hint = f"{CODES['RV103'].title} there: such questions are finished here"
    return subject.finding(at, claim, Verdict.PROVED, seen, hint)


async def _types(
    engine: TrinoEngine, subject: Subject, place: Place, table: SourceTable
) -> dict[str, str]:
    """Returns the type of each column as Trino names it, by its name there."""
    named = place.table(table.name, subject.source.tables)
    found = exp.Table(
        this=exp.to_identifier("columns"),
        db=exp.to_identifier("information_schema"),
        catalog=exp.to_identifier(place.catalog, quoted=True),
    )
    tree = (
        exp.select("column_name", "data_type")
        .from_(found)
        .where(
            exp.column("table_schema").eq(exp.Literal.string(place.schema)),
            exp.column("table_name").eq(exp.Literal.string(named.name)),
        )
    )
    rows = await _rows(engine, subject, tree, (TEXT, TEXT))
    return {str(name): str(type_) for name, type_ in rows}


async def _read(engine: TrinoEngine, subject: Subject, place: Place, table: SourceTable) -> int:
    """Reads some rows as questions do; returns how many columns they cannot take."""
    values: list[exp.Expr] = []
    types: list[PgType] = []
    for name, column in table.columns.items():
        own = exp.column(place.column(name, table), table="t", quoted=True)
        try:
            value, type_ = own_value(own, column, place, subject.source.connector)
        except RequestError:
            continue
        values.append(exp.alias_(value, f"c{len(values)}", quoted=True))
        types.append(type_)
    named = place.table(table.name, subject.source.tables)
    named.set("alias", exp.TableAlias(this=exp.to_identifier("t", quoted=True)))
    await _rows(engine, subject, exp.select(*values).from_(named).limit(_ROWS), tuple(types))
    return len(table.columns) - len(values)


async def _rows(
    engine: TrinoEngine, subject: Subject, tree: exp.Select, types: tuple[PgType, ...]
) -> list[tuple[object, ...]]:
    deadline = subject.deadline.sooner(subject.statement_seconds)
    answer = await engine.stream(tree.sql("trino"), types, deadline)
    rows: list[tuple[object, ...]] = []
    async for batch in answer:
        rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return rows


def _is_equal(column: SourceColumn, there: str, place: Place) -> bool:
    """Tells whether a type of Trino holds every value of a column as it is."""
    if place.is_bridged:
        return there == bridged_type(column.type).trino
    if column.type.kind is Kind.DECIMAL:
        if column.type.precision is None:
            return there.startswith("decimal(")
        return there == f"decimal({column.type.precision},{column.type.scale or 0})"
    expected = _TYPES.get(column.type.kind)
    if expected is None:
        return bool(there)
    return re.fullmatch(expected, there) is not None
