"""Decides which rows a mapping stands for: its tables, key and children."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.mapped import Child
from roundview_catalog.mapping.held import check_held
from roundview_catalog.mapping.lists import read_lists, take_lists
from roundview_catalog.mapping.reader import Path, Reader, Scope, Wrong
from roundview_catalog.report import did_you_mean

_LONG_KEY = ("value", "sealed")
_CHILD_KEYS = ("from", "where", "first")


def read_from(reader: Reader, path: Path, outer: Scope | None = None) -> tuple[exp.Select, Scope]:
    """Returns the scan of a FROM list, each table with its alias, and what it names.

    `outer` is the scope around a child, which its joins may name too.
    """
    text = reader.text(path)
    try:
        scan = expressions.parse_from(text)
    except ExpressionError as error:
        raise reader.refused(path, error) from None
    lists = take_lists(reader, scan, path)
    if lists and outer is not None:
        raise reader.wrong(path, "RV209", "lists in a child", "", expressions.offset_of(lists[0]))
    aliases: dict[str, str] = {}
    problems = 0
    for table in scan.find_all(exp.Table):
        at = expressions.offset_of(table)
        if table.name not in reader.tables:
            hint = did_you_mean(table.name, reader.tables)
            reader.add(path, "RV213", f"unknown table {table.name}", hint, at)
            problems += 1
            continue
        alias = table.alias_or_name
        if alias in aliases or (outer is not None and outer.table_of(alias) is not None):
            reader.add(path, "RV221", f"two tables named {alias}", "give them aliases", at)
            problems += 1
        aliases[alias] = table.name
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    if problems:
        raise Wrong
    joins = scan.args.get("joins") or []
    if joins and reader.connector == "rest":
        check_held(reader, joins, path)
    scope = Scope(aliases)
    for join in joins:
        _check_on(reader, join, path, scope if outer is None else outer.beside(aliases))
    return scan, replace(scope, lists=read_lists(reader, lists, scope, path))


def read_key(
    reader: Reader, given: Mapping[str, Any], scan: exp.Select, scope: Scope, path: Path
) -> tuple[exp.Column, ...]:
    """Returns the columns of the key: those declared, else the first table's primary key."""
    declared = given.get("key")
    first = scan.args["from_"].this
    if declared is None:
        names = reader.tables[first.name].primary_key
        known = reader.tables[first.name].columns
        if not names or any(name not in known for name in names):
            raise reader.wrong(path, "RV220", f"{first.name} has no primary key", "write key:")
        return tuple(exp.column(name, table=first.alias_or_name) for name in names)
    at = (*path, "key")
    if isinstance(declared, dict):
        declared, at = _long_key(reader, declared, at)
    if isinstance(declared, list) and not declared:
        raise reader.wrong(at, "RV220", "a key needs a column")
    places = [(*at, i) for i in range(len(declared))] if isinstance(declared, list) else [at]
    columns = []
    for place in places:
        node, _ = reader.expression(place, scope)
        if not isinstance(node, exp.Column):
            raise reader.wrong(place, "RV206", "a key is a column", "map a plain column")
        columns.append(node)
    return tuple(columns)


def is_sealed(given: Mapping[str, Any]) -> bool:
    """Tells whether a mapping's key is to be kept encrypted."""
    declared = given.get("key")
    return isinstance(declared, dict) and declared.get("sealed") is True


def read_children(
    reader: Reader, given: Mapping[str, Any], scope: Scope, path: Path
) -> Mapping[str, Child]:
    """Returns the rows below each row, as a correlated sub-select would find them."""
    result: dict[str, Child] = {}
    declared = reader.as_map(given.get("children"), (*path, "children"), "children")
    for name, one in declared.items():
        at = (*path, "children", name)
        try:
            result[name] = _child(reader, name, one, Scope(scope.aliases, result), at)
        except Wrong:
            continue
    if len(result) < len(declared):
        raise Wrong
    return result


def check_unique(
    reader: Reader, scan: exp.Select, key: tuple[exp.Column, ...], scope: Scope, path: Path
) -> None:
    """Reports RV224 for the first table that may give several rows to one key.

    A table is fixed once a unique key of it is bound: by the key itself, by constants, or by
    equalities with columns of tables that are fixed already.
    """
    where = scan.args.get("where")
    both: list[tuple[exp.Expr, exp.Expr]] = []
    for condition in expressions.conjuncts(where.this if where is not None else None):
        both += _equalities(condition)
    joined: dict[str, list[tuple[exp.Expr, exp.Expr]]] = {}
    for join in scan.args.get("joins") or ():
        found = [
            pair for c in expressions.conjuncts(join.args.get("on")) for pair in _equalities(c)
        ]
        if join.side == "LEFT":
            # Such a condition only chooses rows of the table that it joins.
            joined[join.this.alias_or_name] = found
        else:
            both += found
    bound: dict[str, set[str]] = {alias: set() for alias in scope.aliases}
    for column in key:
        bound[column.table].add(column.name)
    fixed: set[str] = set()
    while True:
        before = len(fixed)
        for alias, table in scope.aliases.items():
            for mine, other in (*both, *joined.get(alias, ())):
                needed = {column.table for column in other.find_all(exp.Column)}
                if isinstance(mine, exp.Column) and mine.table == alias and needed <= fixed:
                    bound[alias].add(mine.name)
            if reader.tables[table].is_unique(frozenset(bound[alias])):
                fixed.add(alias)
        if len(fixed) == before:
            break
    tables = (scan.args["from_"].this, *(join.this for join in scan.args.get("joins") or ()))
    # Tables of a sub-select in `where` repeat nothing.
    loose = [table for table in tables if table.alias_or_name not in fixed]
    if loose:
        first = loose[0]
        named = ", ".join(column.sql(dialect="postgres") for column in key)
        reader.add(
            (*path, "from"),
            "RV224",
            f"{first.name} may repeat key {named}",
            "join it on a unique key, claim one under facts, or use first",
            expressions.offset_of(first),
        )


