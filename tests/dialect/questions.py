"""Decides which random questions are asked of PostgreSQL and of us: many types, few parentheses."""

from __future__ import annotations

import random
from collections.abc import Callable

_COLUMNS = {
    "int": ("i", "j", "id"),
    "big": ("big",),
    "num": ("n", "m"),
    "float": ("f",),
    "text": ("s", "u"),
    "bool": ("ok",),
    "date": ("d", "e"),
    "stamp": ("ts",),
    "zoned": ("tz",),
}
_LITERALS = {
    "int": ("0", "1", "2", "-3", "7", "100", "2147483647"),
    "big": ("9000000000", "-1::bigint", "3::bigint"),
    "num": ("0.5", "1.50", "-2.25", "100.0", "0.001"),
    "float": ("1.5::float8", "-0.25::float8", "1e10::float8", "'NaN'::float8"),
    "text": ("'a'", "''", "'%a%'", "'Zebra'", "'ß'", "'a_c'", "'12'"),
    "bool": ("true", "false"),
    "date": ("date '2024-02-29'", "date '2000-01-01'"),
    "stamp": ("timestamp '2024-02-29 12:30:45.5'", "timestamp '2000-01-01 00:00:00'"),
    "zoned": ("timestamptz '2024-03-31 01:30:00+00'",),
}
_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")


