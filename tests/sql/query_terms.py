"""Decides which values and conditions random queries are made of: always valid PostgreSQL.

Nothing here can fail while it runs: divisors are constants, numbers at the ends of their types
become numeric before anything is added to them, and texts are never read as something else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from tests.sql import odd_world

INT, BIG, NUM, TEXT, BOOL, DATE, MOMENT = "int", "big", "num", "text", "bool", "date", "moment"
TYPES = (INT, BIG, NUM, TEXT, BOOL, DATE, MOMENT)
NUMBERS = (INT, BIG, NUM)
SQL_TYPES = {
    INT: "integer",
    BIG: "bigint",
    NUM: "numeric",
    TEXT: "text",
    BOOL: "boolean",
    DATE: "date",
    MOMENT: "timestamptz",
}
COMPARISONS = ("=", "=", "<>", "<>", "<", "<=", "<=", ">", ">=", ">=")
PATTERNS = (
    "%", "a%", "%b", "%l%", "_b", "a\\_b", "a\\%b", "100\\%", "%\\\\%", "Ä%", "%ß%", "", "tail_",
    "%'%", "A_", "%ö%", "_", "日%", "%a%b%",
)  # fmt: skip
INTERVALS = ("1 day", "-3 days", "1 month", "1 year", "2 hours", "90 minutes", "1 month 2 days")
_POOLS: Mapping[str, Sequence[object]] = {
    INT: odd_world.SMALL,
    BIG: (*odd_world.SMALL, 2**40, -(2**53) - 1),
    NUM: odd_world.AMOUNTS,
    BOOL: (True, False),
    DATE: odd_world.DAYS,
    MOMENT: odd_world.MOMENTS,
}
_VALUES: Mapping[str, type] = {
    INT: int,
    BIG: int,
    NUM: Decimal,
    TEXT: str,
    BOOL: bool,
    DATE: date,
    MOMENT: datetime,
}
UNITS = ("year", "quarter", "month", "week", "day", "hour")


@dataclass(frozen=True, slots=True)
class Column:
    """Something that may be named in a scope: a column, a group or an aggregate.

    `sql` names it wherever the scope is seen; `short` is its bare name where that is enough, ""
    elsewhere. A wild number lies at an end of its type. Only plain columns may be named from a
    query below.
    """

    sql: str
    type: str
    short: str = ""
    is_wild: bool = False
    is_plain: bool = True

    @property
    def is_known_below(self) -> bool:
        """Tells whether a query below may name it: plain, and by a name that is no other there."""
        return self.is_plain and "." in self.sql


@dataclass(frozen=True, slots=True)
class Scope:
    """What a clause may name. `keys` are columns that together are unique in every row."""

    columns: tuple[Column, ...]
    keys: tuple[str, ...] | None = None
    outer: Scope | None = None

    def of(self, type_: str) -> list[Column]:
        """Returns the columns of a type."""
        return [column for column in self.columns if column.type == type_]


@dataclass
class Terms:
    """Draws values and conditions.

    `subquery(kind, type, scope)` draws a query below: scalar, list or any. `hard` collects what
    DuckDB is known to compute in its own way.
    """

    draw: random.Random
    subquery: Callable[[str, str, Scope], str]
    hard: set[str] = field(default_factory=set)
    leaves: float = 0.45
    """share of values that are columns or constants"""

    def chance(self, share: float) -> bool:
        """Is true that often."""
        return self.draw.random() < share

    def type_in(self, scope: Scope) -> str:
        """Returns the type of some column."""
        return self.draw.choice(scope.columns).type if scope.columns else self.draw.choice(TYPES)

    def value(self, type_: str, scope: Scope, depth: int = 2) -> str:
        """Returns SQL of that type, in brackets where it needs them."""
        if depth <= 0 or self.chance(self.leaves):
            return self.leaf(type_, scope)
        if self.chance(0.18):
            return self._conditional(type_, scope, depth)
        if depth > 1 and self.chance(0.06):
            return f"({self.subquery('scalar', type_, scope)})"
        return self.draw.choice(self._makers(type_))(scope, depth - 1)

    def leaf(self, type_: str, scope: Scope) -> str:
        """Returns a column or a constant."""
        if scope.outer is not None and self.chance(0.15):
            above = [column for column in scope.outer.of(type_) if column.is_known_below]
            if above:
                return self.draw.choice(above).sql
        found = scope.of(type_)
        if found and self.chance(0.85):
            return self.named(self.draw.choice(found))
        return self.constant(type_)

    def named(self, column: Column) -> str:
        """Returns a column by its full or, sometimes, its bare name."""
        return column.short if column.short and self.chance(0.15) else column.sql

    def constant(self, type_: str) -> str:
        """Returns a constant, sometimes NULL."""
        if self.chance(0.07):
            return f"CAST(NULL AS {SQL_TYPES[type_]})"
        pool: Sequence[object]
        if type_ == TEXT:
            pool = (*odd_world.TEXTS, *odd_world.CODES, *odd_world.CITIES, *odd_world.BLANKS)
        else:
            pool = _POOLS[type_]
        return literal(type_, self.draw.choice(pool))

    def near(self, column: Column) -> str:
        """Returns a constant that a column of its name may hold."""
        pool = odd_world.POOLS.get(column.sql.rpartition(".")[2], ())
        fits = [value for value in pool if isinstance(value, _VALUES[column.type])]
        if not fits or self.chance(0.1):
            return self.constant(column.type)
        return literal(column.type, self.draw.choice(fits))

    def condition(self, scope: Scope, depth: int = 2) -> str:
        """Returns a boolean."""
        if depth > 0 and self.chance(0.8 - self.leaves):
            one, other = self.condition(scope, depth - 1), self.condition(scope, depth - 1)
            return self.draw.choice(
                (f"({one} AND {other})", f"({one} OR {other})", f"({one} OR {other})",
                 f"(NOT {one})")
            )  # fmt: skip
        return self.draw.choices(
            (self._compared, self._of_null, self._in_list, self._between, self._like,
             self._truth, self._distinct, self._in_query, self._exists, self._with_query,
             self._row),
            (34, 14, 10, 7, 10, 6, 6, 6 * (depth > 0), 6 * (depth > 0), 4 * (depth > 0), 1),
        )[0](scope, depth)  # fmt: skip

    def compared(self, scope: Scope, one: str, type_: str, depth: int = 1) -> str:
        """Returns a comparison of a value with another."""
        other = self.value(self._kin(type_), scope, depth)
        return f"({one} {self.draw.choice(COMPARISONS)} {other})"

    def _kin(self, type_: str) -> str:
        return self.draw.choice(NUMBERS) if type_ in NUMBERS and self.chance(0.3) else type_

    # -- conditions --------------------------------------------------------------------------

    def _compared(self, scope: Scope, depth: int) -> str:
        if scope.columns and self.chance(0.5):
            column = self.draw.choice(scope.columns)
            return f"({self.named(column)} {self.draw.choice(COMPARISONS)} {self.near(column)})"
        type_ = self.type_in(scope)
        return self.compared(scope, self.value(type_, scope, depth), type_, depth)

    def _of_null(self, scope: Scope, depth: int) -> str:
        word = self.draw.choice(("IS NULL", "IS NOT NULL"))
        return f"({self.value(self.type_in(scope), scope, depth)} {word})"

    def _in_list(self, scope: Scope, depth: int) -> str:
        if scope.columns and self.chance(0.6):
            column = self.draw.choice(scope.columns)
            near = ", ".join(self.near(column) for _ in range(self.draw.randint(2, 6)))
            return f"({self.named(column)} {self.draw.choice(('IN', 'IN', 'NOT IN'))} ({near}))"
        type_ = self.type_in(scope)
        items = [self.constant(type_) for _ in range(self.draw.randint(1, 5))]
        word = self.draw.choice(("IN", "IN", "NOT IN"))
        return f"({self.value(type_, scope, depth)} {word} ({', '.join(items)}))"

    def _between(self, scope: Scope, depth: int) -> str:
        if scope.columns and self.chance(0.6):
            column = self.draw.choice(scope.columns)
            return f"({self.named(column)} BETWEEN {self.near(column)} AND {self.near(column)})"
        type_ = self.type_in(scope)
        word = self.draw.choice(("BETWEEN", "BETWEEN", "NOT BETWEEN"))
        ends = (self.value(self._kin(type_), scope, 0) for _ in range(2))
        return f"({self.value(type_, scope, depth)} {word} {' AND '.join(ends)})"

    def _like(self, scope: Scope, depth: int) -> str:
        word = self.draw.choices(("LIKE", "NOT LIKE", "ILIKE"), (7, 2, 1))[0]
        pattern = self.draw.choice(PATTERNS)
        if "\\" in pattern or word == "ILIKE":
            self.hard.add("LIKE")
        return f"({self.value(TEXT, scope, depth)} {word} {quoted(pattern)})"

    def _truth(self, scope: Scope, depth: int) -> str:
        if self.chance(0.5):
            return self.value(BOOL, scope, depth)
        words = ("TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN")
        return f"({self.value(BOOL, scope, depth)} IS {self.draw.choice(words)})"

    def _distinct(self, scope: Scope, depth: int) -> str:
        type_ = self.type_in(scope)
        word = self.draw.choice(("IS DISTINCT FROM", "IS NOT DISTINCT FROM"))
        return f"({self.value(type_, scope, depth)} {word} {self.value(type_, scope, 0)})"

    def _in_query(self, scope: Scope, depth: int) -> str:
        type_ = self.type_in(scope)
        word = self.draw.choice(("IN", "IN", "NOT IN"))
        return f"({self.leaf(type_, scope)} {word} ({self.subquery('list', type_, scope)}))"

    def _exists(self, scope: Scope, depth: int) -> str:
        word = self.draw.choice(("EXISTS", "NOT EXISTS"))
        return f"({word} ({self.subquery('any', TEXT, scope)}))"

    def _with_query(self, scope: Scope, depth: int) -> str:
        type_ = self.type_in(scope)
        one, sign = self.value(type_, scope, 1), self.draw.choice(COMPARISONS)
        if self.chance(0.25):
            word = self.draw.choice(("ANY", "ALL"))
            return f"({one} {sign} {word} ({self.subquery('list', type_, scope)}))"
        return f"({one} {sign} ({self.subquery('scalar', type_, scope)}))"

    def _row(self, scope: Scope, depth: int) -> str:
        self.hard.add("row value")
        types = [self.type_in(scope) for _ in range(2)]
        rows = [", ".join(self.leaf(type_, scope) for type_ in types) for _ in range(2)]
        return f"(({rows[0]}) {self.draw.choices(('=', '<>', '<', '>='), (4, 4, 1, 1))[0]} ({rows[1]}))"

    # -- values ------------------------------------------------------------------------------

    def _conditional(self, type_: str, scope: Scope, depth: int) -> str:
        one, other = (self.value(type_, scope, depth - 1) for _ in range(2))
        roll = self.draw.random()
        if roll < 0.35:
            return f"coalesce({one}, {other})"
        if roll < 0.5:
            return f"nullif({one}, {self.leaf(type_, scope)})"
        if roll < 0.58 and type_ != BOOL:
            return f"{self.draw.choice(('greatest', 'least'))}({one}, {other})"
        test = self.condition(scope, 0)
        rest = f" ELSE {other}" if self.chance(0.7) else ""
        if roll < 0.7:
            tested = self.type_in(scope)
            subject, match = self.leaf(tested, scope), self.constant(tested)
            return f"CASE {subject} WHEN {match} THEN {one}{rest} END"
        return f"CASE WHEN {test} THEN {one}{rest} END"

    def _makers(self, type_: str) -> Sequence[Callable[[Scope, int], str]]:
        return {
            INT: (self._sum, self._length, self._part_of_time, self._whole, self._days),
            BIG: (self._big_sum, self._widened),
            NUM: (self._decimal, self._decimal, self._rounded, self._exact),
            TEXT: (self._joined, self._joined, self._cut, self._folded, self._trimmed,
                   self._replaced, self._told, self._padded),
            BOOL: (lambda scope, depth: self.condition(scope, depth),),
            DATE: (self._moved, self._day_of),
            MOMENT: (self._shifted, self._truncated),
        }[type_]  # fmt: skip

    def _small(self, scope: Scope) -> str:
        columns = [c for c in scope.of(INT) if not c.is_wild and c.is_plain]
        return self.named(self.draw.choice(columns)) if columns else self.constant(INT)

    def _sum(self, scope: Scope, depth: int) -> str:
        return f"({self._small(scope)} {self.draw.choice('+-*')} {self._small(scope)})"

    def _big_sum(self, scope: Scope, depth: int) -> str:
        columns = [c.sql for c in scope.of(BIG) if not c.is_wild]
        one = self.draw.choice(columns) if columns else "CAST(3 AS bigint)"
        return f"({one} {self.draw.choice('+-*')} {self._small(scope)})"

    def _widened(self, scope: Scope, depth: int) -> str:
        return f"CAST({self.value(INT, scope, depth)} AS bigint)"

    def _length(self, scope: Scope, depth: int) -> str:
        text = self.value(TEXT, scope, depth)
        return f"strpos({text}, 'a')" if self.chance(0.2) else f"length({text})"

    def _part_of_time(self, scope: Scope, depth: int) -> str:
        part = self.draw.choice(("year", "month", "day", "dow", "quarter"))
        from_ = self.value(self.draw.choice((DATE, MOMENT)), scope, depth)
        return f"CAST(extract({part} FROM {from_}) AS integer)"

    def _whole(self, scope: Scope, depth: int) -> str:
        number = self._small(scope)
        roll = self.draw.random()
        if roll < 0.3:
            return f"abs({number})"
        self.hard.add("integer division")
        sign, by = ("/", self.draw.choice((2, 3, -4))) if roll < 0.65 else ("%", 3)
        return f"({number} {sign} {_number(by)})"

    def _days(self, scope: Scope, depth: int) -> str:
        if self.chance(0.3):
            gone = f"({self.leaf(MOMENT, scope)} - {self.leaf(MOMENT, scope)})"
            return f"CAST(extract(epoch FROM {gone}) / 86400 AS integer)"
        return f"({self.leaf(DATE, scope)} - {self.leaf(DATE, scope)})"

    def _decimal(self, scope: Scope, depth: int) -> str:
        one, other = self.value(NUM, scope, depth), self.leaf(self.draw.choice(NUMBERS), scope)
        if self.chance(0.15):
            self.hard.add("quotient")
            return f"({one} / {self.draw.choice(('2', '3.0', '7', '-0.25'))})"
        # Products of products soon have more digits than any engine but PostgreSQL keeps.
        sign = self.draw.choice("+-") if self.chance(0.8) else "*"
        return f"({one} {sign} {other})"

    def _rounded(self, scope: Scope, depth: int) -> str:
        value = self.value(NUM, scope, depth)
        word = self.draw.choice(("round", "floor", "ceil", "abs", "trunc"))
        return f"{word}({value}, {self.draw.choice((0, 1, 2))})" if word == "round" else (
            f"{word}({value})"
        )  # fmt: skip

    def _exact(self, scope: Scope, depth: int) -> str:
        self.hard.add("wide numeric")
        return f"CAST({self.leaf(self.draw.choice((INT, BIG)), scope)} AS numeric)"

    def _joined(self, scope: Scope, depth: int) -> str:
        one, other = self.value(TEXT, scope, depth), self.leaf(TEXT, scope)
        if self.chance(0.3):
            return f"concat({one}, {self.leaf(self.draw.choice((TEXT, INT)), scope)})"
        return f"({one} || {other})"

    def _cut(self, scope: Scope, depth: int) -> str:
        text, count = self.value(TEXT, scope, depth), self.draw.randint(0, 4)
        if self.chance(0.5):
            start = self.draw.randint(1, 3)
            return f"substring({text} FROM {start} FOR {count})"
        return f"{self.draw.choice(('left', 'right'))}({text}, {count})"

    def _folded(self, scope: Scope, depth: int) -> str:
        return f"{self.draw.choice(('lower', 'upper'))}({self.value(TEXT, scope, depth)})"

    def _trimmed(self, scope: Scope, depth: int) -> str:
        text = self.value(TEXT, scope, depth)
        return self.draw.choice(
            (f"trim({text})", f"trim(LEADING FROM {text})", f"trim(TRAILING 'l ' FROM {text})",
             f"btrim({text}, 'aA')")
        )  # fmt: skip

    def _replaced(self, scope: Scope, depth: int) -> str:
        text = self.value(TEXT, scope, depth)
        if self.chance(0.3):
            self.hard.add("reverse")
            return f"reverse({text})"
        return self.draw.choice(
            (f"replace({text}, 'a', 'xy')", f"split_part({text}, 'b', 1)",
             f"regexp_replace({text}, '[^a-z]+', '-', 'g')", f"substring({text} FROM '[A-Z].')",
             f"array_to_string(string_to_array({text}, 'l'), '; ')")
        )  # fmt: skip

    def _told(self, scope: Scope, depth: int) -> str:
        type_ = self.draw.choice((INT, BIG, DATE, BOOL, MOMENT, NUM))
        value = self.leaf(type_, scope)
        if type_ == NUM:
            self.hard.add("text of a decimal")
        # Equal numbers may have scales of their own, which only their text would show.
        return f"CAST({f'round({value}, 2)' if type_ == NUM else value} AS text)"

    def _padded(self, scope: Scope, depth: int) -> str:
        self.hard.add("pad")
        text = self.leaf(TEXT, scope)
        return self.draw.choice((f"lpad({text}, 5, '*')", f"rpad({text}, 4)", f"repeat({text}, 2)"))

    def _moved(self, scope: Scope, depth: int) -> str:
        by = self._small(scope) if self.chance(0.4) else str(self.draw.randint(1, 40))
        return f"({self.leaf(DATE, scope)} {self.draw.choice('+-')} {by})"

    def _day_of(self, scope: Scope, depth: int) -> str:
        value = self.leaf(MOMENT, scope)
        if self.chance(0.4):
            value = f"date_trunc('{self.draw.choice(('month', 'year'))}', {value})"
        return f"CAST({value} AS date)"

    def _shifted(self, scope: Scope, depth: int) -> str:
        by = self.draw.choice(INTERVALS)
        return f"({self.leaf(MOMENT, scope)} {self.draw.choice('+-')} INTERVAL '{by}')"

    def _truncated(self, scope: Scope, depth: int) -> str:
        return f"date_trunc('{self.draw.choice(UNITS)}', {self.leaf(MOMENT, scope)})"


def literal(type_: str, value: object) -> str:
    """Returns a constant of a type."""
    if type_ == BIG:
        return f"CAST({value} AS bigint)"
    if type_ == TEXT:
        return quoted(str(value))
    if type_ == DATE:
        return f"DATE '{value}'"
    if type_ == BOOL:
        return str(value).upper()
    if type_ == NUM and "." not in str(value):
        # Without a point it would be an integer.
        return _number(f"{value}.0")
    return f"TIMESTAMPTZ '{value}'" if type_ == MOMENT else _number(value)


def quoted(text: str) -> str:
    """Returns a text constant."""
    return "'" + text.replace("'", "''") + "'"


def _number(value: object) -> str:
    text = str(value)
    return f"({text})" if text.startswith("-") else text
