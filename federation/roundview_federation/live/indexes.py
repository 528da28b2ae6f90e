"""Decides whether what views ask by key is found by index: the source's own EXPLAIN says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from sqlglot import exp

from roundview_catalog.errors import Position, RequestError, SourceError
from roundview_catalog.model import Branch
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import Access
from roundview_federation.key_sets import keyset_of, part_of_keyset
from roundview_federation.live.asking import SMALL, Subject, reason
from roundview_federation.live.findings import Finding, Verdict, counted
from roundview_federation.locating import locators_of
from roundview_federation.plan import Lookup, Plan, PlannedFragment, Question, Section, selecting
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.rewrite.sealing import KEY_BYTES, KeySealing

_PERSONS: Final = "persons"
# Files are read fast, and only the columns that are needed.
_SMALL_FILE: Final = 100_000
_OURSELVES: Final = Decision("own", "", {}, {}, {}, frozenset(), {})
_LONG_AGO: Final = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One statement as views send it: by which column, and where that was written."""

    planned: PlannedFragment
    column: exp.Column
    params: Mapping[str, Any]
    position: Position
    claim: str
    branch: Branch


async def prove_person_keys(subject: Subject) -> AsyncIterator[Finding]:
    """Yields how the rows of known customers are found, for each statement of a whole view."""
    planner = _planner(subject)
    canonical = planner.catalog.canonical
    names = dict.fromkeys(branch.entity for branch in subject.source.branches)
    sections = tuple(
        Section(
            f"live#{name}",
            name,
            selecting(name, tuple(canonical.entities[name].types)),
            _PERSONS,
        )
        for name in names
    )
    question = Question(f"live:{subject.source.name}", (Lookup(_PERSONS),), ())
    plan = await planner.prepare(
        question, _OURSELVES, hidden=lambda: sections, sources=frozenset({subject.source.name})
    )
    for planned in plan.fragments:
        asked = _by_person(subject, plan, planned)
        if asked is not None:
            yield await _prove(subject, asked)


async def prove_identifiers(subject: Subject) -> AsyncIterator[Finding]:
    """Yields how records are found by an identifier that this source is asked for live."""
    planner = _planner(subject)
    for kind in planner.catalog.canonical.identifiers.values():
        for locator in locators_of(kind, planner):
            planned = locator.planned
            found = _compared(planned.fragment.tree)
            branch = _branch(subject, planned)
            if found is None or branch is None:
                continue
            value = _nothing(Type(locator.column_kind))[0]
            params = dict.fromkeys(planned.fragment.params, value)
            asked = _Asked(
                planned, found, params, _field_position(subject, branch, found),
                f"{kind.name} is found by {_written(planned, found)}", branch,
            )  # fmt: skip
            yield await _prove(subject, asked)


async def _prove(subject: Subject, asked: _Asked) -> Finding:
    def said(verdict: Verdict, seen: str, hint: str = "", at: Position | None = None) -> Finding:
        return subject.finding(at or asked.position, asked.claim, verdict, seen, hint)

    try:
        accesses = await subject.connector.accesses(
            asked.planned.call, asked.params, subject.deadline
        )
        whole = [
            (access, table, await subject.rows_of(table))
            for access in accesses
            if access.is_scan and (table := _table(asked, access)) is not None
        ]
    except (SourceError, RequestError) as error:
        return said(Verdict.OPEN, reason(error))
    most = _SMALL_FILE if subject.source.connector == "files" else SMALL
    large = [one for one in whole if one[2] is None or one[2] > most]
    for access, table, rows in large:
        number = "all rows" if rows is None else f"all of about {counted(rows, 'row')}"
        seen = f"{number} of {table} are read for one customer"
        return said(Verdict.REFUTED, seen, _advice(subject, asked, access, table),
                    _place(subject, asked, access, table))  # fmt: skip
    if whole:
        small = ", ".join(
            dict.fromkeys(f"{table} ({counted(rows or 0, 'row')})" for _, table, rows in whole)
        )
        return said(Verdict.NOT_REFUTED, f"read whole, because it is small: {small}")
    by = dict.fromkeys(
        f"{table} by {access.index}"
        for access in accesses
        if (table := _table(asked, access)) is not None
    )
    return said(Verdict.PROVED, ", ".join(by) or "found by its key")


def _planner(subject: Subject) -> Planner:
    """Returns what plans as views do, for one source; rows that mirror others count as well."""
    branches = tuple(replace(branch, mirrors=None) for branch in subject.source.branches)
    source = replace(subject.source, branches=branches)
    alone = replace(subject.catalog, sources={source.name: source})
    # Nothing is opened with this key: no row is read.
    sealing = KeySealing(bytes(KEY_BYTES))
    return Planner(alone, {source.name: subject.connector}, sealing)


