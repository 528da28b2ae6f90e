"""Decides what the named views of a source are: one SELECT each, computed in the source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.document import Document
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.mapping.dialects import PUSHING
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.types import Kind, Type

Tables = Mapping[str, SourceTable]
Made = dict[str, tuple[exp.Expr, SourceColumn]]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WHOLE = (Kind.INTEGER, Kind.BIGINT)


def read_views(
    given: Mapping[str, Any],
    connector: str,
    tables: Tables,
    document: Document,
    report: Report,
) -> dict[str, SourceTable]:
    """Returns each view as a table; one with a mistake is reported and left out.

    Every table of a view's tree has an alias `v0`, `v1` …, every column its table, and every
    arm the same projections under the same names.
    """
    found: dict[str, SourceTable] = {}
    for name, text in given.items():
        path = ("views", name)
        if not _NAME.fullmatch(name) or name in tables:
            taken = (f"the name {name} is taken", "take another one")
            wrong = ("not a name for a view", "letters, digits and _")
            message, hint = taken if name in tables else wrong
            report.add(document.key_position(path), "RV221", message, hint)
            continue
        if connector not in PUSHING:
            report.add(document.key_position(path), "RV209", f"views of {connector} sources")
            continue
        try:
            found[name] = _view(name, str(text), PUSHING[connector], tables)
        except ExpressionError as error:
            at = document.position(path, error.offset)
            report.add(at, error.code, error.message, error.hint)
    return found


def _view(name: str, text: str, dialect: str, tables: Tables) -> SourceTable:
    arms = expressions.parse_view(text)
    counter = iter(range(1000))
    made = [_arm(arm, dialect, tables, counter) for arm in arms]
    names = tuple(made[0])
    for arm, given in zip(arms, made, strict=True):
        if len(given) != len(names):
            message = f"{len(given)} columns after {len(names)}"
            raise ExpressionError(message, "every SELECT has the same ones", _start(arm), "RV215")
        values = [value for value, _ in given.values()]
        aliased = (exp.alias_(v, n) for v, n in zip(values, names, strict=True))
        arm.set("expressions", list(aliased))
    columns = {
        column: _joined(column, [list(one.values())[at] for one in made], arms)
        for at, column in enumerate(names)
    }
    tree: exp.Query = arms[0]
    for arm in arms[1:]:
        tree = exp.Union(this=tree, expression=arm, distinct=False)
    return SourceTable(
        name=name,
        physical=name,
        columns=columns,
        primary_key=_key(arms[0], made[0], tables) if len(arms) == 1 else (),
        indexes=tuple((c,) for c in names if _is_indexed(names.index(c), arms, made, tables)),
        view=tree,
    )


def _arm(select: exp.Select, dialect: str, tables: Tables, counter: Iterator[int]) -> Made:
    """Returns the columns of one SELECT by name; its tables and columns get their aliases."""
    known: dict[str, SourceTable] = {}
    renamed: dict[str, str] = {}
    for table in select.find_all(exp.Table):
        at = expressions.offset_of(table)
        if table.name not in tables:
            hint = did_you_mean(table.name, tables)
            raise ExpressionError(f"unknown table {table.name}", hint, at, "RV213")
        written, alias = table.alias_or_name, f"v{next(counter)}"
        if written in renamed:
            raise ExpressionError(f"two tables named {written}", "give them aliases", at, "RV221")
        renamed[written], known[alias] = alias, tables[table.name]
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    _expand_stars(select, known, renamed)

    def type_of(column: exp.Column) -> Type:
        return known[column.table].columns[column.name].type

    for column in list(select.find_all(exp.Column)):
        _resolve(column, known, renamed)
    grouped = {g.sql() for g in select.args["group"].expressions} if _group(select) else None
    where = select.args.get("where")
    conditions = [where.this] if where is not None else []
    conditions += [j.args["on"] for j in select.args.get("joins") or () if j.args.get("on")]
    for condition in conditions:
        if expressions.check(condition, type_of).kind is not Kind.BOOLEAN:
            raise _refused(condition, "a condition is needed", "RV215")
        if not expressions.pushable(condition, dialect, type_of):
            raise _refused(condition, "this condition is not computed in the source")
    made: Made = {}
    for projection in select.expressions:
        value = projection.this if isinstance(projection, exp.Alias) else projection
        name = projection.alias_or_name
        if not name or name in made:
            message = f"two columns named {name}" if name else "a column needs a name"
            raise ExpressionError(message, "write … AS name", expressions.offset_of(value), "RV221")
        made[name] = (value.copy(), _column(name, value, dialect, known, type_of, grouped))
    return made


def _column(
    name: str,
    value: exp.Expr,
    dialect: str,
    known: Mapping[str, SourceTable],
    type_of: Callable[[exp.Column], Type],
    grouped: set[str] | None,
) -> SourceColumn:
    type_ = expressions.infer(value, type_of)
    aggregates = list(value.find_all(*expressions.AGGREGATES))
    is_grouped = grouped is not None or bool(aggregates)
    if is_grouped and not aggregates and value.sql() not in (grouped or ()):
        raise _refused(value, f"{name} is neither grouped nor an aggregate", "RV216")
    if isinstance(value, exp.Column):
        return replace(known[value.table].columns[value.name], name=name, search="")
    if aggregates:
        if value is not aggregates[0] or not _is_exact(value, dialect, type_of):
            raise _refused(value, f"{name} is not computed exactly in the source")
    elif not expressions.pushable(value, dialect, type_of):
        raise _refused(value, f"{name} is not computed exactly in the source")
    return SourceColumn(name, type_)


def _is_exact(aggregate: exp.Expr, dialect: str, type_of: Callable[[exp.Column], Type]) -> bool:
    if isinstance(aggregate, exp.Count):
        inner = aggregate.this
        return isinstance(inner, exp.Star | exp.Column)
    if not isinstance(aggregate, exp.Sum | exp.Min | exp.Max):
        return False
    if not isinstance(aggregate.this, exp.Column):
        return False
    kind = type_of(aggregate.this).kind
    # SQLite adds decimals as doubles, and every server orders text by its own collation.
    return kind in _WHOLE or (kind is Kind.DECIMAL and dialect != "sqlite")


def _joined(
    name: str, made: list[tuple[exp.Expr, SourceColumn]], arms: list[exp.Select]
) -> SourceColumn:
    """Returns a column of all arms: what is true of it is what is true in each."""
    first = made[0][1]
    for (_, other), arm in zip(made, arms, strict=True):
        if other.type.kind is not first.type.kind:
            message = f"{name} is {first.type} and {other.type}"
            raise ExpressionError(message, "", _start(arm), "RV215")
    columns = [column for _, column in made]

    def common(attribute: str, otherwise: Any = "") -> Any:
        values = {getattr(column, attribute) for column in columns}
        return values.pop() if len(values) == 1 else otherwise

    types = {column.type for column in columns}
    return replace(
        first,
        type=first.type if len(types) == 1 else Type(first.type.kind),
        is_nullable=any(column.is_nullable for column in columns),
        collation=common("collation", "ci"),
        normal_form="" if any(column.search for column in columns) else common("normal_form"),
        search="",
        time_zone=common("time_zone"),
        domain=common("domain", ()),
        references=common("references"),
        native=common("native"),
    )


def _key(arm: exp.Select, made: Made, tables: Tables) -> tuple[str, ...]:
    """Returns what names a row of a view: its groups, or the key of its only table."""
    wanted: list[str]
    if _group(arm):
        wanted = [g.sql() for g in arm.args["group"].expressions]
    elif arm.args.get("joins") or any(v.find(*expressions.AGGREGATES) for v, _ in made.values()):
        return ()
    else:
        table = arm.args["from_"].this
        keys = tables[table.name].primary_key
        wanted = [exp.column(key, table=table.alias_or_name).sql() for key in keys]
    names = {value.sql(): name for name, (value, _) in made.items()}
    return tuple(names[one] for one in wanted) if all(one in names for one in wanted) else ()


def _is_indexed(at: int, arms: list[exp.Select], made: list[Made], tables: Tables) -> bool:
    """Tells whether every arm finds values of a column by an index."""
    for arm, columns in zip(arms, made, strict=True):
        value = list(columns.values())[at][0]
        if not isinstance(value, exp.Column):
            return False
        owners = {t.alias_or_name: tables[t.name] for t in arm.find_all(exp.Table)}
        table = owners[value.table]
        keys = (table.primary_key, *table.unique, *table.indexes)
        if table.access is None and not any(key and key[0] == value.name for key in keys):
            return False
    return True


def _expand_stars(
    select: exp.Select, known: Mapping[str, SourceTable], renamed: Mapping[str, str]
) -> None:
    expanded: list[exp.Expr] = []
    for projection in select.expressions:
        is_star = isinstance(projection, exp.Star)
        if not is_star and not (
            isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
        ):
            expanded.append(projection)
            continue
        wanted = list(known) if is_star else [renamed.get(projection.table, projection.table)]
        for alias in wanted:
            if alias not in known:
                raise _refused(projection, f"unknown alias {projection.table}", "RV214")
            expanded += [exp.column(name, table=alias) for name in known[alias].columns]
    select.set("expressions", expanded)


def _resolve(
    column: exp.Column, known: Mapping[str, SourceTable], renamed: Mapping[str, str]
) -> None:
    alias = renamed.get(column.table, column.table)
    if not alias and len(known) == 1:
        alias = next(iter(known))
    table = known.get(alias)
    at = expressions.offset_of(column)
    if table is None:
        named = f"unknown alias {alias}" if alias else f"column {column.name} has no alias"
        raise ExpressionError(named, "name the table in FROM", at, "RV214")
    if column.name not in table.columns:
        hint = did_you_mean(column.name, table.columns)
        message = f"unknown column {column.name} in {table.name}"
        raise ExpressionError(message, hint, at, "RV214")
    column.set("table", exp.to_identifier(alias))


def _group(select: exp.Select) -> bool:
    return select.args.get("group") is not None


def _start(select: exp.Select) -> int:
    return expressions.offset_of(select)


def _refused(node: exp.Expr, message: str, code: str = "RV209") -> ExpressionError:
    return ExpressionError(message, "", expressions.offset_of(node), code)
