"""Decides what random questions are that aggregate: of one table, or of joins of every kind.

fold_query(seed) is the same for ever: a seed names a question.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tests.sql import odd_world

_NUMBERS = ("integer", "bigint", "decimal(12,2)", "decimal(10,3)")
_OPERATORS = ("=", "<>", "<", "<=", ">", ">=")
_LITERALS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "integer": ("0", "1", "2", "-1", "1000"),
        "bigint": ("0", "1", "3", "7", "9007199254740993"),
        "decimal(12,2)": ("0", "1.00", "-99.99", "2.5", "9999999999.99"),
        "decimal(10,3)": ("0.5", "1.005", "-1.25"),
        "text": ("'A1'", "'a1'", "'ab'", "'tail'", "'tail '", "''", "' '", "'Köln'"),
        "date": ("DATE '2024-02-29'", "DATE '1999-12-31'", "DATE '2100-03-01'"),
        "timestamptz": (
            "TIMESTAMPTZ '2024-02-29 00:00:00+00'",
            "TIMESTAMPTZ '2024-06-30 22:15:01+00'",
        ),
        "boolean": ("TRUE", "FALSE"),
    }
)
_KINDS = ("'in'", "'out'", "'fee'")


@dataclass(frozen=True, slots=True)
class _Column:
    sql: str
    type: str


def fold_query(seed: int) -> str:
    """Returns the question of a seed."""
    return _Making(random.Random(seed)).query()


class _Making:
    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._aliases = 0

    def query(self) -> str:
        roll = self._draw.random()
        if roll < 0.12:
            inner = self._select("g", names=True)
            return f"SELECT count(*), max(g0), sum(g1) FROM ({inner}) AS inside"
        if roll < 0.2:
            word = self._draw.choice(("UNION ALL", "UNION", "EXCEPT", "INTERSECT"))
            table = self._draw.choice(list(odd_world.ROWS))
            return f"SELECT {self._twin(table)} {word} SELECT {self._twin(table)}"
        if roll < 0.28:
            table = self._draw.choice(("depot", "parcel"))
            column = "depot_ident" if table == "depot" else "parcel_ident"
            return (
                f"SELECT o.ident, (SELECT {self._aggregate(self._columns('visit', 'v'))}"
                f" FROM visit v WHERE v.{column} = o.ident) FROM {table} o"
            )
        return self._select("c", names=False)

    def _twin(self, table: str) -> str:
        columns = self._columns(table, table)
        key = next(one for one in columns if one.type == "text")
        return f"{key.sql}, count(*) FROM {table}{self._where(columns)} GROUP BY {key.sql}"

    def _select(self, prefix: str, *, names: bool) -> str:
        source, columns = self._source()
        draw = self._draw
        keys = [self._key(columns) for _ in range(draw.choices((0, 1, 2), (3, 5, 3))[0])]
        if keys and draw.random() < 0.12 and not names:
            return f"SELECT DISTINCT {', '.join(keys)} FROM {source}{self._where(columns)}"
        aggregates = [self._aggregate(columns) for _ in range(draw.randint(1, 4))]
        if names:
            aggregates = ["count(*)", self._count(columns), *aggregates]
            shown = ", ".join(f"{one} AS {prefix}{at}" for at, one in enumerate(aggregates))
        else:
            shown = ", ".join([*keys, *aggregates])
        text = f"SELECT {shown} FROM {source}{self._where(columns)}"
        if keys:
            text += f" GROUP BY {', '.join(keys)}"
        if draw.random() < 0.2:
            text += f" HAVING {self._count(columns)} {draw.choice(_OPERATORS)} {draw.randint(0, 3)}"
        return text

    def _source(self) -> tuple[str, list[_Column]]:
        draw = self._draw
        text, columns = self._table()
        for _ in range(draw.choices((0, 1, 2), (6, 4, 1))[0]):
            right, others = self._table()
            pairs = [(a, b) for a in columns for b in others if a.type == b.type != "boolean"]
            if not pairs:
                continue
            first, second = draw.choice(pairs)
            kind = draw.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT JOIN"))
            on = f"{first.sql} = {second.sql}"
            if kind != "FULL JOIN" and draw.random() < 0.35:
                on += f" AND {self._condition(draw.choice((columns, others)))}"
            text += f" {kind} {right} ON {on}"
            columns = [*columns, *others]
        return text, columns

    def _table(self) -> tuple[str, list[_Column]]:
        table = self._draw.choices(list(odd_world.ROWS), (1, 2, 4, 2, 3))[0]
        alias = f"t{self._aliases}"
        self._aliases += 1
        return f"{table} {alias}", self._columns(table, alias)

    def _columns(self, table: str, alias: str) -> list[_Column]:
        (entity,) = (one for one in odd_world.ENTITIES if one.name == table)
        return [_Column(f"{alias}.{name}", type_) for name, type_ in entity.fields.items()]

    def _key(self, columns: list[_Column]) -> str:
        one = self._draw.choice([one for one in columns if not one.sql.endswith("ident")])
        if one.type == "text" and self._draw.random() < 0.3:
            return f"upper({one.sql})"
        return f"{one.sql} % 3" if one.type == "integer" and self._draw.random() < 0.3 else one.sql

    def _aggregate(self, columns: list[_Column]) -> str:
        draw = self._draw
        number = draw.choice([one for one in columns if one.type in _NUMBERS])
        roll = draw.random()
        if roll < 0.3:
            return self._count(columns)
        if roll < 0.5:
            return f"sum({number.sql})"
        if roll < 0.62:
            return f"avg({number.sql})"
        if roll < 0.7:
            return f"{draw.choice(('count', 'sum'))}(DISTINCT {number.sql})"
        if roll < 0.76:
            truths = [one.sql for one in columns if one.type == "boolean"]
            return f"{draw.choice(('bool_and', 'bool_or'))}({draw.choice(truths or ['NULL::boolean'])})"
        if roll < 0.82:
            return f"sum({number.sql}) FILTER (WHERE {self._condition(columns)})"
        plain = [one for one in columns if not one.type.startswith(("boolean", "enum"))]
        return f"{draw.choice(('min', 'max'))}({draw.choice(plain).sql})"

    def _count(self, columns: list[_Column]) -> str:
        if self._draw.random() < 0.6:
            return "count(*)"
        return f"count({self._draw.choice(columns).sql})"

    def _where(self, columns: list[_Column]) -> str:
        count = self._draw.choices((0, 1, 2), (5, 4, 2))[0]
        found = [self._condition(columns) for _ in range(count)]
        if found and self._draw.random() < 0.06:
            found.append("FALSE")
        return f" WHERE {' AND '.join(found)}" if found else ""

    def _condition(self, columns: list[_Column]) -> str:
        draw = self._draw
        one = draw.choice(columns)
        if draw.random() < 0.15:
            return f"{one.sql} IS {draw.choice(('', 'NOT '))}NULL"
        literals = _KINDS if one.type.startswith("enum") else _LITERALS[one.type]
        is_range = one.type not in ("text", "boolean") and not one.type.startswith("enum")
        if is_range and draw.random() < 0.2:
            low, high = draw.choice(literals), draw.choice(literals)
            return f"{one.sql} BETWEEN {low} AND {high}"
        if draw.random() < 0.2:
            return f"{one.sql} IN ({', '.join(draw.sample(literals, 2))})"
        operators = _OPERATORS if is_range else _OPERATORS[:2]
        return f"{one.sql} {draw.choice(operators)} {draw.choice(literals)}"
