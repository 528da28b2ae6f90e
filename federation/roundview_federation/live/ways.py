"""Decides the ways to ask an API one by one: tables with one path or filter, rows to compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlglot import exp

from roundview_catalog import coerce
from roundview_catalog.model import SourceTable
from roundview_catalog.tables import RestTable
from roundview_federation.live.asking import Subject, column, scanned
from roundview_federation.plan import Answer

KEYS: Final = 3
"""How many values a path or filter is asked with."""

Row = tuple[Any, ...]


@dataclass(slots=True)
class Api:
    """The tables of an API, and variants of them that have one way to be asked each."""

    subject: Subject
    variants: Mapping[str, SourceTable]
    samples: dict[str, Answer] = field(default_factory=dict)

    def columns(self, table: str) -> tuple[str, ...]:
        """Returns the names of a table's columns, as answers have them."""
        return tuple(self.subject.source.tables[table].columns)

    async def ask(
        self, variant: str, condition: exp.Expr | None, params: Mapping[str, Any], most: int
    ) -> Answer:
        """Returns all columns of at most so many rows, asked in one way."""
        table = self.variants[variant]
        tree = exp.select(*(column(name) for name in table.columns)).from_(scanned(variant))
        if condition is not None:
            tree = tree.where(condition)
        types = tuple(one.type for one in table.columns.values())
        return await self.subject.ask(tree, most=most, types=types, params=params)

    def decoded(self, table: str, name: str, rows: Sequence[Row]) -> list[Any]:
        """Returns the values of a column, None for those that are not of its type."""
        at = self.columns(table).index(name)
        decode = coerce.decoder(self.subject.source.tables[table].columns[name].type)
        found = []
        for row in rows:
            try:
                found.append(decode(row[at]) if decode is not None else row[at])
            except (ValueError, TypeError, ArithmeticError):
                found.append(None)
        return found


def variants(tables: Mapping[str, SourceTable]) -> Iterator[tuple[str, SourceTable]]:
    """Yields, for each path and filter of an API, a table that can be asked by it alone."""
    for name, table in tables.items():
        access = table.access
        if not isinstance(access, RestTable) or access.within is not None:
            continue

        def variant(called: str, table: SourceTable = table, **changes: Any) -> Any:
            # Without a key the rows of a page are taken as they come, those that repeat too.
            bare = {"filters": {}, "fields": None, "hold": None, "key": (), **changes}
            narrow = table.access.model_copy(update=bare)
            return called, replace(table, name=called, access=narrow)

        for at, path in enumerate(access.get):
            yield variant(by_path(name, at), get=(path,))
        lists = tuple(path for path in access.get if not path.columns)[:1]
        if not lists:
            continue
        for filtered, operators in access.filters.items():
            for operator, given in operators.items():
                yield variant(
                    by_filter(name, filtered, operator),
                    get=lists,
                    filters={filtered: {operator: given}},
                )
        if access.fields is not None:
            yield variant(f"{name}__fields", get=lists, fields=access.fields, key=access.key)


async def bindings(api: Api, name: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Returns values that a path can be asked with: its own rows', else those of linked rows."""
    sample = api.samples.get(name)
    if sample is not None:
        values = [api.decoded(name, one, sample.rows) for one in columns]
        found = [row for row in zip(*values, strict=True) if None not in row]
        return spread(list(dict.fromkeys(found)))
    if len(columns) > 1:
        return []
    for table, key in _links(api.subject, name, columns[0]):
        rows = api.samples.get(table)
        if rows is not None:
            known = [one for one in api.decoded(table, key, rows.rows) if one is not None]
            return [(one,) for one in list(dict.fromkeys(known))[:KEYS]]
    return []


def known_rows(api: Api, name: str, wanted: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of the sample that have some values."""
    sample = api.samples.get(name)
    if sample is None:
        return []
    columns = [api.decoded(name, one, sample.rows) for one in wanted]
    asked = tuple(wanted.values())
    return [
        row for row, values in zip(sample.rows, zip(*columns, strict=True), strict=True)
        if values == asked
    ]  # fmt: skip


def lost_rows(api: Api, name: str, expected: Sequence[Row], answer: Answer) -> int:
    """Counts the rows that did not come back, by key where there is one."""
    access = api.subject.source.tables[name].access
    columns = api.columns(name)
    places = [columns.index(one) for one in access.key] or list(range(len(columns)))
    found = {str([row[at] for at in places]) for row in answer.rows}
    return sum(str([row[at] for at in places]) not in found for row in expected)


def spread(values: list[Any]) -> list[Any]:
    """Returns a few values from all over a list."""
    step = max(1, len(values) // KEYS)
    return values[::step][:KEYS]


def by_path(name: str, at: int) -> str:
    """Returns the name of a table that is asked by one of its paths."""
    return f"{name}__path{at}"


def by_filter(name: str, filtered: str, operator: str) -> str:
    """Returns the name of a table that is asked by one of its filters."""
    return f"{name}__{filtered}__{operator}"


def _links(subject: Subject, name: str, wanted: str) -> Iterator[tuple[str, str]]:
    """Yields the (table, column) that a column refers to, by claims and by mappings."""
    references = subject.source.tables[name].columns[wanted].references
    if references:
        table, _, key = references.partition(".")
        yield table, key
    for branch in subject.source.branches:
        linked = [("individual", one.branch, one.keys) for one in branch.person]
        if branch.parent is not None:
            linked.append((branch.parent.entity, branch.parent.branch, branch.parent.keys))
        for entity, other, keys in linked:
            named = keys[0] if len(keys) == 1 else None
            if not isinstance(named, exp.Column) or named.name != wanted:
                continue
            if branch.aliases.get(named.table) != name:
                continue
            for target in subject.source.branches:
                if (target.entity, target.name) == (entity, other):
                    yield target.aliases[target.key[0].table], target.key[0].name
