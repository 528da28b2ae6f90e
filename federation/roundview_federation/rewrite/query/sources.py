"""Decides what a source of one FROM is: a read, or a derived table over reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlglot import Dialect, exp

from roundview_federation.rewrite.query.conditions import Later

_PLAIN: Final = Dialect()
"""Made once: that takes as long as writing a text."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Says that rows matter only where `column` equals a value of one of the columns `of`.

    `of` names columns of other reads; together they have every value that can match.
    """

    column: str
    of: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Read:
    """Rows of one relation: what one reference to it in a query needs of it.

    `where` are conjuncts over the relation's columns, unqualified. `arguments` are those of
    `lookup(kind, value)`; the value may be known later. `spared` are columns of conditions that
    hold for every row that comes, so that they need not come themselves.
    """

    name: str
    relation: str
    columns: dict[str, None] = field(default_factory=dict)
    where: list[exp.Expr] = field(default_factory=list)
    binds: list[Bind] = field(default_factory=list)
    arguments: tuple[str | Later, ...] = ()
    spared: set[str] = field(default_factory=set)


Arm = Mapping[str, tuple[Read, str]]
"""Output column -> the read's column that it is, in one arm of a derived table."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What is known of a derived table: per arm of its set operation, whose columns it shows.

    `is_open` tells whether rows that its readers do not want may be left out below it.
    """

    arms: tuple[Arm, ...]
    is_open: bool


Local = Mapping[str, Derived]
"""Alias in one FROM -> where its columns come from."""


@dataclass(frozen=True, slots=True)
class Inner:
    """What is known of a SELECT inside an expression: its sources and its outputs."""

    local: Local
    outputs: Derived


class Columns(dict[str, tuple[Read, str]]):
    """Every column of a read, without listing them."""

    def __init__(self, one: Read) -> None:
        super().__init__()
        self._one = one

    def __missing__(self, name: str) -> tuple[Read, str]:
        return self._one, name

    def get(self, name: str, default: object = None) -> tuple[Read, str]:
        return self._one, name

    def __bool__(self) -> bool:
        return True


def text_of(tree: exp.Expr) -> str:
    """Returns the text under which equal trees meet."""
    return tree.sql(dialect=_PLAIN, copy=False)


def sources_of(select: exp.Select) -> Iterator[exp.Expr]:
    """Yields what stands in FROM and JOINs, in order."""
    source = select.args.get("from_")
    if source is not None:
        yield from joined(source.this)
    for join in select.args.get("joins") or ():
        yield from joined(join.this)


def joined(source: exp.Expr) -> Iterator[exp.Expr]:
    """Yields a source, or those of a join in parentheses."""
    if not isinstance(source, exp.Subquery) or isinstance(source.this, exp.Query):
        yield source
        return
    inner = source.this
    yield from joined(inner)
    for join in inner.args.get("joins") or ():
        yield from joined(join.this)
