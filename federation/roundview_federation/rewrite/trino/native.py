"""Decides which branches a database is asked for in its own SQL, and what it is then told.

Connectors of Trino hand on few functions, no order of texts and not every type, and Trino's planner
looks at long lists of keys one by one. `system.query` hands a statement on as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.types import Kind
from roundview_federation.connectors.port import NO_CAP, Capabilities
from roundview_federation.connectors.postgres.statement import PostgresCall, compile_call
from roundview_federation.dialect.types import TIMESTAMPTZ, PgType, duck
from roundview_federation.dialect.values import string
from roundview_federation.plan import KeySet
from roundview_federation.rewrite.bounds import Bound
from roundview_federation.rewrite.push import push
from roundview_federation.rewrite.trino.asked import Asked
from roundview_federation.rewrite.trino.columns import RawColumns, is_read, read
from roundview_federation.rewrite.trino.convert import cast_to, utc
from roundview_federation.rewrite.trino.holes import is_plain, native_text, open_text
from roundview_federation.rewrite.trino.lists import MANY
from roundview_federation.rewrite.trino.place import Place
from roundview_federation.rewrite.unfold import Unfolded

_UNGUARDED: Final = 1 << 30
_KEYS: Final = "native_keys"
_POSTGRES: Final = Capabilities(dialect="postgres", filters=frozenset(), joins=True)
_ORDERED: Final = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NEQ)
_TEXTS: Final = (Kind.TEXT, Kind.ENUM)


def native_rows(unfolded: Unfolded, raw: RawColumns, asked: Asked) -> tuple[exp.Select, str] | None:
    """Returns the columns of a branch, read by its own statement, and why.

    None where Trino's connector reads as well, or such a statement is not sure to mean the same.
    """
    place = raw.place
    why = _reason(unfolded, raw, asked) if place.own_schema else ""
    if not why:
        return None
    if not all(map(is_plain, _texts(asked))):
        return None
    if unfolded.source.connector == "postgres":
        text = _of_postgres(unfolded, raw, place, asked)
    else:
        text = _of_mysql(unfolded, raw, place, asked)
    return None if text is None else (_passed_through(text, raw), why)


def _reason(unfolded: Unfolded, raw: RawColumns, asked: Asked) -> str:
    """Says why a database is asked in its own SQL, "" where it need not be."""
    counts = [len(one.expressions) for one in asked.conditions if isinstance(one, exp.In)]
    counts += [len(asked.keys.values)] if asked.keys is not None else []
    if max(counts, default=0) > MANY:
        return f"a list of {max(counts):,} keys"
    if unfolded.source.connector != "postgres":
        return ""
    for one in asked.conditions:
        if not isinstance(one.this, exp.Column):
            return "it computes what is compared, by its index where it has one"
        if isinstance(one, _ORDERED) and raw.declared(one.this).type.kind in _TEXTS:
            return "texts are compared by code point"
    if not all(is_read(raw.declared(column)) for column in raw.columns):
        return "it has types that Trino does not read"
    return ""


def _of_postgres(unfolded: Unfolded, raw: RawColumns, place: Place, asked: Asked) -> str | None:
    """Returns the statement that our own connector would send, values in their places."""
    bound = None if asked.keys is None else asked.keys.bound
    if not raw.columns or not _is_simple(bound):
        return None
    pushed = push(
        unfolded,
        bound,
        _POSTGRES,
        {},
        keyset=None if bound is None else _keyset(unfolded, bound),
        conditions=tuple(one.copy() for one in asked.conditions),
        params=tuple(asked.values),
        row_cap=NO_CAP,
    )
    if pushed.residual:
        return None
    for column in raw.columns:
        pushed.draft.column(column, unfolded.column_type(column))
    call = compile_call(
        pushed.draft.fragment(), unfolded.source.tables, place.own_schema, _UNGUARDED
    )
    values = {**asked.values, _KEYS: [] if asked.keys is None else list(asked.keys.values)}
    return _filled(call, values, asked.open, [raw.type_of(column) for column in raw.columns])


def _filled(
    call: PostgresCall,
    values: Mapping[str, Any],
    named: Mapping[str, str],
    types: Sequence[PgType],
) -> str:
    """Returns the text of a call with its values as constants that take their type where they are.

    Columns have the types that the catalog says, which Trino reads.
    """
    tree = call.tree.copy()
    for projection, type_ in zip(tree.expressions, types, strict=True):
        value = projection.this
        while isinstance(value, exp.Cast):
            value = value.this
        projection.set("this", exp.Cast(this=value, to=duck(type_)))
    for node in list(tree.find_all(exp.Parameter)):
        name = call.parameters[int(node.this.name) - 1]
        if name in named:
            node.replace(open_text(named[name]))
            continue
        value = values[name]
        listed = isinstance(value, list | dict)
        texts = [native_text(one) for one in (value if listed else (value,))]
        told = ",".join(f'"{one}"' for one in texts)
        node.replace(string(f"{{{told}}}" if listed else texts[0]))
    return tree.sql(dialect="postgres", identify=True)


def _of_mysql(unfolded: Unfolded, raw: RawColumns, place: Place, asked: Asked) -> str | None:
    """Returns a statement that finds rows by lists of keys, and maybe more than those.

    Texts that the server takes for equal are told apart by who asks.
    """
    scan = unfolded.scan
    keys, tables = asked.keys, unfolded.source.tables
    if not raw.columns or scan.args.get("where") or scan.args.get("joins"):
        return None
    table = tables[scan.args["from_"].this.name]
    if table.view is not None or (keys is not None and keys.bound.conditions):
        return None
    if not _is_simple(keys.bound if keys else None):
        return None
    if not all(is_read(raw.declared(column)) for column in raw.columns):
        return None
    conditions = [
        _listed(one.this, [asked.values[value.name] for value in one.expressions])
        for one in asked.conditions
        if isinstance(one, exp.In) and isinstance(one.this, exp.Column)
    ]
    conditions += [_listed(keys.bound.columns[0], list(keys.values))] if keys is not None else []
    if not conditions or None in conditions:
        return None
    named = exp.table_(table.physical, db=place.own_schema, alias="t", quoted=True)
    select = exp.Select(
        expressions=[
            exp.alias_(exp.column(column.name, table="t"), f"c{at}")
            for at, column in enumerate(raw.columns)
        ]
    ).from_(named, copy=False)
    return select.where(*conditions, copy=False).sql(dialect="mysql", identify=True)


def _listed(column: exp.Column, values: Sequence[Any]) -> exp.Expr | None:
    """Returns `column IN (values)`, None for values that have several spellings."""
    if not values or not all(type(one) in (int, str) for one in values):
        return None
    listed = [exp.Literal.number(v) if isinstance(v, int) else string(v) for v in values]
    return exp.In(this=exp.column(column.name, table="t"), expressions=listed)


def _passed_through(text: str, raw: RawColumns) -> exp.Select:
    """Returns the rows of a database's own statement, each column of its type."""
    words = (raw.place.catalog, "system", "query")
    query = exp.Kwarg(this=exp.Var(this="query"), expression=string(text))
    function = exp.Dot.build(
        [
            exp.to_identifier(words[0], quoted=True),
            exp.to_identifier(words[1], quoted=True),
            exp.Anonymous(this=words[2], expressions=[query]),
        ]
    )
    rows = exp.Table(
        this=exp.Anonymous(this="TABLE", expressions=[function]),
        alias=exp.TableAlias(this=exp.to_identifier("n", quoted=True)),
    )
    columns = []
    for at, column in enumerate(raw.columns):
        own = exp.column(f"c{at}", table="n", quoted=True)
        if raw.unfolded.source.connector == "postgres":
            type_ = raw.type_of(column)
            value = cast_to(own, type_)
            value = utc(value) if type_ is TIMESTAMPTZ else value
        else:
            value = read(own, raw.declared(column), raw.unfolded.source.connector)
        columns.append(exp.alias_(value, f"c{at}", quoted=True))
    return exp.Select(expressions=columns).from_(rows, copy=False)


def _keyset(unfolded: Unfolded, bound: Bound) -> KeySet:
    return KeySet(
        name=_KEYS,
        source=unfolded.source.name,
        branch=bound.branch,
        types=bound.types,
        prefixes=bound.prefixes,
    )


def _is_simple(bound: Bound | None) -> bool:
    return bound is None or (len(bound.columns) == 1 and bound.through is None)


def _texts(asked: Asked) -> list[Any]:
    return [*asked.values.values(), *(() if asked.keys is None else asked.keys.values)]
