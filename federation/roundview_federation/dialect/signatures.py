"""Decides which form of a function a call means, by the types of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from roundview_federation.dialect.casts import coerce
from roundview_federation.dialect.refusal import FUNCTION, refuse
from roundview_federation.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    PgType,
    as_numeric,
    implicit,
)
from roundview_federation.dialect.values import Value

NUMERIC = PgType("numeric")
TYPES = {
    "smallint": SMALLINT, "int": INTEGER, "bigint": BIGINT, "numeric": NUMERIC,
    "double": DOUBLE, "text": TEXT, "bool": BOOLEAN, "date": DATE, "timestamp": TIMESTAMP,
    "timestamptz": TIMESTAMPTZ, "interval": INTERVAL,
}  # fmt: skip
_PREFERRED = frozenset({DOUBLE, TEXT, TIMESTAMPTZ, BOOLEAN, INTERVAL})

Render = Callable[[Sequence[Value], exp.Expr], Value]


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a function: its arguments' types and what makes the value."""

    takes: tuple[PgType, ...]
    render: Render


def form(takes: str, render: Render) -> Form:
    """Returns a form from the names of its arguments' types: `form("text int", …)`."""
    return Form(tuple(TYPES[name] for name in takes.split()), render)


def chosen(name: str, forms: Sequence[Form], values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns the value of a call; raises RequestError 42883 where no form fits."""
    if len(forms) == 1 and len(forms[0].takes) == len(values):
        fitting = [forms[0]] if _fits(forms[0], values) else []
    else:
        fitting = [one for one in forms if len(one.takes) == len(values) and _fits(one, values)]
    if not fitting:
        types = ", ".join(str(value.type) for value in values)
        raise refuse(FUNCTION, f"there is no function {name}({types})", source)
    best = fitting[0] if len(fitting) == 1 else _best(fitting, values)
    return best.render(
        [_given(value, type_) for value, type_ in zip(values, best.takes, strict=True)], source
    )


def _fits(one: Form, values: Sequence[Value]) -> bool:
    return all(implicit(value.type, type_) for value, type_ in zip(values, one.takes, strict=True))


def _best(forms: list[Form], values: Sequence[Value]) -> Form:
    def score(one: Form) -> tuple[int, int, int]:
        pairs = list(zip(values, one.takes, strict=True))
        exact = sum(value.type.name == type_.name for value, type_ in pairs)
        preferred = sum(
            type_ in _PREFERRED for value, type_ in pairs if value.type.name != type_.name
        )
        strings = sum(type_ == TEXT for value, type_ in pairs if value.type is UNKNOWN)
        return exact, strings, preferred

    return max(forms, key=score)


def _given(value: Value, type_: PgType) -> Value:
    if type_ is NUMERIC and value.type.is_integer:
        return coerce(value, as_numeric(value.type))
    if type_ is NUMERIC and value.type.name == "numeric":
        return value
    return coerce(value, type_)
