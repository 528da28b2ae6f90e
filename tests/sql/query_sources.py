"""Decides what random queries read FROM: entities, queries below and joins of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.sql import odd_world
from tests.sql.query_terms import (
    BIG,
    BOOL,
    DATE,
    INT,
    MOMENT,
    NUM,
    NUMBERS,
    TEXT,
    TYPES,
    Column,
    Scope,
    Terms,
)

from roundview_catalog.types import Kind, parse_type

MOST_ROWS = 4_000
"""More rows than this are not joined: what is compared is few rows of many queries."""

MOST_LATERAL = 100
"""A query is not asked anew for each of more rows than this."""

_OF_KIND = {
    Kind.INTEGER: INT,
    Kind.BIGINT: BIG,
    Kind.DECIMAL: NUM,
    Kind.BOOLEAN: BOOL,
    Kind.DATE: DATE,
    Kind.TIMESTAMPTZ: MOMENT,
}
_WILD = ("big", "size")
ENTITY_COLUMNS: Mapping[str, Mapping[str, str]] = {
    entity.name: {
        name: _OF_KIND.get(parse_type(text).kind, TEXT) for name, text in entity.fields.items()
    }
    for entity in odd_world.ENTITIES
}


@dataclass(frozen=True, slots=True)
class Relation:
    """What may stand in FROM: its columns by their names there, and about how many rows.

    `key` is the column that is unique in it, "" where there is none.
    """

    sql: str
    alias: str
    columns: Mapping[str, str]
    wild: frozenset[str]
    key: str
    rows: int

    def visible(self) -> list[Column]:
        """Returns its columns as they are named with its alias."""
        return [
            Column(f"{self.alias}.{name}", type_, is_wild=name in self.wild)
            for name, type_ in self.columns.items()
        ]


@dataclass(frozen=True, slots=True)
class Joined:
    """A FROM clause under way. `merged` are the columns that USING or NATURAL made one."""

    sql: str
    relations: tuple[Relation, ...]
    merged: Mapping[str, str]
    rows: int

    def scope(self, outer: Scope | None = None) -> Scope:
        """Returns what may be named after it."""
        owners: dict[str, int] = {}
        for relation in self.relations:
            for name in relation.columns:
                owners[name] = owners.get(name, 0) + 1
        columns = [
            replace(
                column, short=name if owners[name := column.sql.rpartition(".")[2]] == 1 else ""
            )
            for relation in self.relations
            for column in relation.visible()
        ]
        columns += [
            Column(name, type_, is_wild=name in _WILD) for name, type_ in self.merged.items()
        ]
        keyed = all(relation.key for relation in self.relations)
        keys = tuple(f"{relation.alias}.{relation.key}" for relation in self.relations)
        return Scope(tuple(columns), keys if keyed else None, outer)

    def exposures(self) -> dict[str, str]:
        """Returns name -> type of the columns whose bare name means one thing here."""
        found: dict[str, list[str]] = {}
        for relation in self.relations:
            for name, type_ in relation.columns.items():
                found.setdefault(name, []).append(type_)
        alone = {name: types[0] for name, types in found.items() if len(types) == 1}
        return {**alone, **self.merged}


class Sources:
    """Draws FROM clauses.

    `below(columns, depth, outer)` draws a query with columns of some types and returns its SQL.
    """

    def __init__(
        self,
        terms: Terms,
        below: Callable[[Sequence[str], int, Scope | None], tuple[str, int]],
    ) -> None:
        self._terms = terms
        self._draw = terms.draw
        self._below = below
        self._aliases = 0
        self._bare: set[str] = set()
        """entities that stand somewhere under their own name, where nothing else may have it"""
        self.tables: dict[str, Relation] = {}
        """WITH queries that may be read, by name"""

    def fresh(self, stem: str = "t") -> str:
        """Returns an alias that nothing has."""
        self._aliases += 1
        return f"{stem}{self._aliases}"

    def joined(self, count: int, depth: int, outer: Scope | None = None) -> Joined:
        """Returns a FROM clause over some relations."""
        left = self._start(self._relation(depth, outer))
        while len(left.relations) < count:
            if left.rows <= MOST_LATERAL and self._terms.chance(0.06):
                left = self._lateral(left, outer)
                continue
            if count - len(left.relations) >= 2 and self._terms.chance(0.12):
                right = self._start(self._relation(depth, outer))
                right = self._join(right, self._start(self._relation(depth, outer)), outer)
                right = replace(right, sql=f"({right.sql})")
            else:
                right = self._start(self._relation(depth, outer))
            is_last = len(left.relations) + len(right.relations) >= count
            product = left.rows * right.rows
            if is_last and product <= MOST_ROWS // 4 and self._terms.chance(0.06):
                # A comma binds weaker than JOIN, so nothing may be joined after it.
                return self._both(left, right, f"{left.sql}, {right.sql}", {}, product)
            left = self._join(left, right, outer)
        return left

    def _start(self, relation: Relation) -> Joined:
        return Joined(relation.sql, (relation,), {}, relation.rows)

    def _relation(self, depth: int, outer: Scope | None) -> Relation:
        roll = self._draw.random()
        if self.tables and roll < 0.35:
            known = self._draw.choice(list(self.tables.values()))
            alias = self.fresh()
            return replace(known, sql=f"{known.sql} AS {alias}", alias=alias)
        if depth > 0 and roll < 0.5:
            return self._derived(depth)
        if roll > 0.97:
            return self._values()
        name = self._draw.choice(list(ENTITY_COLUMNS))
        if name not in self._bare and self._terms.chance(0.1):
            self._bare.add(name)
            return self.entity(name, name, name)
        alias = self.fresh()
        if self._terms.chance(0.02):
            alias = f'"Part {alias}"'
        written = f"{name} {alias}" if self._terms.chance(0.2) else f"{name} AS {alias}"
        return self.entity(name, written, alias)

    @staticmethod
    def entity(name: str, sql: str, alias: str) -> Relation:
        """Returns an entity as a relation."""
        columns = ENTITY_COLUMNS[name]
        wild = frozenset(_WILD) & columns.keys()
        return Relation(sql, alias, columns, wild, "ident", odd_world.ROWS[name])

    def table(self, name: str, depth: int) -> tuple[str, Relation]:
        """Returns the SQL of a query below and the relation that it becomes under a name."""
        names = self._names(self._draw.randint(2, 4))
        sql, rows = self._below(list(names.values()), depth - 1, None)
        return sql, self._below_as(name, name, names, rows)

    def _derived(self, depth: int) -> Relation:
        alias = self.fresh("q")
        sql, relation = self.table(alias, depth)
        columns = ", ".join(relation.columns)
        return replace(relation, sql=f"({sql}) AS {alias} ({columns})")

    def _values(self) -> Relation:
        names = self._names(2)
        alias = self.fresh("v")
        rows = ", ".join(
            f"({', '.join(self._terms.constant(type_) for type_ in names.values())})"
            for _ in range(self._draw.randint(1, 4))
        )
        sql = f"(VALUES {rows}) AS {alias} ({', '.join(names)})"
        return self._below_as(sql, alias, names, 4)

    def _below_as(self, sql: str, alias: str, names: Mapping[str, str], rows: int) -> Relation:
        wild = frozenset(name for name, type_ in names.items() if type_ in (INT, BIG))
        return Relation(sql, alias, names, wild, "", rows)

    def _names(self, count: int) -> dict[str, str]:
        """Returns columns whose names are mostly those of entities, which USING needs."""
        known = {
            name: type_
            for columns in ENTITY_COLUMNS.values()
            for name, type_ in columns.items()
            if name != "mark"
        }
        names: dict[str, str] = {}
        while len(names) < count:
            if self._terms.chance(0.7):
                name = self._draw.choice(sorted(known))
                names[name] = known[name]
            else:
                names[self.fresh("c")] = self._draw.choice(TYPES)
        return names

    def _lateral(self, left: Joined, outer: Scope | None) -> Joined:
        """Returns a join with a query that may name what stands before it."""
        alias = self.fresh("l")
        names = self._names(self._draw.randint(1, 3))
        sql, rows = self._below(list(names.values()), 0, left.scope(outer))
        sql = f"LATERAL ({sql}) AS {alias} ({', '.join(names)})"
        right = self._start(self._below_as(sql, alias, names, rows))
        kind = self._draw.choice(("CROSS JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN"))
        on = "" if kind == "CROSS JOIN" else " ON TRUE"
        text = f"{left.sql} {kind} {right.sql}{on}"
        return self._both(left, right, text, {}, left.rows * max(1, min(rows, 10)))

    # -- joins -------------------------------------------------------------------------------

    def _join(self, left: Joined, right: Joined, outer: Scope | None) -> Joined:
        product = left.rows * right.rows
        if product <= MOST_ROWS // 4 and self._terms.chance(0.12):
            return self._both(left, right, f"{left.sql} CROSS JOIN {right.sql}", {}, product)
        kind = self._draw.choice(
            ("JOIN", "INNER JOIN", "LEFT JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN",
             "FULL JOIN", "FULL OUTER JOIN")
        )  # fmt: skip
        shared = self._shared(left, right)
        if shared and self._terms.chance(0.35):
            if self._natural(left, right, shared):
                names = shared
                sql = f"{left.sql} NATURAL {kind} {right.sql}"
            else:
                names = dict(self._draw.sample(sorted(shared.items()), min(len(shared), 2)))
                if self._terms.chance(0.6):
                    names = dict(list(names.items())[:1])
                sql = f"{left.sql} {kind} {right.sql} USING ({', '.join(names)})"
            return self._both(left, right, sql, names, max(product // 5, left.rows, right.rows))
        whole = self._both(left, right, "", {}, 0)
        on, rows = self._on(left, right, whole.scope(outer), kind.startswith("FULL"))
        return self._both(left, right, f"{left.sql} {kind} {right.sql} ON {on}", {}, rows)

    @staticmethod
    def _both(left: Joined, right: Joined, sql: str, names: Mapping[str, str], rows: int) -> Joined:
        others = {name for relation in right.relations for name in relation.columns}
        mine = {name for relation in left.relations for name in relation.columns}
        merged = {
            **{name: type_ for name, type_ in left.merged.items() if name not in others},
            **{name: type_ for name, type_ in right.merged.items() if name not in mine},
            **names,
        }
        return Joined(sql, left.relations + right.relations, merged, rows)

    @staticmethod
    def _shared(left: Joined, right: Joined) -> dict[str, str]:
        """Returns the columns that USING may name, with the type that they get."""
        mine, others = left.exposures(), right.exposures()
        wider = {frozenset((INT, BIG)): BIG, frozenset((INT, NUM)): NUM, frozenset((BIG, NUM)): NUM}
        shared = {}
        for name in mine.keys() & others.keys():
            if mine[name] == others[name]:
                shared[name] = mine[name]
            elif {mine[name], others[name]} <= set(NUMBERS):
                shared[name] = wider[frozenset((mine[name], others[name]))]
        return dict(sorted(shared.items()))

    def _natural(self, left: Joined, right: Joined, shared: Mapping[str, str]) -> bool:
        """Tells whether NATURAL may join them: over exactly the columns that are known here.

        An entity has common columns that are not listed here, so it is never joined so.
        """
        relations = (*left.relations, *right.relations)
        if any(relation.key for relation in relations) or not self._terms.chance(0.8):
            return False
        mine = {name for relation in left.relations for name in relation.columns}
        others = {name for relation in right.relations for name in relation.columns}
        return mine & others == shared.keys()

    def _on(self, left: Joined, right: Joined, scope: Scope, is_full: bool) -> tuple[str, int]:
        product = left.rows * right.rows
        pairs = [
            (one, other)
            for a in left.relations
            for b in right.relations
            for one in a.visible()
            for other in b.visible()
            if one.type == other.type or {one.type, other.type} <= set(NUMBERS)
        ]
        names = {one.sql + other.sql: _likely(one.sql, other.sql) for one, other in pairs}
        likely = [pair for pair in pairs if names[pair[0].sql + pair[1].sql]]
        narrow = [pair for pair in likely if pair[0].type == BIG]
        pool = narrow if product > MOST_ROWS and narrow else likely or pairs
        if not pool:
            # FULL JOIN needs an equality or a constant.
            return ("TRUE" if product <= MOST_ROWS else "FALSE"), min(product, MOST_ROWS)
        one, other = self._draw.choice(pool)
        on = f"{one.sql} = {other.sql}"
        rows = max(left.rows, right.rows, product // (20 if pool is narrow else 5))
        roll = self._draw.random()
        if roll < 0.22:
            on += f" AND {self._terms.condition(scope, 1)}"
        elif roll < 0.4 and not is_full and product <= MOST_ROWS // 2:
            return f"({on} OR {self._terms.condition(scope, 0)})", product
        elif roll < 0.47 and not is_full and product <= MOST_ROWS // 2:
            return f"{one.sql} {self._draw.choice(('<', '<=', '<>'))} {other.sql}", product
        return on, rows


def _likely(one: str, other: str) -> bool:
    """Tells whether two columns mean the same thing, so that their join finds rows."""
    mine, others = one.rpartition(".")[2], other.rpartition(".")[2]
    return mine == others or {mine, others} <= {"ident", "depot_ident", "parcel_ident"}
