"""Decides which bounded questions proofs are made of: samples, counts, first counterexamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Catalog, Source, SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import Connector
from roundview_federation.live.findings import Finding, Verdict
from roundview_federation.live.places import Places
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline

SAMPLE: Final = 4_000
"""Rows of a sample: half of them the first, half the last by key."""

SMALL: Final = 1_000
"""Rows that may be read whole for one customer."""

MOST_COUNTED: Final = 1_000
_T: Final = "t"
_WHOLE: Final = (Kind.INTEGER, Kind.BIGINT)


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of a table; `is_whole` if they are all."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    is_whole: bool

    def values(self, column: str) -> list[Any]:
        """Returns the values of a column that are not NULL."""
        at = self.columns.index(column)
        return [row[at] for row in self.rows if row[at] is not None]

    @property
    def said(self) -> str:
        """Returns what was looked at."""
        number = len(self.rows)
        if self.is_whole:
            return f"all {number:,} rows" if number != 1 else "the only row"
        return f"{number:,} rows"


@dataclass(slots=True)
class Subject:
    """One source under proof: what the catalog says, how it is asked, until when.

    `live` is what the source says of itself. No statement takes more than `statement_seconds`.
    """

    catalog: Catalog
    source: Source
    connector: Connector
    places: Places
    deadline: Deadline
    env: Mapping[str, str]
    statement_seconds: float = 10.0
    live: Mapping[str, SourceTable] = field(default_factory=dict)
    _counts: dict[str, int | None] = field(default_factory=dict)

    def live_table(self, name: str) -> SourceTable | None:
        """Returns what the source says of a table, None if it has no such table."""
        wanted = self.source.tables[name].physical
        return next((one for one in self.live.values() if one.physical == wanted), None) or (
            self.live.get(name) if self.source.connector in ("files", "rest") else None
        )

    def finding(
        self, position: Any, claim: str, verdict: Verdict, seen: str, hint: str = ""
    ) -> Finding:
        """Returns a finding about this source."""
        return Finding(self.source.name, position, claim, verdict, seen, hint)

    async def ask(
        self,
        tree: exp.Select,
        *,
        most: int,
        types: tuple[Type, ...] = (),
        params: Mapping[str, Any] | None = None,
        connector: Connector | None = None,
    ) -> Answer:
        """Returns at most so many rows of a SELECT over the catalog's tables.

        Placeholders in `column = ANY(:name)` are key sets. Raises SourceError RV401 where one
        statement takes too long.
        """
        asked = connector or self.connector
        given = dict(params or {})
        keysets = tuple(name for name, value in given.items() if isinstance(value, list))
        fragment = Fragment(
            id="live",
            source=self.source.name,
            tree=tree,
            types=types,
            keysets=keysets,
            params=tuple(name for name in given if name not in keysets),
            row_cap=most,
            is_scan=True,
        )
        call = asked.compile(fragment)
        return await asked.rows(call, given, self.deadline.sooner(self.statement_seconds))

    async def sample(
        self, table: str, columns: Sequence[str], *, is_one_piece: bool = False
    ) -> Sample:
        """Returns some columns of the first and, where a key orders them, the last rows.

        The two may overlap; `is_one_piece` asks for the first ones only.
        """
        declared = self.source.tables[table]
        names = tuple(dict.fromkeys(columns))
        types = tuple(declared.columns[name].type for name in names)
        tree = exp.select(*(column(name) for name in names)).from_(scanned(table))
        most = SAMPLE if is_one_piece else SAMPLE // 2
        first = await self.ask(tree, most=most, types=types)
        if is_one_piece or not first.is_truncated:
            return Sample(names, first.rows, is_whole=not first.is_truncated)
        rows = list(first.rows)
        key = declared.primary_key
        is_ordered = len(key) == 1 and declared.columns[key[0]].type.kind in _WHOLE
        if is_ordered and self.connector.capabilities.order:
            newest = exp.Ordered(this=column(key[0]), desc=True, nulls_first=False)
            last = await self.ask(tree.order_by(newest), most=SAMPLE // 2, types=types)
            rows += last.rows
        return Sample(names, rows, is_whole=False)

    async def count(self, table: str, condition: exp.Expr | None = None) -> int | None:
        """Returns how many rows there are, None where counting takes too long."""
        if condition is None and table in self._counts:
            return self._counts[table]
        tree = exp.select(exp.Count(this=exp.Star())).from_(scanned(table))
        if condition is not None:
            tree = tree.where(condition)
        try:
            answer = await self.ask(tree, most=1, types=(Type(Kind.BIGINT),))
            found: int | None = int(answer.rows[0][0])
        except SourceError as error:
            if error.code != "RV401":
                raise
            found = None
        if condition is None:
            self._counts[table] = found
        return found

    def counted(self, table: str) -> int | None:
        """Returns how many rows a table has if that was counted before."""
        return self._counts.get(table)

    async def rows_of(self, table: str) -> int | None:
        """Returns about how many rows a table has: by the source's estimate, else counted."""
        live = self.live_table(table)
        if live is not None and live.rows_estimate is not None:
            return live.rows_estimate
        if self.source.connector == "rest":
            return None
        return await self.count(table)

    async def duplicates(self, table: str, columns: Sequence[str]) -> int | None:
        """Returns how many values stand in several rows, up to MOST_COUNTED; None: no time."""
        known = [_present(name) for name in columns]
        many = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
        tree = (
            exp.select(exp.alias_(exp.Literal.number(1), "c0"))
            .from_(scanned(table))
            .where(*known)
            .group_by(*(column(name) for name in columns))
            .having(many)
        )
        return await self._found(tree)

    async def orphans(self, table: str, name: str, other: str, key: str) -> int | None:
        """Returns how many rows refer to nothing, up to MOST_COUNTED; None: no time."""
        target = exp.column(exp.to_identifier(key, quoted=True), table="p")
        tree = (
            exp.select(exp.alias_(exp.Literal.number(1), "c0"))
            .from_(scanned(table))
            .join(
                scanned(other, "p"),
                on=exp.EQ(this=target, expression=column(name)),
                join_type="left",
            )
            .where(_present(name), exp.Is(this=target.copy(), expression=exp.Null()))
        )
        return await self._found(tree)

    async def distinct(self, table: str, name: str) -> tuple[list[Any], bool] | None:
        """Returns the values of a column and whether that is all of them; None: no time."""
        tree = (
            exp.select(column(name))
            .from_(scanned(table))
            .where(_present(name))
            .group_by(column(name))
        )
        type_ = self.source.tables[table].columns[name].type
        try:
            answer = await self.ask(tree, most=MOST_COUNTED, types=(type_,))
        except SourceError as error:
            if error.code == "RV401":
                return None
            raise
        return [row[0] for row in answer.rows], not answer.is_truncated

    async def _found(self, tree: exp.Select) -> int | None:
        try:
            answer = await self.ask(tree, most=MOST_COUNTED, types=(Type(Kind.INTEGER),))
        except SourceError as error:
            if error.code == "RV401":
                return None
            raise
        return len(answer.rows)


def column(name: str) -> exp.Column:
    """Returns a column of the table that a question is about."""
    return exp.column(exp.to_identifier(name, quoted=True), table=_T)


def scanned(table: str, alias: str = _T) -> exp.Table:
    """Returns the FROM item of a table of the catalog."""
    named = exp.TableAlias(this=exp.to_identifier(alias))
    return exp.Table(this=exp.to_identifier(table, quoted=True), alias=named)


def reason(error: SourceError | RequestError) -> str:
    """Returns why a question got no answer."""
    return f"{error.code} {error.message}"


def _present(name: str) -> exp.Expr:
    return exp.Not(this=exp.Is(this=column(name), expression=exp.Null()))