def _by_person(subject: Subject, plan: Plan, planned: PlannedFragment) -> _Asked | None:
    branch = _branch(subject, planned)
    found = _compared(planned.fragment.tree)
    if branch is None or found is None:
        return None
    params: dict[str, Any] = dict.fromkeys(planned.fragment.params)
    for name in planned.fragment.keysets:
        types = plan.keysets[name].types
        parts = [_nothing(type_) for type_ in types]
        params[name] = parts[0] if len(parts) == 1 else list(zip(*parts, strict=True))
        if len(parts) > 1:
            params |= {part_of_keyset(name, at): part for at, part in enumerate(parts)}
    keys = [["person"], ["parent"], ["key"], ["from"]]
    return _Asked(
        planned, found, params, subject.places.of_branch(branch, *keys),
        f"rows of {branch.id} are found by {_written(planned, found)}", branch,
    )  # fmt: skip


def _branch(subject: Subject, planned: PlannedFragment) -> Branch | None:
    names = [arrival.branch for arrival in planned.arrivals]
    for branch in subject.source.branches:
        if branch.id in names:
            return branch
    # Rows that only lead to those below them arrive nowhere.
    tables = {table.name for table in planned.fragment.tree.find_all(exp.Table)}
    for branch in subject.source.branches:
        if set(branch.aliases.values()) == tables:
            return branch
    return None


def _compared(tree: exp.Select) -> exp.Column | None:
    """Returns the column, or the first of them, that a statement compares with what is asked."""
    for node in tree.find_all(exp.EQ):
        found = keyset_of(node)
        side = found[0] if found is not None else node.this
        if found is None and not isinstance(node.expression, exp.Placeholder):
            continue
        one = side.expressions[0] if isinstance(side, exp.Tuple) else side
        if isinstance(one, exp.Column):
            return one
    return None


def _table(asked: _Asked, access: Access) -> str | None:
    """Returns the catalog's name of a table that the source names by its alias."""
    trees = (asked.planned.fragment.tree, *(c.tree for c in asked.planned.fragment.children))
    names = {t.alias_or_name: t.name for tree in trees for t in tree.find_all(exp.Table)}
    # A view's own tables are named after the view.
    return names.get(access.alias) or names.get(access.alias.partition("__")[0])


def _place(subject: Subject, asked: _Asked, access: Access, table: str) -> Position:
    if access.alias.partition("__")[0] == asked.column.table:
        return asked.position
    names = {arrival.branch for arrival in asked.planned.arrivals}
    for branch in (one for one in subject.source.branches if one.id in names):
        for name, child in branch.children.items():
            if child.aliases.get(access.alias) == table:
                keys = ["children", name]
                return subject.places.of_branch(branch, [*keys, "where"], keys)
    return subject.places.of_branch(asked.branch, ["from"])


def _advice(subject: Subject, asked: _Asked, access: Access, table: str) -> str:
    connector = subject.source.connector
    is_asked = access.alias == asked.column.table
    if connector == "files":
        by = asked.column.name if is_asked else "the column that links it"
        return f"lay the files of {table} out in buckets of {by}"
    if access.index:
        return f"the source does not take {access.index}: compare the types, renew its statistics"
    if is_asked:
        return f"make an index on {table}.{asked.column.name}, or map another column"
    return f"make an index on the columns that link {table}"


def _field_position(subject: Subject, branch: Branch, found: exp.Column) -> Position:
    """Returns where the field stands that is looked for by a column, its own or one to search."""
    table = subject.source.tables[branch.aliases[found.table]]
    for fields in branch.slots.values():
        for mapping in fields.values():
            own = mapping.expr
            if not isinstance(own, exp.Column) or own.table != found.table:
                continue
            if found.name in (own.name, table.searched(own.name)[0].name):
                return mapping.position
    return branch.position


def _written(planned: PlannedFragment, found: exp.Column) -> str:
    tables = {one.alias_or_name: one.name for one in planned.fragment.tree.find_all(exp.Table)}
    table = tables.get(found.table)
    return f"{table}.{found.name}" if table else found.name


def _nothing(type_: Type) -> list[Any]:
    """Returns two values that a column of the type could hold, and hardly holds."""
    kind = type_.kind
    if kind in (Kind.INTEGER, Kind.BIGINT):
        return [-2_000_000_001, -2_000_000_002]
    if kind is Kind.FLOAT:
        return [-2e9, -3e9]
    if kind is Kind.DECIMAL:
        return [Decimal(-2_000_000_001), Decimal(-2_000_000_002)]
    if kind is Kind.DATE:
        return [date(1, 1, 2), date(1, 1, 3)]
    if kind is Kind.TIMESTAMP:
        return [_LONG_AGO.replace(tzinfo=None), _LONG_AGO.replace(tzinfo=None, day=3)]
    if kind is Kind.TIMESTAMPTZ:
        return [_LONG_AGO, _LONG_AGO.replace(day=3)]
    if kind is Kind.BOOLEAN:
        return [True, False]
    if kind is Kind.ENUM:
        return list(_two(type_.values))
    return [str(uuid4()), str(uuid4())]


def _two(values: Sequence[str]) -> Iterator[str]:
    yield values[0]
    yield values[-1]
