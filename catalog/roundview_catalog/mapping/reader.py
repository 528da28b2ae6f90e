"""Reads the expressions of one mapping: parsed, resolved, typed, with every mistake placed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.document import Document
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.mapped import Child, ListRows
from roundview_catalog.mapping.dialects import PUSHING
from roundview_catalog.mapping.subqueries import check_subqueries
from roundview_catalog.model import Canonical, SourceTable
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.types import Kind, Type

Path = tuple[str | int, ...]


class Wrong(Exception):
    """A part of a mapping cannot be compiled; the problem is in the report."""


@dataclass(frozen=True)
class Scope:
    """What an expression may name: tables of `from` by alias, and the children."""

    aliases: Mapping[str, str]
    children: Mapping[str, Child] = field(default_factory=dict)
    lists: Mapping[str, ListRows] = field(default_factory=dict)

    def child_of(self, alias: str) -> Child | None:
        """Returns the child whose tables include the alias."""
        for child in self.children.values():
            if alias in child.aliases:
                return child
        return None

    def table_of(self, alias: str) -> str | None:
        """Returns the table that an alias names, in `from` or in a child."""
        child = self.child_of(alias)
        return self.aliases.get(alias) or (child.aliases[alias] if child is not None else None)

    def beside(self, aliases: Mapping[str, str]) -> Scope:
        """Returns a scope in which tables of a child stand beside those of the row."""
        return replace(self, aliases={**self.aliases, **aliases}, children={}, lists={})


@dataclass(frozen=True)
class Reader:
    """Holds one source file, what its mappings may name, and where problems go."""

    document: Document
    source: str
    tables: Mapping[str, SourceTable]
    connector: str
    canonical: Canonical
    report: Report

    def expression(
        self,
        path: Path,
        scope: Scope,
        *,
        aggregates: bool = False,
        subqueries: bool = False,
        is_field: bool = False,
    ) -> tuple[exp.Expr, Type]:
        """Returns the tree and type of the SQL at a path; columns carry their alias.

        Every unknown column is told. Raises Wrong when there is any problem.
        """
        text = self.text(path)
        dialect = PUSHING.get(self.connector, "") if subqueries else ""
        try:
            node = expressions.parse(text, subqueries=bool(dialect))
        except ExpressionError as error:
            raise self.refused(path, error) from None
        self._resolve(node, path, scope, is_field=is_field)
        try:
            if not aggregates:
                expressions.check(node, self.column_type(scope))
            self._check_children(node, scope)
            type_ = expressions.infer(node, self.column_type(scope))
            if dialect:
                check_subqueries(node, dialect, self.tables, self.column_type(scope))
        except ExpressionError as error:
            raise self.refused(path, error) from None
        return node, type_

    def resolved(self, node: exp.Expr, path: Path, scope: Scope) -> Type:
        """Gives the columns of a parsed part of SQL their alias; returns its type.

        Raises Wrong where a column is unknown or types do not meet.
        """
        self._resolve(node, path, scope, is_field=False)
        inner = node.this if isinstance(node, exp.Ordered) else node
        try:
            expressions.check(inner, self.column_type(scope))
            return expressions.infer(inner, self.column_type(scope))
        except ExpressionError as error:
            raise self.refused(path, error) from None

    def condition(self, path: Path, scope: Scope, *, subqueries: bool = False) -> exp.Expr:
        """Returns the tree of a condition without aggregates."""
        node, type_ = self.expression(path, scope, subqueries=subqueries)
        if type_.kind is not Kind.BOOLEAN and not isinstance(node, exp.Null):
            hint = "compare it: x = 1" if type_.is_number else ""
            raise self.wrong(path, "RV215", f"a condition is needed, not {type_}", hint)
        return node

    def column_type(self, scope: Scope) -> Callable[[exp.Column], Type]:
        """Returns what gives each column of a scope its type; raises ExpressionError."""

        def type_of(column: exp.Column) -> Type:
            if column.table in scope.lists and column.name == column.table:
                return Type(Kind.TEXT)
            table = scope.table_of(column.table)
            if table is None:
                raise self._unknown(column, scope)
            found = self.tables[table].columns.get(column.name)
            if found is None:
                raise self._unknown(column, scope)
            return found.type

        return type_of

    def text(self, path: Path) -> str:
        """Returns the SQL at a path; numbers and booleans of YAML are themselves."""
        value: Any = self.document.data
        for part in path:
            value = value[part]
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | float):
            raise self.wrong(path, "RV206", "SQL is needed here")
        return str(value)

    def entity_is_known(self, entity: str, path: Path) -> bool:
        """Tells whether the canonical schema has the entity; reports it otherwise."""
        if entity in self.canonical.entities:
            return True
        hint = did_you_mean(entity, self.canonical.entities)
        self.add_key(path, "RV217", f"unknown entity {entity}", hint)
        return False

    def refused(self, path: Path, error: ExpressionError) -> Wrong:
        """Reports what is wrong with an expression; returns the exception to raise."""
        return self.wrong(path, error.code, error.message, error.hint, error.offset)

    def wrong(self, path: Path, code: str, message: str, hint: str = "", offset: int = 0) -> Wrong:
        """Reports a problem of the value at a path; returns the exception to raise."""
        self.add(path, code, message, hint, offset)
        return Wrong()

    def add(self, path: Path, code: str, message: str, hint: str = "", offset: int = 0) -> None:
        """Reports a problem of the value at a path."""
        self.report.add(self.document.position(path, offset), code, message, hint)

    def add_key(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Reports a problem of the key at a path."""
        self.report.add(self.document.key_position(path), code, message, hint)

    def as_map(self, value: Any, path: Path, what: str) -> Mapping[str, Any]:
        """Returns a map, an empty one for nothing; raises Wrong for anything else."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.wrong(path, "RV206", f"{what} is a map of names")
        return value

    def _resolve(self, node: exp.Expr, path: Path, scope: Scope, *, is_field: bool) -> None:
        problems = 0
        for column in node.find_all(exp.Column):
            if is_inside(column, exp.Select):
                continue
            is_bare = not column.table
            if is_bare and column.name in scope.lists:
                column.set("table", exp.to_identifier(column.name))
            elif is_bare and len(scope.aliases) == 1:
                column.set("table", exp.to_identifier(next(iter(scope.aliases))))
            try:
                self.column_type(scope)(column)
            except ExpressionError as error:
                hint = error.hint
                if is_field and is_bare and column is node and column.name.isidentifier():
                    text = f"a text is written {{const: {column.name}}}"
                    hint = f"{hint} {text}" if hint else text
                at = expressions.offset_of(column)
                self.add(path, error.code, error.message, hint, at)
                problems += 1
        if problems:
            raise Wrong

    def _unknown(self, column: exp.Column, scope: Scope) -> ExpressionError:
        name = column.sql(dialect="postgres")
        table = scope.table_of(column.table)
        at = expressions.offset_of(column)
        if table is not None:
            hint = did_you_mean(column.name, self.tables[table].columns)
            hint = hint.replace("mean ", f"mean {column.table}.", 1)
            return ExpressionError(f"unknown column {name} in {table}", hint, at, "RV214")
        if column.table:
            hint = did_you_mean(column.table, scope.aliases) or "name the table in from"
            return ExpressionError(f"unknown alias {column.table}", hint, at, "RV214")
        owners = [
            alias for alias, t in scope.aliases.items() if column.name in self.tables[t].columns
        ]
        hint = f"write {owners[0]}.{column.name}" if owners else "begin it with an alias of from"
        return ExpressionError(f"column {name} has no alias", hint, at, "RV214")

    def _check_children(self, node: exp.Expr, scope: Scope) -> None:
        """Refuses child columns outside aggregates and aggregates over anything but one child.

        Of a child with `first` there is one row, so it is the other way round.
        """
        for column in node.find_all(exp.Column):
            child = scope.child_of(column.table)
            if child is None:
                continue
            name = column.sql(dialect="postgres")
            at = expressions.offset_of(column)
            is_aggregated = is_inside(column, exp.Filter, *expressions.AGGREGATES)
            if child.first and is_aggregated:
                message = f"{name} has one value: {child.alias} has `first`"
                raise ExpressionError(message, f"write {name}", at, "RV216")
            if not child.first and not is_aggregated:
                message = f"{name} is a column of a child"
                raise ExpressionError(message, f"use an aggregate: max({name})", at, "RV216")
        for aggregate in outermost_aggregates(node):
            owners = [scope.child_of(c.table) for c in aggregate.find_all(exp.Column)]
            names = {owner.alias if owner is not None else None for owner in owners}
            if len(names) != 1 or None in names:
                raise ExpressionError(
                    "an aggregate names columns of exactly one child",
                    "" if scope.children else "declare the rows below under children",
                    expressions.offset_of(aggregate),
                    "RV216",
                )


def outermost_aggregates(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yields the aggregates of an expression with their FILTER."""
    for found in node.find_all(*expressions.AGGREGATES):
        yield found.parent if isinstance(found.parent, exp.Filter) else found


def is_inside(node: exp.Expr, *kinds: type[exp.Expr]) -> bool:
    """Tells whether a node stands below one of the kinds."""
    parent = node.parent
    while parent is not None:
        if isinstance(parent, kinds):
            return True
        parent = parent.parent
    return False
