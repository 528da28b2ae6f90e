"""Decides what functions of the session give: who, where, which settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError
from roundview_sql.metadata.binding.calls import Call
from roundview_sql.metadata.binding.casts import constant
from roundview_sql.metadata.binding.typed import Scope, Typed, call, number, text, variable
from roundview_sql.variables import VERSION

if TYPE_CHECKING:
    from roundview_sql.metadata.binding.binder import Binder

VERSION_TEXT: Final = f"PostgreSQL {VERSION} (Roundview)"
_NAMES: Final[Mapping[str, str]] = {
    "current_database": "database", "current_catalog": "database", "current_user": "user",
    "session_user": "user", "user": "user", "current_role": "user",
}  # fmt: skip
NAMES_OF_SESSION: Final = frozenset(
    [*_NAMES, "current_schema", "current_schemas", "version", "pg_backend_pid", "current_setting",
     "set_config"]
)  # fmt: skip


def bound(binder: Binder, called: Call, scope: Scope) -> Typed | None:
    """Returns what a function of the session gives, None for other functions."""
    name = called.name
    if name in _NAMES and not called.arguments:
        return Typed(_named(_NAMES[name]), codes.NAME)
    if name == "version":
        return Typed(text(VERSION_TEXT), codes.TEXT)
    if name == "pg_backend_pid":
        return Typed(exp.Cast(this=variable("pid"), to=binder.casts.engine(codes.INT4)), codes.INT4)
    if name == "current_schema":
        first = call("list_extract", _schemas("schemas"), number(1))
        return Typed(first, codes.NAME)
    if name == "current_schemas":
        return _current_schemas(binder, called, scope)
    if name == "current_setting":
        return _current_setting(binder, called, scope)
    if name == "set_config":
        return _set_config(binder, called, scope)
    if name in ("_pg_truetypid", "_pg_truetypmod"):
        return _true_type(called, scope)
    return None


def _named(name: str) -> exp.Expr:
    return exp.Cast(this=variable(name), to=exp.DataType(this=exp.DType.VARCHAR))


def _schemas(name: str) -> exp.Expr:
    inner = exp.DataType(this=exp.DType.VARCHAR)
    return exp.Cast(
        this=variable(name), to=exp.DataType(this=exp.DType.ARRAY, expressions=[inner], nested=True)
    )


def _current_schemas(binder: Binder, called: Call, scope: Scope) -> Typed:
    value = binder.expressions.bind(called.arguments[0], scope)
    made = exp.Case(
        ifs=[exp.If(this=binder.coerced(value, codes.BOOL).node, true=_schemas("all_schemas"))],
        default=_schemas("schemas"),
    )
    return Typed(made, codes.array_of(codes.NAME))


def _current_setting(binder: Binder, called: Call, scope: Scope) -> Typed:
    values = [binder.expressions.bind(one, scope) for one in called.arguments]
    name = constant(values[0])
    if name is not None and len(values) == 1 and name.lower() not in binder.session.settings:
        raise WireError("42704", f'unrecognized configuration parameter "{name}"')
    binder.reads_settings = True
    key = call("lower", binder.coerced(values[0], codes.TEXT).node)
    return Typed(call("map_extract_value", variable("settings"), key), codes.TEXT)


def _set_config(binder: Binder, called: Call, scope: Scope) -> Typed:
    values = [binder.expressions.bind(one, scope) for one in called.arguments]
    said = [binder.said(one) for one in values[:2]]
    flag = values[2].node if len(values) > 2 else None
    is_local = isinstance(flag, exp.Boolean) and bool(flag.this)
    if isinstance(flag, exp.Literal):
        is_local = flag.name.lower() in ("t", "true", "on", "1", "yes")
    if said[0] is None:
        raise WireError("0A000", "set_config() takes constants here")
    if binder.is_described:
        return Typed(text(""), codes.TEXT)
    kept = binder.session.set_config(said[0], said[1] or "", is_local=is_local)
    return Typed(text(kept), codes.TEXT)


def _true_type(called: Call, scope: Scope) -> Typed:
    """Returns what is under a domain; the rows of pg_attribute and pg_type are the arguments."""
    attribute, type_ = (one.args["table"].name for one in called.arguments)
    column, base = ("atttypid", "typbasetype")
    oid = codes.OID
    if called.name.endswith("mod"):
        column, base, oid = "atttypmod", "typtypmod", codes.INT4
    is_domain = exp.EQ(this=exp.column("typtype", type_), expression=text("d"))
    made = exp.Case(
        ifs=[exp.If(this=is_domain, true=exp.column(base, type_))],
        default=exp.column(column, attribute),
    )
    return Typed(made, oid)
