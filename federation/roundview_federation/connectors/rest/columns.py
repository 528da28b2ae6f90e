"""Decides what the columns and conditions of a fragment mean for the tables of an API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_catalog.expressions import conjuncts
from roundview_federation.connectors.rest.held import HeldJoin
from roundview_federation.connectors.rest.routes import Condition
from roundview_federation.connectors.rest.tables import ColumnValue, RestRows
from roundview_federation.connectors.rest.values import root_of
from roundview_federation.key_sets import keyset_of

COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {"EQ": eq, "NEQ": ne, "LT": lt, "LTE": le, "GT": gt, "GTE": ge}
)


@dataclass(frozen=True, slots=True)
class Named:
    """What a fragment may name: the columns of its table, and of those joined as `alias.x`."""

    rows: RestRows
    alias: str
    joins: tuple[HeldJoin, ...] = ()

    def value(self, name: str) -> ColumnValue:
        """Returns where the value of a column is in a row."""
        alias, _, column = name.rpartition(".")
        if not alias:
            return self.rows.columns[name]
        return next(join for join in self.joins if join.alias == alias).columns[column]

    def column(self, node: exp.Expr) -> str:
        """Returns the name of a plain column; raises RequestError."""
        column = node.this if isinstance(node, exp.Alias) else node
        if not isinstance(column, exp.Column):
            raise RequestError(f"{self.rows.name} gives plain columns only", code="RV103")
        for join in self.joins:
            if column.table == join.alias and column.name in join.columns:
                return f"{join.alias}.{column.name}"
        if column.table not in ("", self.alias) or column.name not in self.rows.columns:
            raise RequestError(f"{self.rows.name} has no column {column.name}", code="RV102")
        return column.name

    def conditions(self, tree: exp.Select) -> Iterator[Condition]:
        """Yields the conjuncts of a WHERE; raises RequestError for one that is not simple."""
        where = tree.args.get("where")
        for node in conjuncts(where.this if where is not None else None):
            yield self._condition(node)

    def on_resource(self, conditions: Sequence[Condition]) -> list[Condition]:
        """Returns the conditions that paths and filters can carry, by the resource's columns."""
        return [
            Condition(column, c.operator, c.keys, c.param, c.value)
            for c in conditions
            if (column := self.value(c.column).resource_column)
        ]

    def fields(self, columns: Sequence[str], conditions: Sequence[Condition]) -> frozenset[str]:
        """Returns the names of what is needed of each row; none for all, or if none has one."""
        declared = self.rows.declared
        if declared.fields is None:
            return frozenset()
        named = [name for name in (*columns, *(c.column for c in conditions)) if "." not in name]
        named += [name for join in self.joins for name in join.needs]
        needed = {top for name in named for top in self.rows.needs[name]}
        needed |= {root_of(declared.columns[name].path or name) for name in declared.key}
        return frozenset(needed) if all(needed) else frozenset()

    def _condition(self, node: exp.Expr) -> Condition:
        operator = type(node).__name__
        if operator in COMPARE:
            column = self.column(node.this)
            found = keyset_of(node)
            right = node.expression
            if found is not None:
                return Condition(column, "EQ", keys=found[1])
            if isinstance(right, exp.Placeholder):
                return Condition(column, operator, param=right.name)
            if isinstance(right, exp.Literal | exp.Boolean | exp.Neg):
                return Condition(column, operator, value=right.to_py())
        raise RequestError(f"{self.rows.name} cannot be filtered like this", code="RV103")
