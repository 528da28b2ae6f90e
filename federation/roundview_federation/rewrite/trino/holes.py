"""Decides how values that differ from question to question stand open in a statement of Trino.

A statement is written once with marks in the places of values. What is put there is one constant,
written as the statement's own are: in a statement inside a text it is a constant of that.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlglot import exp

from roundview_federation.dialect.types import PgType
from roundview_federation.dialect.values import string
from roundview_federation.rewrite.trino.convert import cast_to, literal_text

# Nobody who asks can write such a constant.
_MARK: Final = secrets.token_hex(16)
_PLACE: Final = re.compile(rf"(''?){_MARK}:(\w+)\1")
_UNSAFE: Final = ("\\", '"', "\0")
"""What a text in a statement may not have: its meaning depends on the server's settings."""


def hole(name: str, type_: PgType) -> exp.Expr:
    """Returns what stands for a value that is no truth, of a type."""
    mark = open_text(name)
    return mark if type_.category == "S" else cast_to(mark, type_)


def open_text(name: str) -> exp.Literal:
    """Returns what stands for a constant that is a text."""
    return string(f"{_MARK}:{name}")


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Returns a statement with its values; those of a statement in a text are `is_plain`."""

    def constant(place: re.Match[str]) -> str:
        value = values[place[2]]
        if place[1] == "'":
            return string(literal_text(value)).sql(dialect="trino")
        inner = string(native_text(value)).sql(dialect="postgres")
        return string(inner).sql(dialect="trino")[1:-1]

    return _PLACE.sub(constant, text)


def is_plain(value: Any) -> bool:
    """Tells whether a value is one that `native_text` writes, without signs servers differ in."""
    if isinstance(value, str):
        return not any(sign in value for sign in _UNSAFE)
    return isinstance(value, int | Decimal | date)


def native_text(value: Any) -> str:
    """Returns what a constant says in a database's own statement."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