def _long_key(reader: Reader, declared: Mapping[str, Any], path: Path) -> tuple[Any, Path]:
    for key in declared:
        if key not in _LONG_KEY:
            hint = did_you_mean(str(key), _LONG_KEY)
            raise reader.wrong((*path, key), "RV205", f"unknown key {key}", hint)
    if "value" not in declared:
        raise reader.wrong(path, "RV220", "a key needs `value`", "{value: c.email, sealed: true}")
    if not isinstance(declared.get("sealed", False), bool):
        raise reader.wrong((*path, "sealed"), "RV206", "sealed is true or false")
    return declared["value"], (*path, "value")


def _child(reader: Reader, name: str, given: Any, scope: Scope, path: Path) -> Child:
    if not isinstance(given, dict):
        raise reader.wrong(path, "RV206", "a child needs `from` and `where`")
    for key in given:
        if key not in _CHILD_KEYS:
            hint = did_you_mean(key, _CHILD_KEYS)
            reader.add_key((*path, key), "RV205", f"unknown key {key}", hint)
    if "from" not in given or "where" not in given:
        raise reader.wrong(path, "RV220", "a child needs `from` and `where`")
    if reader.connector in ("rest", "trino"):
        named = {"rest": "REST", "trino": "Trino"}[reader.connector]
        raise reader.wrong(path, "RV209", f"children of {named} tables are not supported yet")
    scan, inner = read_from(reader, (*path, "from"), scope)
    condition = reader.condition((*path, "where"), scope.beside(inner.aliases))
    if not any(column.table in scope.aliases for column in condition.find_all(exp.Column)):
        raise reader.wrong(
            (*path, "where"), "RV220", "a child's where names no column of the row", "x.id = s.id"
        )
    links = tuple(_links(condition, inner.aliases))
    first = _first(reader, given, scan, inner, path)
    return Child(name, scan.where(condition, copy=False), inner.aliases, links, first)


def _first(
    reader: Reader, given: Mapping[str, Any], scan: exp.Select, scope: Scope, path: Path
) -> tuple[exp.Ordered, ...]:
    """Returns the order in which the first row counts; the table's key comes last."""
    if "first" not in given:
        return ()
    at = (*path, "first")
    try:
        terms = expressions.parse_order(reader.text(at))
    except ExpressionError as error:
        raise reader.refused(at, error) from None
    for term in terms:
        reader.resolved(term, at, scope)
    tables = [scan.args["from_"].this, *(join.this for join in scan.args.get("joins") or ())]
    keys = []
    for table in tables:
        names = reader.tables[table.name].primary_key
        if not names:
            hint = "name its key in the schema file or under tables"
            raise reader.wrong(at, "RV220", f"{table.name} has no primary key", hint)
        for name in names:
            column = exp.column(name, table=table.alias_or_name)
            keys.append(exp.Ordered(this=column, desc=False, nulls_first=False))
    return (*terms, *keys)


def _check_on(reader: Reader, join: exp.Join, path: Path, scope: Scope) -> None:
    condition = join.args.get("on")
    if condition is None:
        return
    problems = 0
    for column in condition.find_all(exp.Column):
        try:
            reader.column_type(scope)(column)
        except ExpressionError as error:
            reader.add(path, error.code, error.message, error.hint, expressions.offset_of(column))
            problems += 1
    if problems:
        raise Wrong
    try:
        type_ = expressions.check(condition, reader.column_type(scope))
    except ExpressionError as error:
        raise reader.refused(path, error) from None
    if type_.kind.value != "boolean":
        at = expressions.offset_of(condition)
        raise reader.wrong(path, "RV215", f"a condition is needed, not {type_}", "", at)


def _equalities(condition: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    if isinstance(condition, exp.EQ):
        yield condition.this, condition.expression
        yield condition.expression, condition.this


def _links(
    condition: exp.Expr, inner: Mapping[str, str]
) -> Iterator[tuple[exp.Column, exp.Column]]:
    for one in expressions.conjuncts(condition):
        for mine, other in _equalities(one):
            if not isinstance(mine, exp.Column) or not isinstance(other, exp.Column):
                continue
            if mine.table in inner and other.table not in inner:
                yield mine, other