class Questions:
    """Makes questions from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.makers: dict[str, tuple[Callable[[int], str], ...]] = {
            "int": (
                self._sum, self._quotient, self._case("int"), self._coalesce("int"),
                lambda d: f"length({self.value('text', d)})",
                lambda d: f"abs({self.value('int', d)})",
                lambda d: f"{self.value('date', d)} - {self.value('date', d)}",
                lambda d: f"({self.value('num', d)})::integer",
                lambda d: f"strpos({self.value('text', d)}, {self.value('text', 0)})",
                lambda d: f"mod({self.value('int', d)}, {self.one(('3', '-2', 'j'))})",
                lambda d: f"nullif({self.value('int', d)}, {self.value('int', d)})",
                lambda d: f"greatest({self.value('int', d)}, {self.value('int', d)})",
                lambda d: "(SELECT max(qty) FROM item WHERE item.odd_id = odd.id)",
                lambda d: f"({self.value('bool', d)})::integer",
            ),
            "big": (
                lambda d: f"{self.value('big', d)} {self.one('+-')} {self.value('int', d)}",
                lambda d: f"({self.value('int', d)})::bigint",
                lambda d: "(SELECT count(*) FROM item WHERE item.odd_id = odd.id)",
                lambda d: "(SELECT sum(qty) FROM item WHERE item.odd_id = odd.id)",
            ),
            "num": (
                self._decimal, self._case("num"), self._coalesce("num"),
                lambda d: f"round({self.value('num', d)}, {self.one('0123')})",
                lambda d: f"trunc({self.value('num', d)}, {self.one('012')})",
                lambda d: f"{self.one(('floor', 'ceil', 'abs', 'sign'))}({self.value('num', d)})",
                lambda d: f"({self.value('int', d)})::numeric(20,2)",
                lambda d: f"{self.value('num', 0)} / {self.value('num', 0)}",
                lambda d: f"{self.value('int', 0)} / {self.value('num', 0)}",
                lambda d: f"extract({self.one(('year', 'month', 'day', 'dow', 'week', 'quarter', 'doy', 'epoch'))} from {self.value(self.one(('date', 'stamp', 'zoned')), d)})",
                lambda d: f"mod({self.value('num', d)}, {self.value('num', 0)})",
            ),
            "float": (
                lambda d: f"{self.value('float', d)} {self.one('+-*/')} {self.value('float', d)}",
                lambda d: f"({self.value('num', d)})::float8",
                lambda d: f"{self.one(('floor', 'ceil', 'round', 'abs', 'sqrt', 'trunc'))}({self.value('float', d)})",
                lambda d: f"power({self.value('float', d)}, {self.one('23')})",
            ),
            "text": (
                lambda d: f"{self.value('text', d)} || {self.value('text', d)}",
                lambda d: f"{self.value('text', d)} || {self.value('int', 0)}",
                lambda d: f"{self.one(('upper', 'lower', 'trim', 'ltrim', 'md5'))}({self.value('text', d)})",
                lambda d: f"substring({self.value('text', d)}, {self.one(('-1', '0', '1', '2', 'j'))}, {self.one(('0', '1', '3'))})",
                lambda d: f"{self.one(('left', 'right'))}({self.value('text', d)}, {self.one(('-2', '0', '2', 'j'))})",
                lambda d: f"{self.one(('lpad', 'rpad'))}({self.value('text', d)}, {self.one(('2', '6', 'j'))}, {self.value('text', 0)})",
                lambda d: f"replace({self.value('text', d)}, {self.value('text', 0)}, {self.value('text', 0)})",
                lambda d: f"split_part({self.value('text', d)}, {self.one((chr(39) * 2, repr(','), repr('a')))}, {self.one(('1', '2', '-1'))})",
                lambda d: f"concat({self.value('text', d)}, {self.value('int', 0)}, {self.value('bool', 0)}, {self.value('date', 0)})",
                lambda d: f"({self.value(self.one(('int', 'date', 'stamp', 'zoned', 'bool')), d)})::text",
                lambda d: f"to_char({self.value('stamp', d)}, 'YYYY-MM-DD HH24:MI')",
                self._case("text"), self._coalesce("text"),
            ),
            "bool": (
                self._compare, self._compare, self._logic, self._logic, self._in,
                lambda d: f"not {self.value('bool', d)}",
                lambda d: f"{self.value(self.kind(), d)} is {self.one(('', 'not '))}null",
                lambda d: f"{self.value('bool', d)} is {self.one(('true', 'not true', 'false', 'unknown'))}",
                lambda d: f"{self.value('text', d)} {self.one(('like', 'not like', 'ilike'))} {self.value('text', 0)}",
                lambda d: f"{self.value('int', d)} between {self.value('int', 0)} and {self.value('num', 0)}",
                lambda d: f"{self.value('int', d)} is {self.one(('', 'not '))}distinct from {self.value('num', d)}",
                lambda d: f"exists (SELECT 1 FROM item WHERE odd_id = odd.id AND {self.one(('qty > 2', 'amount < 10', 'kind = s'))})",
                lambda d: f"(i, n) {self.one(_COMPARISONS)} ({self.value('int', 0)}, {self.value('num', 0)})",
                lambda d: f"{self.value('int', d)} {self.one(_COMPARISONS)} {self.one(('any', 'all'))} (SELECT qty FROM item WHERE odd_id < {self.one('1389')})",
            ),
            "date": (
                lambda d: f"{self.value('date', d)} + {self.one(('1', '30', 'j'))}",
                lambda d: f"({self.value(self.one(('stamp', 'zoned')), d)})::date",
                lambda d: f"greatest({self.value('date', d)}, {self.value('date', d)})",
                self._case("date"), self._coalesce("date"),
            ),
            "stamp": (
                lambda d: f"{self.value(self.one(('date', 'stamp')), d)} + interval '{self.one(('1 day', '1 month', '36 hours', '1 year 1 day'))}'",
                lambda d: f"date_trunc('{self.one(('day', 'month', 'year', 'week', 'hour'))}', {self.value('stamp', d)})",
                lambda d: f"({self.value('date', d)})::timestamp",
                lambda d: f"{self.value('zoned', d)} at time zone 'UTC'",
            ),
            "zoned": (
                lambda d: f"date_trunc('day', {self.value('zoned', d)})",
                lambda d: f"{self.value('zoned', d)} + interval '90 minutes'",
                lambda d: f"({self.value('date', d)})::timestamptz",
            ),
        }  # fmt: skip

    def one(self, choices: str | tuple[str, ...]) -> str:
        """Returns one of the choices."""
        return self.random.choice(choices)

    def kind(self) -> str:
        """Returns one of the kinds of values."""
        return self.random.choice(tuple(self.makers))

    def value(self, kind: str, depth: int) -> str:
        """Returns an expression of a kind; parentheses are left out now and then."""
        if depth <= 0 or self.random.random() < 0.25:
            return self.one(_COLUMNS[kind] if self.random.random() < 0.6 else _LITERALS[kind])
        made = self.random.choice(self.makers[kind])(depth - 1)
        return made if self.random.random() < 0.3 else f"({made})"

    def question(self) -> str:
        """Returns one SELECT."""
        ways = (self._rows, self._rows, self._filtered, self._grouped, self._united, self._window)
        return self.random.choice(ways)()

    def _rows(self) -> str:
        return f"SELECT id, {self.value(self.kind(), 3)} AS x FROM odd ORDER BY id"

    def _filtered(self) -> str:
        order = self.one(("id", "id DESC", "i, id", "s DESC NULLS LAST, id", "d NULLS FIRST, id"))
        limit = self.one(("", "", " LIMIT 3", " OFFSET 2"))
        return f"SELECT id FROM odd WHERE {self.value('bool', 3)} ORDER BY {order}{limit}"

    def _grouped(self) -> str:
        key = self.value(self.one(("text", "int", "date", "bool")), 1)
        fold = self.one(
            (
                "count(*)", f"sum({self.value('int', 1)})", f"avg({self.value('int', 1)})",
                f"sum({self.value('num', 1)})", f"avg({self.value('num', 0)})",
                f"min({self.value('text', 1)})", f"max({self.value('date', 1)})",
                f"count(DISTINCT {self.value('text', 1)})",
                f"count(*) FILTER (WHERE {self.value('bool', 1)})",
                f"bool_or({self.value('bool', 1)})", f"string_agg({self.value('text', 1)}, ',' ORDER BY id)",
            )
        )  # fmt: skip
        having = self.one(("", "", f" HAVING {fold} IS NOT NULL", " HAVING count(*) > 1"))
        return f"SELECT {key} AS k, {fold} AS x FROM odd GROUP BY 1{having}"

    def _united(self) -> str:
        kind = self.one(("int", "num", "text", "date"))
        other = {"int": "num", "num": "big", "date": "stamp"}.get(kind, kind)
        way = self.one(("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"))
        return (
            f"SELECT {self.value(kind, 1)} AS x FROM odd {way} "
            f"SELECT {self.value(other, 1)} FROM odd WHERE {self.value('bool', 1)}"
        )

    def _window(self) -> str:
        part = self.one(("", f"PARTITION BY {self.value('bool', 1)} "))
        fold = self.one(
            (
                "row_number()", "rank()", f"sum({self.value('int', 1)})", "count(*)",
                f"lag({self.value('text', 1)})", f"first_value({self.value('date', 1)})",
                f"avg({self.value('num', 0)})", f"max({self.value('num', 1)})",
            )
        )  # fmt: skip
        frame = self.one(("", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS 2 PRECEDING"))
        if fold in ("row_number()", "rank()") or fold.startswith("lag"):
            frame = ""
        return f"SELECT id, {fold} OVER ({part}ORDER BY id{frame}) AS x FROM odd ORDER BY id"

    def _sum(self, depth: int) -> str:
        return f"{self.value('int', depth)} {self.one('+-*')} {self.value('int', depth)}"

    def _quotient(self, depth: int) -> str:
        return f"{self.value('int', depth)} {self.one('/%')} {self.value('int', depth)}"

    def _decimal(self, depth: int) -> str:
        other = self.one(("num", "int"))
        return f"{self.value('num', depth)} {self.one('+-*')} {self.value(other, depth)}"

    def _case(self, kind: str) -> Callable[[int], str]:
        def made(depth: int) -> str:
            return (
                f"case when {self.value('bool', depth)} then {self.value(kind, depth)} "
                f"else {self.value(kind, depth)} end"
            )

        return made

    def _coalesce(self, kind: str) -> Callable[[int], str]:
        return lambda depth: f"coalesce({self.value(kind, depth)}, {self.value(kind, depth)})"

    def _compare(self, depth: int) -> str:
        kind = self.kind()
        other = {"int": "num", "num": "int", "date": "stamp", "stamp": "date"}.get(kind, kind)
        if self.random.random() < 0.7:
            other = kind
        return f"{self.value(kind, depth)} {self.one(_COMPARISONS)} {self.value(other, depth)}"

    def _logic(self, depth: int) -> str:
        return f"{self.value('bool', depth)} {self.one(('and', 'or'))} {self.value('bool', depth)}"

    def _in(self, depth: int) -> str:
        kind = self.one(("int", "text", "num"))
        items = ", ".join(self.value(kind, 0) for _ in range(3))
        return f"{self.value(kind, depth)} {self.one(('in', 'not in'))} ({items})"
