"""Decides how a fragment reads in DuckDB: files in place of tables, typed columns of text files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from roundview_catalog.expressions import conjuncts
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.tables import FileTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.connectors.statement import (
    BoundNames,
    Scope,
    bind_names,
    qualified,
    scope_of,
    tables_of,
    with_key_parts,
    with_views,
)
from roundview_federation.key_sets import keyset_of, part_of_keyset
from roundview_federation.plan import ChildRows, Fragment
from roundview_federation.top_rows import TOP, Top


@dataclass(frozen=True, slots=True)
class FileInput:
    """One place where files stand in a statement: parameter, table, and which keys pick them.

    `keys` and `value` name the request's key set or parameter that bounds the bucket column.
    """

    parameter: str
    table: str
    keys: str = ""
    value: str = ""
    alias: str = ""


@dataclass(frozen=True, slots=True)
class FilesCall:
    """One statement; `kinds` are the types of the columns that key sets are compared with.

    `composite` has the parts of each key set of several columns. `one` is the text for exactly
    one key in every set: equality prunes row groups by their statistics and bloom filters, a
    list does not. `tolerant` is the parameter that says whether a line of JSON that is still
    being written may be left out.
    """

    many: str
    one: str
    names: BoundNames
    kinds: Mapping[str, Kind]
    composite: Mapping[str, tuple[str, ...]]
    inputs: tuple[FileInput, ...]
    tolerant: str
    row_cap: int
    fragment: Fragment


_DUCKDB: Final = DuckDB()
_FILES: Final = "roundview_files"
_TOLERANT: Final = "roundview_tolerant"
_TYPES: Final[Mapping[Kind, str]] = {
    Kind.INTEGER: "bigint",
    Kind.BIGINT: "bigint",
    Kind.FLOAT: "double",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamptz",
}


def compile_call(fragment: Fragment, tables: Mapping[str, SourceTable]) -> FilesCall:
    """Returns the statement of a fragment."""
    composite = dict(_rows_of_keys(fragment.tree))
    fragment = with_key_parts(fragment)
    scope = scope_of(fragment, tables)
    asked = (fragment.tree, *(child.tree for child in fragment.children))
    trees = [with_views(qualified(tree), scope) for tree in asked]
    bound = _bound_columns(trees)
    inputs: list[FileInput] = []
    kinds = dict(_keyset_kinds(trees, scope))
    used = _used_columns(trees)
    for tree in trees:
        _with_files(tree, scope, used, bound, inputs)
    tree = trees[0]
    _readable(tree, fragment.types)
    for child, rows in zip(fragment.children, trees[1:], strict=True):
        tree.append("expressions", _child(child, rows, scope))
    if fragment.top is not None and not fragment.children and not fragment.top.is_loose:
        tree.set("qualify", exp.Qualify(this=_is_among_first(fragment.top)))
    _limited(tree, fragment.row_cap)
    files = tuple(one.parameter for one in inputs)
    single = tree.copy()
    for node in list(single.find_all(exp.EQ)):
        found = keyset_of(node)
        if found is not None:
            node.set("expression", exp.Placeholder(this=found[1]))
    for name, columns in composite.items():
        tree.where(_is_row_of(columns, name), copy=False)
    names = bind_names(tree, fragment.keysets, kept=(*files, _TOLERANT))
    bind_names(single, fragment.keysets, kept=(*files, _TOLERANT))
    is_tolerant = any(node.name == _TOLERANT for node in tree.find_all(exp.Placeholder))
    return FilesCall(
        many=tree.sql(dialect=_DUCKDB, identify=True, copy=False),
        one=single.sql(dialect=_DUCKDB, identify=True, copy=False),
        names=names,
        kinds=kinds,
        composite={name: _parts(name, len(columns)) for name, columns in composite.items()},
        inputs=tuple(inputs),
        tolerant=_TOLERANT if is_tolerant else "",
        row_cap=fragment.row_cap,
        fragment=fragment,
    )


def reading(table: SourceTable, columns: tuple[str, ...], files: exp.Expr) -> exp.Expr:
    """Returns the FROM item that reads columns of a table from a list of files."""
    access = table.access
    if not isinstance(access, FileTable):
        raise TypeError(f"{table.name} is not a table of files")
    if access.kind == "parquet":
        is_split = access.bucket_by is None and "*" in access.path
        options = {"hive_partitioning": exp.false(), "union_by_name": exp.convert(is_split)}
        read = _function("read_parquet", files, options)
        formatted = {n for n, c in access.columns.items() if c.format and n in columns}
        if not formatted:
            return read
        replaced = [
            exp.alias_(_typed(table.columns[n], access.columns[n].format), n, quoted=True)
            if n in formatted
            else exp.column(exp.to_identifier(n, quoted=True))
            for n in columns
        ]
        return exp.Subquery(this=exp.select(*replaced).from_(read))
    if access.kind == "csv":
        options = {
            "header": exp.true(),
            "all_varchar": exp.true(),
            "union_by_name": exp.convert("*" in access.path),
            "delim": exp.Literal.string(access.delimiter),
        }
        read = _function("read_csv", files, options)
    else:
        every = [
            exp.PropertyEQ(this=exp.Literal.string(n), expression=exp.Literal.string("VARCHAR"))
            for n in table.columns
        ]
        options = {
            "format": exp.Literal.string("newline_delimited"),
            "ignore_errors": exp.Placeholder(this=_TOLERANT),
            "columns": exp.Struct(expressions=every),
        }
        read = _function("read_json", files, options)
    typed = [
        exp.alias_(
            _typed(table.columns[n], access.columns[n].format if n in access.columns else ""),
            n,
            quoted=True,
        )
        for n in columns
    ] or [exp.alias_(exp.Literal.number(1), "nothing")]
    select = exp.select(*typed).from_(read)
    if access.kind == "jsonl" and table.columns:
        # A line that cannot be read arrives as a row of NULLs.
        present = [
            exp.Not(this=exp.Is(this=_quoted(name), expression=exp.Null()))
            for name in table.columns
        ]
        select = select.where(exp.or_(*present), copy=False)
    return exp.Subquery(this=select)


def _with_files(
    tree: exp.Select,
    scope: Scope,
    used: Mapping[str, tuple[str, ...]],
    bound: Mapping[tuple[str, str], tuple[str, str]],
    inputs: list[FileInput],
) -> None:
    for node in list(tree.find_all(exp.Table)):
        alias = node.alias_or_name
        table = scope.tables[alias]
        rule = table.access.bucket_by if isinstance(table.access, FileTable) else None
        keys, value = bound.get((alias, rule.column), ("", "")) if rule else ("", "")
        one = FileInput(f"{_FILES}{len(inputs)}", table.name, keys, value, alias)
        inputs.append(one)
        read = reading(table, used.get(alias, ()), exp.Placeholder(this=one.parameter))
        named = exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
        if isinstance(read, exp.Subquery):
            read.set("alias", named)
            node.replace(read)
        else:
            node.replace(exp.Table(this=read.this, alias=named))


def _readable(tree: exp.Select, types: tuple[Type, ...]) -> None:
    """Asks instants as UTC times without zone: DuckDB 1.5 needs another library for zones."""
    for node, type_ in zip(list(tree.expressions), types, strict=False):
        if type_.kind is Kind.TIMESTAMPTZ:
            value = node.this if isinstance(node, exp.Alias) else node
            utc = _utc(value.copy())
            node.replace(exp.alias_(utc, node.alias_or_name, quoted=True))


def _rows_of_keys(tree: exp.Select) -> Iterator[tuple[str, list[exp.Expr]]]:
    """Yields each key set of several columns and what it is compared with."""
    if not any(isinstance(node.this, exp.Tuple) for node in tree.find_all(exp.EQ)):
        return
    for node in qualified(tree).find_all(exp.EQ):
        found = keyset_of(node)
        if found is not None and isinstance(found[0], exp.Tuple):
            yield found[1], found[0].expressions


def _is_row_of(columns: Sequence[exp.Expr], keyset: str) -> exp.Expr:
    """Returns whether columns are those of one key: a part of each may be of two keys.

    The lists of the parts stay beside it, because they choose files and row groups.
    """
    row = exp.Anonymous(this="row", expressions=[column.copy() for column in columns])
    parts = [exp.Explode(this=exp.Placeholder(this=name)) for name in _parts(keyset, len(columns))]
    keys = exp.select(exp.Anonymous(this="row", expressions=parts))
    return exp.In(this=row, query=exp.Subquery(this=keys))


def _parts(keyset: str, count: int) -> tuple[str, ...]:
    return tuple(part_of_keyset(keyset, at) for at in range(count))


def _child(child: ChildRows, tree: exp.Select, scope: Scope) -> exp.Expr:
    cells = []
    for node in tree.expressions:
        declared = scope.column(node) if isinstance(node, exp.Column) else None
        is_instant = declared is not None and declared.type.kind is Kind.TIMESTAMPTZ
        cells.append(_utc(node) if is_instant else node)
    row: exp.Expr = exp.Anonymous(this="row", expressions=cells)
    if tree.args.get("limit") is not None:
        tree.set("expressions", [exp.alias_(row, "cells", copy=False)])
        row = exp.column("cells", table="first")
        tree = exp.select(row).from_(tree.subquery("first", copy=False))
    rows = exp.Anonymous(this="list", expressions=[row.copy()])
    tree.set("expressions", [exp.Coalesce(this=rows, expressions=[exp.Array()])])
    return exp.alias_(exp.Subquery(this=tree), f"rows_{child.alias}", quoted=True, copy=False)


def _utc(value: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="timezone", expressions=[exp.Literal.string("UTC"), value])


def _limited(tree: exp.Select, row_cap: int) -> None:
    if row_cap >= NO_CAP and tree.args.get("limit") is None:
        return
    most: exp.Expr = exp.Literal.number(row_cap + 1)
    limit = tree.args.get("limit")
    if limit is not None:
        asked = exp.Coalesce(this=limit.expression.copy(), expressions=[most.copy()])
        most = exp.Anonymous(this="least", expressions=[asked, most])
    tree.set("limit", exp.Limit(expression=most))


def _is_among_first(top: Top) -> exp.Expr:
    """Returns whether a row is among the wanted ones of its key; infinite times do not count."""
    is_finite = exp.Anonymous(this="isfinite", expressions=[top.by.copy()])
    time = exp.Case(ifs=[exp.If(this=is_finite, true=top.by.copy())])
    term = exp.Ordered(this=time, desc=top.is_descending, nulls_first=False)
    rank = exp.Window(
        this=exp.Anonymous(this="rank"),
        partition_by=[top.key.copy()],
        order=exp.Order(expressions=[term]),
    )
    shown = exp.Placeholder(this=TOP)
    is_first = exp.LTE(this=rank, expression=exp.Add(this=shown, expression=exp.convert(1)))
    return exp.or_(is_first, exp.Not(this=is_finite.copy()))


def _bound_columns(trees: list[exp.Select]) -> dict[tuple[str, str], tuple[str, str]]:
    """Returns (alias, column) -> (key set, parameter) for columns that some keys bound.

    Equality carries a bound from column to column: what is not equal is not in the answer. It
    is carried into an outer-joined table and into child rows, never back out of them.
    """
    equal: dict[tuple[str, str], set[tuple[str, str]]] = {}
    bound: dict[tuple[str, str], tuple[str, str]] = {}
    for conjunct, optional in _conjuncts(trees):
        if not isinstance(conjunct, exp.EQ) or not isinstance(conjunct.this, exp.Column):
            continue
        left = (conjunct.this.table, conjunct.this.name)
        right = conjunct.expression
        found = keyset_of(conjunct)
        if isinstance(right, exp.Column):
            other = (right.table, right.name)
            for source, target in ((left, other), (other, left)):
                if not optional or target[0] in optional:
                    equal.setdefault(source, set()).add(target)
        elif optional and left[0] not in optional:
            continue
        elif found is not None:
            bound[left] = (found[1], "")
        elif isinstance(right, exp.Placeholder):
            bound.setdefault(left, ("", right.name))
    waiting = list(bound)
    while waiting:
        column = waiting.pop()
        for target in equal.get(column, ()):
            if target not in bound:
                bound[target] = bound[column]
                waiting.append(target)
    return bound


def _conjuncts(trees: list[exp.Select]) -> Iterator[tuple[exp.Expr, frozenset[str]]]:
    """Yields each conjunct and the aliases that it may leave without rows (none: all)."""
    for at, tree in enumerate(trees):
        own = frozenset(table.alias_or_name for table in tables_of(tree)) if at else frozenset()
        where = tree.args.get("where")
        if where is not None:
            yield from ((conjunct, own) for conjunct in conjuncts(where.this))
        for join in tree.args.get("joins") or ():
            joined = frozenset({join.this.alias_or_name}) if join.side else own
            on = join.args.get("on")
            if on is not None:
                yield from ((conjunct, joined) for conjunct in conjuncts(on))


def _keyset_kinds(trees: list[exp.Select], scope: Scope) -> Iterator[tuple[str, Kind]]:
    for tree in trees:
        for node in tree.find_all(exp.EQ):
            found = keyset_of(node)
            if found is not None:
                declared = scope.column(found[0]) if isinstance(found[0], exp.Column) else None
                yield found[1], declared.type.kind if declared else Kind.TEXT


def _used_columns(trees: list[exp.Select]) -> dict[str, tuple[str, ...]]:
    used: dict[str, dict[str, None]] = {}
    for tree in trees:
        for column in tree.find_all(exp.Column):
            used.setdefault(column.table, {})[column.name] = None
    return {alias: tuple(sorted(names)) for alias, names in used.items()}


def _typed(column: SourceColumn, form: str) -> exp.Expr:
    value: exp.Expr = _quoted(column.name)
    if form:
        arguments = [value, exp.Literal.string(form)]
        value = exp.Anonymous(this="try_strptime", expressions=arguments)
        if column.type.kind is not Kind.DATE:
            return value
    if column.type.kind is Kind.DECIMAL:
        scale = 12 if column.type.scale is None else column.type.scale
        return _cast(value, f"decimal(38, {scale})")
    target = _TYPES.get(column.type.kind)
    return _cast(value, target) if target else value


def _cast(value: exp.Expr, target: str) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build(target, dialect="duckdb"))


def _quoted(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _function(name: str, files: exp.Expr, options: Mapping[str, exp.Expr]) -> exp.Table:
    arguments = [
        exp.PropertyEQ(this=exp.to_identifier(option), expression=value)
        for option, value in options.items()
    ]
    return exp.Table(this=exp.Anonymous(this=name, expressions=[files, *arguments]))
