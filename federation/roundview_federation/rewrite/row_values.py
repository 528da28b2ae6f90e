"""Decides what the constants, codes and parameters of a mapping are as Python values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from roundview_catalog import coerce
from roundview_catalog.mapped import FieldMapping
from roundview_catalog.types import Type


def literal_value(mapping: FieldMapping, target: Type) -> Any:
    """Returns the value of a field that is a constant."""
    expr = mapping.expr
    if isinstance(expr, exp.Null):
        return None
    if isinstance(expr, exp.Boolean):
        return bool(expr.this)
    value: Any = expr.this if expr.is_string else expr.to_py()
    converter = coerce.converter(mapping.type, target, "UTC")
    return converter(value) if converter is not None else value


def code_text(value: Any) -> str:
    """Returns the text that `map` knows a value by."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def parameter_types(tree: exp.Expr, types: Mapping[str, Type]) -> dict[str, Type]:
    """Returns for each placeholder the type of the column that it is compared with."""
    found: dict[str, Type] = {}
    for node in tree.find_all(exp.Binary):
        left, right = node.this, node.expression
        for column, value in ((left, right), (right, left)):
            if isinstance(column, exp.Column) and column.name in types:
                if isinstance(value, exp.Placeholder):
                    found[value.name] = types[column.name]
                elif isinstance(value, exp.Column) and value.table == "principal":
                    found[f"principal.{value.name}"] = types[column.name]
    return found


def computing(name: str, text: str, namespace: dict[str, Any]) -> Callable[[Any], Any]:
    """Returns the function of one argument that generated text computes."""
    made: Callable[[Any], Any] = eval(f"lambda {name}: {text}", namespace)  # noqa: S307 - our own
    return made


def composed(outer: Callable[[Any], Any], inner: Callable[[Any], Any], value: Any) -> Any:
    """Returns `outer(inner(value))`."""
    return outer(inner(value))


def fail() -> None:
    """Raises what an aggregate failed with, for each field that needs it."""
    raise ValueError("an aggregate failed")
