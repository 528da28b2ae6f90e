"""Decides what a random query is: any question of some SELECT that PostgreSQL answers.

query(seed) is the same for ever: a seed names a query.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.sql.query_sources import Joined, Sources
from tests.sql.query_terms import (
    BIG,
    BOOL,
    INT,
    NUM,
    TEXT,
    TYPES,
    Column,
    Scope,
    Terms,
    quoted,
)


@dataclass(frozen=True, slots=True)
class Query:
    """A query. `is_ordered` says that its rows have one order; `hard` is what DuckDB does its
    own way."""

    seed: int
    text: str
    is_ordered: bool
    hard: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Output:
    """One column of a SELECT: what stands there, and the name that it gets."""

    sql: str
    type: str
    name: str
    is_column: bool = False

    @property
    def written(self) -> str:
        return self.sql if not self.name else f"{self.sql} AS {self.name}"


def query(seed: int) -> Query:
    """Returns the query of a seed."""
    return _Making(random.Random(seed)).query(seed)


class _Making:
    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._terms = Terms(draw, self._subquery)
        self._depth, self._terms.leaves = draw.choice(((0, 0.7), (1, 0.55), (2, 0.4)))
        self._sources = Sources(self._terms, self._below)

    def query(self, seed: int) -> Query:
        """Returns a whole query."""
        heads = []
        for _ in range(self._draw.choices((0, 1, 2), (8 - 2 * self._depth, 2, self._depth / 2))[0]):
            name = self._sources.fresh("w")
            sql, relation = self._sources.table(name, max(self._depth, 1))
            columns = ", ".join(relation.columns)
            word = self._draw.choices(("", "MATERIALIZED ", "NOT MATERIALIZED "), (8, 1, 1))[0]
            heads.append(f"{name} ({columns}) AS {word}({sql})")
            self._sources.tables[name] = relation
        types = [self._draw.choice(TYPES) for _ in range(self._draw.randint(1, 4))]
        text, is_ordered = self._top(types)
        if heads:
            text = f"WITH {', '.join(heads)} {text}"
        return Query(seed, text, is_ordered, frozenset(self._terms.hard))

    # -- shapes ------------------------------------------------------------------------------

    def _top(self, types: Sequence[str]) -> tuple[str, bool]:
        count = self._draw.choices((1, 2, 3, 4, 5, 6), (8, 25, 35, 20, 8, 4))[0]
        roll = self._draw.random()
        if roll < 0.14:
            body = self._set(types, 2, self._depth)
        elif roll < 0.44:
            body = self._grouped(types, self._sources.joined(count, self._depth), None)
        elif roll < 0.52:
            return self._distinct_on(types, self._sources.joined(count, self._depth))
        elif roll < 0.64:
            return self._by_keys(types, self._sources.joined(count, self._depth))
        else:
            source = self._sources.joined(count, self._depth)
            body = self._plain(types, source, None, is_top=True)
        text, is_ordered = self._ordered(body, len(types))
        if self._terms.chance(0.05):
            return f"SELECT * FROM ({text}) AS whole", False
        return text, is_ordered

    def _below(self, types: Sequence[str], depth: int, outer: Scope | None) -> tuple[str, int]:
        """Returns a query for FROM or WITH, and about how many rows it has."""
        roll = self._draw.random()
        if roll < 0.16 and outer is None:
            return self._set(types, 1, depth), 60
        source = self._sources.joined(self._draw.choices((1, 2, 3), (6, 4, 1))[0], depth)
        if roll < 0.5:
            return self._grouped(types, source, outer), 30
        body = self._plain(types, source, outer)
        if roll < 0.62:
            text, _ = self._ordered(body, len(types), always=True)
            return text, min(source.rows, 10)
        return body, source.rows

    def _subquery(self, kind: str, type_: str, scope: Scope) -> str:
        """Returns a query below a value or condition, which may name columns of the scope."""
        source = self._sources.joined(self._draw.choices((1, 2), (8, 2))[0], 0)
        inner = source.scope(scope if self._terms.chance(0.7) else None)
        where = f" WHERE {self._link(inner, source)}" if self._terms.chance(0.85) else ""
        if kind == "any":
            return f"SELECT {self._draw.choice(('1', '*'))} FROM {source.sql}{where}"
        if kind == "list":
            word = "DISTINCT " if self._terms.chance(0.15) else ""
            return f"SELECT {word}{self._own(type_, inner)} FROM {source.sql}{where}"
        if self._terms.chance(0.3):
            value = self._own(type_, inner)
            return f"SELECT {value} FROM {source.sql}{where} ORDER BY 1 LIMIT 1"
        return (
            f"SELECT {self._aggregate(type_, replace(inner, outer=None))} FROM {source.sql}{where}"
        )

    def _link(self, inner: Scope, source: Joined) -> str:
        if inner.outer is not None and self._terms.chance(0.7):
            pairs = [
                (one, other)
                for one in inner.columns
                for other in inner.outer.columns
                if one.type == other.type and other.is_known_below
            ]
            if pairs:
                one, other = self._draw.choice(pairs)
                sign = self._draw.choice(("=", "=", "=", "<", "<>"))
                more = f" AND {self._terms.condition(inner, 0)}" if self._terms.chance(0.4) else ""
                return f"{one.sql} {sign} {other.sql}{more}"
        return self._terms.condition(inner, 0)

    def _own(self, type_: str, inner: Scope) -> str:
        columns = inner.of(type_)
        if columns and self._terms.chance(0.8):
            return self._draw.choice(columns).sql
        return self._terms.value(type_, inner, 1)

    def _set(self, types: Sequence[str], arms: int, depth: int) -> str:
        def arm() -> str:
            source = self._sources.joined(self._draw.choices((1, 2), (7, 3))[0], min(depth, 1))
            if self._terms.chance(0.25):
                return self._grouped(types, source, None)
            return self._plain(types, source, None)

        if NUM in types:
            self._terms.hard.add("decimals of several scales")
        text = arm()
        for at in range(self._draw.randint(1, arms)):
            word = self._draw.choice(
                ("UNION", "UNION", "UNION ALL", "UNION ALL", "UNION ALL", "EXCEPT", "EXCEPT ALL",
                 "INTERSECT", "INTERSECT ALL")
            )  # fmt: skip
            text = f"({text}) {word} ({arm()})" if at else f"{text} {word} {arm()}"
        return text

    def _ordered(self, body: str, width: int, *, always: bool = False) -> tuple[str, bool]:
        """Adds ORDER BY, and a LIMIT only where all columns are in the order."""
        roll = self._draw.random()
        if roll < 0.45 and not always:
            return body, False
        places = list(range(1, width + 1))
        self._draw.shuffle(places)
        if roll < 0.55 and not always:
            some = places[: self._draw.randint(1, width)]
            return f"{body} ORDER BY {self._terms_of(some)}", len(some) == width
        text = f"{body} ORDER BY {self._terms_of(places)}"
        if roll < 0.9 or always:
            text += f" LIMIT {self._draw.choice((1, 3, 5, 10, 10, 20, 50, 100, 100, 200, 0))}"
            if self._terms.chance(0.3):
                text += f" OFFSET {self._draw.choice((0, 1, 1, 2, 7))}"
        return text, True

    def _terms_of(self, places: Sequence[int]) -> str:
        words = ("", "", " ASC", " DESC", " NULLS FIRST", " DESC NULLS LAST", " ASC NULLS LAST")
        return ", ".join(f"{place}{self._draw.choice(words)}" for place in places)

    # -- SELECT ------------------------------------------------------------------------------

    def _plain(
        self,
        types: Sequence[str],
        source: Joined,
        outer: Scope | None,
        *,
        is_top: bool = False,
        may_repeat: bool = False,
    ) -> str:
        scope = source.scope(outer)
        outputs = [self._output(type_, scope, at) for at, type_ in enumerate(types)]
        if self._terms.chance(0.3 if is_top else 0.12):
            at = self._draw.randrange(len(outputs))
            window = self._window(scope, types[at])
            if window:
                outputs[at] = _Output(window, types[at], f"c{at + 1}")
        word = "DISTINCT " if not may_repeat and self._terms.chance(0.12) else ""
        columns = ", ".join(output.written for output in outputs)
        return f"SELECT {word}{columns} FROM {source.sql}{self._where(scope)}"

    def _by_keys(self, types: Sequence[str], source: Joined) -> tuple[str, bool]:
        """Returns a query in the order of columns that need not be in its answer."""
        scope = source.scope()
        body = self._plain(types, source, None, may_repeat=True)
        if scope.keys is None:
            return self._ordered(body, len(types))
        first = [self._draw.choice(scope.columns).sql for _ in range(self._draw.randint(0, 2))]
        words = ("", " DESC", " NULLS FIRST", " DESC NULLS LAST")
        terms = [key + self._draw.choice(words) for key in (*first, *scope.keys)]
        text = f"{body} ORDER BY {', '.join(terms)}"
        if self._terms.chance(0.7):
            text += f" LIMIT {self._draw.choice((1, 4, 20, 60))}"
        return text, True

    def _output(self, type_: str, scope: Scope, at: int) -> _Output:
        found = scope.of(type_)
        if found and self._terms.chance(0.5):
            column = self._draw.choice(found)
            name = self._draw.choice(("", "", f"c{at + 1}", f'"Col {at + 1}"'))
            return _Output(column.sql, type_, name, is_column=True)
        return _Output(self._terms.value(type_, scope, 3), type_, f"c{at + 1}")

    def _where(self, scope: Scope) -> str:
        return f" WHERE {self._terms.condition(scope, 2)}" if self._terms.chance(0.5) else ""

    def _distinct_on(self, types: Sequence[str], source: Joined) -> tuple[str, bool]:
        scope = source.scope()
        outputs = [self._output(type_, scope, at) for at, type_ in enumerate(types)]
        firsts = [
            replace(one, name=f"c{at + 1}") for at, one in enumerate(outputs) if one.is_column
        ]
        if not firsts:
            text = self._plain(types, source, None)
            return self._ordered(text, len(types))
        rest = [at + 1 for at, one in enumerate(outputs) if not one.is_column]
        on = ", ".join(one.sql for one in firsts[:1])
        terms = [one.sql + self._draw.choice(("", " DESC", " NULLS FIRST")) for one in firsts]
        order = ", ".join([*terms, *([self._terms_of(rest)] if rest else [])])
        columns = ", ".join(output.written for output in outputs)
        where = self._where(scope)
        text = f"SELECT DISTINCT ON ({on}) {columns} FROM {source.sql}{where} ORDER BY {order}"
        return text, True

    def _grouped(self, types: Sequence[str], source: Joined, outer: Scope | None) -> str:
        scope = source.scope(outer)
        groups: list[Column] = []
        for _ in range(self._draw.choices((0, 1, 2, 3), (15, 45, 30, 10))[0]):
            if self._terms.chance(0.75):
                column = self._draw.choice(scope.columns)
                groups.append(replace(column, short=""))
            else:
                type_ = self._draw.choice((INT, TEXT, BOOL))
                text = self._terms.value(type_, replace(scope, outer=None), 1)
                if any(column.sql in text for column in scope.columns):
                    groups.append(Column(text, type_, is_wild=True, is_plain=False))
        own = replace(scope, outer=None)
        aggregates = [
            Column(self._aggregate(type_, own), type_, is_wild=True, is_plain=False)
            for type_ in (*types, *(self._draw.choice(TYPES) for _ in range(2)))
        ]
        grouped = Scope((*groups, *aggregates), None, None)
        outputs = []
        for at, type_ in enumerate(types):
            found = grouped.of(type_)
            plain = bool(found) and self._terms.chance(0.75)
            value = self._draw.choice(found).sql if plain else self._terms.value(type_, grouped, 2)
            outputs.append(f"{value} AS c{at + 1}")
        by = ""
        if groups:
            by = " GROUP BY " + ", ".join(dict.fromkeys(group.sql for group in groups))
        having = f" HAVING {self._terms.condition(grouped, 1)}" if self._terms.chance(0.18) else ""
        return f"SELECT {', '.join(outputs)} FROM {source.sql}{self._where(scope)}{by}{having}"

    def _aggregate(self, type_: str, scope: Scope) -> str:
        if type_ == BOOL:
            word = self._draw.choice(("bool_and", "bool_or"))
            return f"{word}({self._terms.value(BOOL, scope, 1)}){self._filter(scope)}"
        once = "DISTINCT " if self._terms.chance(0.15) else ""
        if type_ == BIG:
            if self._terms.chance(0.4):
                return f"count(*){self._filter(scope)}"
            argument = self._terms.value(self._terms.type_in(scope), scope, 1)
            if self._terms.chance(0.6):
                return f"count({once}{argument}){self._filter(scope)}"
            return f"sum({once}{self._terms.value(INT, scope, 1)}){self._filter(scope)}"
        if type_ == NUM and self._terms.chance(0.65):
            word = self._draw.choices(("sum", "avg"), (75, 25))[0]
            if word == "avg":
                self._terms.hard.add("avg")
            of = self._draw.choice((NUM, NUM, BIG)) if word == "sum" else NUM
            return f"{word}({once}{self._terms.value(of, scope, 1)}){self._filter(scope)}"
        if type_ == TEXT and self._terms.chance(0.25):
            found = scope.of(TEXT)
            value = self._draw.choice(found).sql if found else "'x'"
            once = once if found else ""
            order = self._draw.choice(("", " DESC", " NULLS FIRST"))
            divider = quoted(self._draw.choice((",", "; ", "")))
            return f"string_agg({once}{value}, {divider} ORDER BY {value}{order})"
        word = self._draw.choice(("min", "max"))
        return f"{word}({self._terms.value(type_, scope, 1)}){self._filter(scope)}"

    def _filter(self, scope: Scope) -> str:
        if not self._terms.chance(0.15):
            return ""
        return f" FILTER (WHERE {self._terms.condition(scope, 0)})"

    def _window(self, scope: Scope, type_: str) -> str:
        """Returns a window function of a type that has one answer, "" where there is none."""
        some = [self._draw.choice(scope.columns).sql for _ in range(2)]
        by = f"PARTITION BY {some[0]} " if self._terms.chance(0.6) else ""
        order = f"ORDER BY {some[1]}{self._draw.choice(('', ' DESC', ' NULLS FIRST'))}"
        found = [column.sql for column in scope.of(type_)]
        if scope.keys is None or self._terms.chance(0.25):
            # Rows that are equal in the order have one answer only if they count as one.
            if type_ == BIG:
                word = self._draw.choice(("rank", "dense_rank", "count"))
                return f"{word}({'*' if word == 'count' else ''}) OVER ({by}{order})"
            if not found or type_ == BOOL:
                return ""
            word = self._draw.choice(("sum", "max", "min") if type_ == NUM else ("max", "min"))
            frame = order if self._terms.chance(0.6) else ""
            return f"{word}({self._draw.choice(found)}) OVER ({by}{frame})"
        total = f"{order}, {', '.join(scope.keys)}"
        if type_ == BIG and (not found or self._terms.chance(0.6)):
            return f"row_number() OVER ({by}{total})"
        if not found:
            return ""
        value = self._draw.choice(found)
        word = self._draw.choice(("lag", "lead", "first_value", "last_value"))
        frame = ""
        if word in ("lag", "lead") and self._terms.chance(0.4):
            value += ", 2"
        if word in ("first_value", "last_value"):
            frame = " ROWS BETWEEN " + self._draw.choice(
                (
                    "UNBOUNDED PRECEDING AND CURRENT ROW",
                    "2 PRECEDING AND 1 FOLLOWING",
                    "CURRENT ROW AND UNBOUNDED FOLLOWING",
                )
            )
        return f"{word}({value}) OVER ({by}{total}{frame})"
