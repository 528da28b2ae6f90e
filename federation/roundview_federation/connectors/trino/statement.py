"""Decides how a fragment reads in Trino: its own names, values as literals, columns as text.

Every column comes as the one text that its type has, so that nothing is lost between Trino, JSON
and us. Values are literals: Trino's connectors hand those on to what they read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_catalog.model import SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.connectors.statement import Scope, qualified, scope_of, with_key_parts
from roundview_federation.key_sets import keyset_of
from roundview_federation.plan import Fragment

MOST_KEYS: Final = 10_000
"""Keys of one list that a statement may have."""
_CASTS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.INTEGER: "BIGINT",
        Kind.BIGINT: "BIGINT",
        Kind.FLOAT: "DOUBLE",
        Kind.DATE: "DATE",
        Kind.TIMESTAMP: "TIMESTAMP(6)",
        Kind.TIMESTAMPTZ: "TIMESTAMP(6) WITH TIME ZONE",
        Kind.UUID: "UUID",
    }
)
_FIXED: Final = "char("
_COMPARED: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)


@dataclass(frozen=True, slots=True)
class TrinoCall:
    """One statement whose values are still placeholders; `types` are those of what is compared."""

    tree: exp.Select
    types: Mapping[str, Type]
    keysets: frozenset[str]
    fragment: Fragment

    def text(self, params: Mapping[str, Any]) -> str:
        """Returns the statement with values in it; raises RequestError RV117 for too many keys."""
        tree = self.tree.copy()
        for node in list(tree.find_all(exp.EQ)):
            found = keyset_of(node)
            if found is None:
                continue
            column, name = found
            keys = [key for key in params[name] if key is not None]
            if len(keys) > MOST_KEYS:
                raise RequestError(f"more than {MOST_KEYS:,} keys are asked for", code="RV117")
            listed = [literal(key, self.types[name]) for key in keys]
            in_list = exp.In(this=column.copy(), expressions=listed)
            node.replace(in_list if keys else exp.false())
        for place in list(tree.find_all(exp.Placeholder)):
            place.replace(literal(params[place.name], self.types[place.name]))
        return tree.sql(dialect="trino")

    @property
    def explained(self) -> str:
        """Returns the statement without values."""
        return self.tree.sql(dialect="trino")


def compile_call(
    fragment: Fragment, tables: Mapping[str, SourceTable], catalog: str, schema: str
) -> TrinoCall:
    """Returns the call of a fragment over the tables of a schema of Trino.

    Raises RequestError RV103 for rows below rows, which are not asked for there.
    """
    if fragment.children:
        raise RequestError("rows below a row are not read through Trino", code="RV103")
    fragment = with_key_parts(fragment)
    scope = scope_of(fragment, tables)
    tree = qualified(fragment.tree)
    types: dict[str, Type] = {}
    for node in list(tree.find_all(*_COMPARED)):
        _typed(node, scope, types)
    named = zip(tree.expressions, fragment.types, strict=True)
    tree.set(
        "expressions",
        [
            exp.alias_(_shown(one.unalias(), type_, scope), f"c{at}", quoted=True)
            for at, (one, type_) in enumerate(named)
        ],
    )
    for column in list(tree.find_all(exp.Column)):
        own = exp.column(column.name.lower(), table=column.table, quoted=True)
        column.replace(own)
    for table in list(tree.find_all(exp.Table)):
        alias = table.alias_or_name
        physical = scope.tables[alias].physical.lower()
        table.replace(
            exp.Table(
                this=exp.to_identifier(physical, quoted=True),
                db=exp.to_identifier(schema, quoted=True),
                catalog=exp.to_identifier(catalog, quoted=True),
                alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
            )
        )
    if fragment.row_cap < NO_CAP:
        tree.set("limit", exp.Limit(expression=exp.Literal.number(fragment.row_cap + 1)))
    return TrinoCall(tree, types, frozenset(fragment.keysets), fragment)


def literal(value: Any, type_: Type) -> exp.Expr:
    """Returns a value as a literal of a type."""
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if type_.kind in (Kind.INTEGER, Kind.BIGINT) and isinstance(value, int):
        return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))
    if isinstance(value, datetime):
        zone = "" if value.tzinfo is None else " UTC"
        moment = value if value.tzinfo is None else value.astimezone(UTC)
        text = f"{moment:%Y-%m-%d %H:%M:%S.%f}{zone}"
    else:
        text = str(value)
    if type_.kind is Kind.DECIMAL and type_.precision is not None:
        return _cast(exp.Literal.string(text), f"DECIMAL({type_.precision}, {type_.scale or 0})")
    target = _CASTS.get(type_.kind)
    return _cast(exp.Literal.string(text), target) if target else exp.Literal.string(text)


def _typed(node: exp.Expr, scope: Scope, types: dict[str, Type]) -> None:
    """Notes what the values beside a column are compared as, and writes constants so."""
    keyset = keyset_of(node)
    sides = [node.this, *(node.args.get(name) for name in ("expression", "low", "high"))]
    sides += node.expressions if isinstance(node, exp.In) else []
    columns = [one for one in sides if isinstance(one, exp.Column)]
    declared = scope.column(columns[0]) if columns else None
    if declared is None:
        return
    if keyset is not None:
        types[keyset[1]] = declared.type
        return
    for one in sides:
        if isinstance(one, exp.Placeholder):
            types[one.name] = declared.type
        elif isinstance(one, exp.Literal) and declared.type.kind is not Kind.BOOLEAN:
            is_number = declared.type.kind in (Kind.INTEGER, Kind.BIGINT) and one.is_int
            one.replace(one.copy() if is_number else literal(str(one.this), declared.type))


def _shown(value: exp.Expr, type_: Type, scope: Scope) -> exp.Expr:
    """Returns what is selected, as the text that our decoders read."""
    if type_.kind is Kind.TIMESTAMPTZ:
        utc = exp.Anonymous(
            this="at_timezone",
            expressions=[_cast(value.copy(), _CASTS[type_.kind]), exp.Literal.string("UTC")],
        )
        return exp.Anonymous(this="to_iso8601", expressions=[utc])
    if type_.kind is Kind.JSON:
        return exp.Anonymous(this="json_format", expressions=[value.copy()])
    text = _cast(value.copy(), "VARCHAR")
    declared = scope.column(value) if isinstance(value, exp.Column) else None
    if declared is not None and declared.native.startswith(_FIXED):
        return exp.Trim(this=text, expression=exp.Literal.string(" "), position="TRAILING")
    return text


def _cast(value: exp.Expr, target: str) -> exp.Cast:
    return exp.Cast(this=value, to=exp.DataType.build(target, dialect="trino"))
