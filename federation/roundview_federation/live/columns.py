"""Decides whether columns hold what they are declared to hold, where no source enforces it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from sqlglot import exp

from roundview_catalog import coerce
from roundview_catalog.errors import Position, RequestError, SourceError
from roundview_catalog.model import Branch, SourceColumn
from roundview_catalog.tables import FileTable
from roundview_federation.live.asking import Sample, Subject, reason
from roundview_federation.live.findings import Finding, Verdict, counted, share


async def prove_columns(subject: Subject) -> AsyncIterator[Finding]:
    """Yields, for each table that mappings use, which values are of another type or missing."""
    for table, columns in _used(subject).items():
        declared = subject.source.tables[table]
        if declared.view is not None:
            continue
        try:
            sample = await subject.sample(table, columns)
        except (SourceError, RequestError) as error:
            async for finding in _one_by_one(subject, table, columns, reason(error)):
                yield finding
            continue
        found = [
            finding
            for column in columns
            for finding in _column(subject, table, declared.columns[column], sample)
        ]
        for finding in found:
            yield finding
        if not any(finding.verdict is Verdict.REFUTED for finding in found):
            yield _all(subject, table, len(columns), sample)


def _all(subject: Subject, table: str, columns: int, sample: Sample) -> Finding:
    claim = f"columns of {table} hold their types"
    at = _position(subject, table, "")
    if not sample.rows:
        return subject.finding(at, claim, Verdict.OPEN, "there are no rows to look at")
    seen = f"{counted(columns, 'column')} in {sample.said}"
    return subject.finding(at, claim, Verdict.NOT_REFUTED, seen)


async def _one_by_one(
    subject: Subject, table: str, columns: tuple[str, ...], why: str
) -> AsyncIterator[Finding]:
    """Yields the columns that cannot be read, after all of them together could not."""
    lost = 0
    for column in columns:
        try:
            await subject.sample(table, (column,))
        except (SourceError, RequestError) as error:
            lost += 1
            is_wrong = getattr(error, "code", "") in ("RV403", "RV102")
            verdict = Verdict.REFUTED if is_wrong else Verdict.OPEN
            hint = "correct the name, or take the column out" if is_wrong else ""
            at = _position(subject, table, column)
            yield subject.finding(at, f"{table}.{column} exists", verdict, reason(error), hint)
    if not lost:
        at = _position(subject, table, "")
        yield subject.finding(at, f"columns of {table} can be read", Verdict.OPEN, why)


def _column(
    subject: Subject, table: str, column: SourceColumn, sample: Sample
) -> Iterator[Finding]:
    at = _position(subject, table, column.name)
    name = f"{table}.{column.name}"
    values = sample.values(column.name)
    decode = coerce.decoder(column.type)
    wrong = 0
    for value in values if decode is not None else ():
        try:
            decode(value)  # type: ignore[misc]
        except (ValueError, TypeError, ArithmeticError):
            wrong += 1
    if wrong:
        seen = f"{wrong:,} of {len(values):,} values ({share(wrong, len(values))}) are none"
        hint = "declare text and use try_cast in mappings"
        if subject.source.connector == "sqlite":
            hint = "repair them: their fields are NULL and counted as problems"
        yield subject.finding(at, f"{name} is {column.type}", Verdict.REFUTED, seen, hint)
    missing = len(sample.rows) - len(values)
    if not column.is_nullable and missing and subject.source.connector in ("files", "rest"):
        seen = f"{missing:,} of {len(sample.rows):,} values ({share(missing, len(sample.rows))})"
        hint = "take `nullable: false` out"
        yield subject.finding(
            at, f"{name} is never NULL", Verdict.REFUTED, f"{seen} are missing", hint
        )
    elif sample.rows and not values and subject.source.connector == "rest":
        seen = f"it is missing in {sample.said}"
        yield subject.finding(at, f"{name} is sent", Verdict.OPEN, seen, "compare its path")


def _used(subject: Subject) -> Mapping[str, tuple[str, ...]]:
    """Returns the columns of each table that mappings name, or people declared."""
    found: dict[str, dict[str, None]] = {
        name: dict.fromkeys(table.access.columns)
        for name, table in subject.source.tables.items()
        if table.access is not None and table.access.columns
    }
    for branch in subject.source.branches:
        aliases = {**branch.aliases}
        for child in branch.children.values():
            aliases |= child.aliases
        for tree in _trees(branch):
            for column in tree.find_all(exp.Column):
                table = aliases.get(column.table)
                if table is not None and column.name in subject.source.tables[table].columns:
                    found.setdefault(table, {})[column.name] = None
    return {table: tuple(names) for table, names in found.items()}


def _trees(branch: Branch) -> Iterator[exp.Expr]:
    yield branch.scan
    yield from branch.key
    for fields in branch.slots.values():
        yield from (mapping.expr for mapping in fields.values())
    for person in branch.person:
        yield from person.keys
    if branch.parent is not None:
        yield from branch.parent.keys
    yield from (child.scan for child in branch.children.values())


def _position(subject: Subject, table: str, column: str) -> Position:
    declared = subject.source.tables[table]
    below = ("columns", column) if column else ()
    if subject.source.connector == "sqlite":
        return subject.places.in_schema_table(declared.physical, *below)
    access = declared.access
    is_written = not column or column in getattr(access, "columns", {})
    if isinstance(access, FileTable) and not is_written:
        return subject.places.in_schema("tables", table, *below)
    return subject.places.key("tables", table, *below)
