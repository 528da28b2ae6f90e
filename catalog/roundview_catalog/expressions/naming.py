"""Writes Python text of values in common types, each nullable value named once."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlglot import exp

from roundview_catalog.expressions.inference import ColumnType, infer
from roundview_catalog.expressions.meeting import (
    common_type,
    inside,
    is_null,
    is_text_constant,
    literal_value,
)
from roundview_catalog.expressions.nodes import ExpressionError
from roundview_catalog.types import Kind, Type

SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[-A-Za-z0-9_]+\])?")
_DAY_KINDS = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)


@dataclass(frozen=True, slots=True)
class Text:
    """Python text of one value; `is_simple` text may be written twice."""

    code: str
    is_nullable: bool = True
    is_simple: bool = False


class Surroundings(Protocol):
    """Is the generated code around an expression, where the expression may put things."""

    def bind(self, value: Any, key: str = "") -> str:
        """Returns the name under which the code sees an object; one for each `key`."""

    def once(self, code: str) -> str:
        """Returns text for a value that is computed at most once for each row."""


class Naming(ABC):
    """Knows types and names; `counter` is shared, so that no name is given twice."""

    def __init__(
        self, column_type: ColumnType, counter: list[int], around: Surroundings | None = None
    ) -> None:
        self.column_type = column_type
        self.counter = counter
        self.around = around

    @abstractmethod
    def value(self, tree: exp.Expr) -> Text:
        """Returns the text of an expression's value."""

    def type(self, node: exp.Expr) -> Type:
        return infer(node, self.column_type)

    def common(self, nodes: Sequence[exp.Expr]) -> Type:
        types = [self.type(node) for node in nodes]
        try:
            return common_type(nodes, types)
        except ExpressionError:
            # Parameters come without a type of their own; their values fit all the same.
            return types[0]

    def meeting(self, left: exp.Expr, right: exp.Expr) -> tuple[Text, Text]:
        type_ = self.common([left, right])
        return self.in_type(left, type_), self.in_type(right, type_)

    def in_type(self, node: exp.Expr, type_: Type) -> Text:
        """Writes a value in the type in which it meets others."""
        if is_null(node):
            return Text("None", True, True)
        if is_text_constant(node):
            return self.constant(literal_value(node, type_))
        own = self.type(node)
        text = self.value(node)
        if own.kind is type_.kind:
            return text
        if type_.kind is Kind.FLOAT:
            return self.strict([text], lambda a: f"to_float({a})")
        if type_.kind is Kind.DECIMAL and own.kind in (Kind.INTEGER, Kind.BIGINT):
            if isinstance(inside(node), exp.Literal):
                return self.constant(Decimal(str(inside(node).this)))
            return self.strict([text], lambda a: f"Decimal({a})")
        if own.kind is Kind.DATE and type_.kind in _DAY_KINDS:
            name = "midnight" if type_.kind is Kind.TIMESTAMP else "midnight_utc"
            return self.strict([text], lambda a: f"{name}({a})")
        return text

    def as_text(self, node: exp.Expr) -> Text:
        text = self.value(node)
        if is_text_constant(node) or self.type(node).is_text:
            return text
        return self.strict([text], lambda a: f"to_text({a})")

    def literal(self, node: exp.Expr) -> Any:
        if node.is_string:
            return str(node.this)
        text = str(node.this)
        return int(text) if text.isdigit() else Decimal(text)

    def constant(self, value: Any) -> Text:
        """Writes a constant; one that Python would make anew each time is made once."""
        if self.around is not None and isinstance(value, Decimal | date):
            return Text(self.around.bind(value, repr(value)), False, True)
        return constant(value)

    def strict(self, parts: Sequence[Text], write: Callable[..., str]) -> Text:
        """Writes a call that is NULL where an operand is."""
        if any(part.code == "None" for part in parts):
            return Text("None", True, True)
        tests, names = self.guards(parts, "is None or")
        if not tests:
            return Text(f"({write(*names)})", False)
        return Text(f"(None if {tests.removesuffix(' or ')} else {write(*names)})")

    def test(self, parts: Sequence[Text], write: Callable[..., str]) -> str:
        """Writes a test that is false where an operand is NULL."""
        tests, names = self.guards(parts, "is not None and")
        return f"({tests}{write(*names)})"

    def guards(self, parts: Sequence[Text], word: str) -> tuple[str, list[str]]:
        tests, names = "", []
        for part in parts:
            if not part.is_nullable:
                names.append(part.code)
                continue
            named, first = self.named(part)
            names.append(named.code)
            tests += f"{first} {word} "
        return tests, names

    def named(self, part: Text) -> tuple[Text, str]:
        """Returns a name for a value, and the text that gives it that name."""
        if part.is_simple:
            return part, part.code
        self.counter[0] += 1
        name = f"_{self.counter[0]}"
        return Text(name, part.is_nullable, True), f"({name} := {part.code})"


def constant(value: Any) -> Text:
    """Returns the text of a constant."""
    if isinstance(value, datetime):
        zone = ", tzinfo=UTC" if value.tzinfo else ""
        parts = f"{value.year}, {value.month}, {value.day}, {value.hour}, {value.minute}, "
        return Text(f"datetime({parts}{value.second}, {value.microsecond}{zone})", False)
    if isinstance(value, date):
        return Text(f"date({value.year}, {value.month}, {value.day})", False)
    if isinstance(value, float) and value != value:
        return Text("float('nan')", False)
    return Text(repr(value), False, not isinstance(value, Decimal))
