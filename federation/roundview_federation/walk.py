"""Decides how one table is walked from its first row to its last: by key, or page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlglot import exp

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Branch
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import Connector, Paged
from roundview_federation.plan import Answer, Arrival, Fragment
from roundview_federation.resilience.deadline import Deadline

_AFTER = "walk_after"
_LIMIT = "walk_limit"
# Values of these compare in the source as the driver returned them, and order as they compare.
_WALKED = (Kind.INTEGER, Kind.BIGINT, Kind.TEXT, Kind.UUID)
_NEEDED = frozenset({"EQ", "GT"})
_PIECE_SECONDS = 60.0
_LIST_SECONDS = 24 * 3600.0
_MOST_ROWS = 2**31 - 2
_LARGEST_GROWTH = 64
# What a connector puts in place of bytes that are no text: the key itself is not known.
_REPLACED = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Walk:
    """A scan that is read in pieces; `arrivals` are what becomes of its rows.

    `first` and `following` are the calls for the first piece and for those after a key, which
    stands at `key` in a row; `following` is None where the source's own pages lead on.
    """

    source: str
    arrivals: tuple[Arrival, ...]
    connector: Connector
    first: Any
    following: Any
    key: tuple[int, ...]

    @classmethod
    def over(
        cls,
        fragment: Fragment,
        branch: Branch,
        arrivals: tuple[Arrival, ...],
        connector: Connector,
    ) -> Walk | None:
        """Returns the walk over a scan, None where its source can neither order nor page."""
        capabilities = connector.capabilities
        if capabilities.pages:
            call = connector.compile(fragment)
            return cls(fragment.source, arrivals, connector, call, None, ())
        is_ordered = capabilities.order and capabilities.limit and capabilities.filters >= _NEEDED
        if not is_ordered or not all(type_.kind in _WALKED for type_ in branch.key_types):
            return None
        shown = [one.this for one in fragment.tree.expressions]
        return cls(
            source=fragment.source,
            arrivals=arrivals,
            connector=connector,
            first=connector.compile(_piece(fragment, branch, is_first=True)),
            following=connector.compile(_piece(fragment, branch, is_first=False)),
            key=tuple(shown.index(column) for column in branch.key),
        )

    async def pieces(self, size: int) -> AsyncIterator[Answer]:
        """Yields all rows, about `size` at a time where the source takes a number.

        Rows of one key come in one piece. Raises SourceError, RV405 where they do not fit in one.
        """
        if self.following is None:
            paged = cast(Paged, self.connector)
            async for answer in paged.pages(self.first, Deadline.after(_LIST_SECONDS)):
                yield answer
            return
        after: tuple[Any, ...] = ()
        # One more than wanted, since the last key is left for the next piece.
        wanted = size + 1
        while True:
            params = {f"{_AFTER}{at}": value for at, value in enumerate(after)}
            answer = await self.connector.rows(
                self.following if after else self.first,
                {_LIMIT: wanted, **params},
                Deadline.after(_PIECE_SECONDS),
            )
            if not answer.is_truncated and len(answer.rows) < wanted:
                yield answer
                return
            end = self._end(answer.rows)
            if end:
                after = self._key_of(answer.rows[end - 1])
                yield replace(answer, rows=answer.rows[:end], is_truncated=False)
                wanted = size + 1
            elif answer.is_truncated or wanted > size * _LARGEST_GROWTH:
                raise self._stuck()
            else:
                wanted *= 2

    def _end(self, rows: Sequence[tuple[Any, ...]]) -> int:
        """Returns how many rows stand before those of the last key, of which more may follow."""
        end = len(rows)
        while end:
            last = self._key_of(rows[end - 1])
            while end and self._key_of(rows[end - 1]) == last:
                end -= 1
            if end and not _is_unknown(self._key_of(rows[end - 1])):
                return end
        return 0

    def _key_of(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(row[at] for at in self.key)

    def _stuck(self) -> SourceError:
        return SourceError(
            self.source,
            f"{self.source} has too many or too large rows under one key of its people",
            code="RV405",
            hint="check key, or raise limits.bytes",
            retryable=False,
        )


def _piece(fragment: Fragment, branch: Branch, *, is_first: bool) -> Fragment:
    """Returns `fragment [AND key > :after] ORDER BY key LIMIT :limit`."""
    key = branch.key
    tree = fragment.tree.copy()
    present = [exp.Not(this=exp.Is(this=one.copy(), expression=exp.Null())) for one in key]
    tree = tree.where(*present, copy=False)
    params = [_LIMIT]
    if not is_first:
        tree = tree.where(_beyond(key), copy=False)
        params += [f"{_AFTER}{at}" for at in range(len(key))]
    terms = zip(key, branch.key_types, strict=True)
    tree.set("order", exp.Order(expressions=[_term(column, type_) for column, type_ in terms]))
    tree.set("limit", exp.Limit(expression=exp.Placeholder(this=_LIMIT)))
    # Not a scan: rows below a row are asked row by row, since there are few rows.
    return replace(fragment, tree=tree, params=tuple(params), is_scan=False, row_cap=_MOST_ROWS)


def _term(column: exp.Column, type_: Type) -> exp.Expr:
    """Returns what orders by a column: an index serves where nothing is said about NULL.

    There is none left; but text has to be an ordered term, for connectors to see to its collation.
    """
    return exp.Ordered(this=column.copy()) if type_.kind is Kind.TEXT else column.copy()


def _beyond(key: tuple[exp.Column, ...]) -> exp.Expr:
    """Returns `(a, b) > (:a, :b)` in the form that every source takes."""
    ways = []
    for at, column in enumerate(key):
        equal = [
            exp.EQ(this=one.copy(), expression=exp.Placeholder(this=f"{_AFTER}{before}"))
            for before, one in enumerate(key[:at])
        ]
        above = exp.GT(this=column.copy(), expression=exp.Placeholder(this=f"{_AFTER}{at}"))
        ways.append(exp.and_(*equal, above))
    return ways[0] if len(ways) == 1 else exp.paren(exp.or_(*ways))


def _is_unknown(key: tuple[Any, ...]) -> bool:
    return any(isinstance(part, str) and _REPLACED in part for part in key)
