"""Decides how `where` and `orderBy` become trees, parameters and the shape of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_federation.key_sets import in_keys
from roundview_graphql.vocabulary import EntityWords

Structure = tuple[Any, ...]
"""A `where` without its values: ("and", parts …), ("or", …), ("not", part),
("compare", column, node), ("in", column), ("null", column, is_null)."""

Order = tuple[tuple[str, bool], ...]

MOST_CONDITIONS = 50
MOST_VALUES = 200
DEEPEST = 8
MOST_ORDER_TERMS = 5

_COMPARISONS: Mapping[str, type[exp.Binary]] = {
    "eq": exp.EQ,
    "gt": exp.GT,
    "ge": exp.GTE,
    "lt": exp.LT,
    "le": exp.LTE,
}


def flatten(where: Mapping[str, Any] | None, words: EntityWords) -> tuple[Structure, list[Any]]:
    """Separates a coerced `where` into its structure and its values in order.

    Raises RequestError RV105 for null operands, empty lists and more than can be planned.
    """
    values: list[Any] = []
    if not where:
        return (), values
    structure = _group(where, words, values, 0)
    if len(values) > MOST_CONDITIONS:
        raise RequestError(
            f"`where` has more than {MOST_CONDITIONS} conditions", code="RV115", hint="ask for less"
        )
    return structure, values


def ordering(terms: Sequence[Mapping[str, str]] | None, words: EntityWords) -> Order:
    """Returns a coerced `orderBy` as (column, descending); the entity's order without one."""
    if not terms:
        return words.order
    if len(terms) > MOST_ORDER_TERMS:
        raise RequestError(f"`orderBy` has more than {MOST_ORDER_TERMS} fields", code="RV115")
    order: dict[str, bool] = {}
    for term in terms:
        for name, direction in term.items():
            order.setdefault(words.columns[name].column, direction == "DESC")
    return tuple(order.items())


def tree(structure: Structure, prefix: str) -> exp.Expr | None:
    """Returns the condition of a structure; value i is the parameter `{prefix}{i}`."""
    if not structure:
        return None
    return _Trees(prefix).tree(structure)


def _group(
    where: Mapping[str, Any], words: EntityWords, values: list[Any], depth: int
) -> Structure:
    if depth > DEEPEST:
        raise RequestError(f"`where` is nested more than {DEEPEST} times", code="RV111")
    parts: list[Structure] = []
    for name, value in where.items():
        if value is None:
            continue
        if name in ("and", "or"):
            if not value:
                raise RequestError(f"`{name}` needs at least one condition", code="RV105")
            inner = tuple(_group(one, words, values, depth + 1) for one in value)
            parts.append((name, *inner))
        elif name == "not":
            parts.append(("not", _group(value, words, values, depth + 1)))
        else:
            parts += _field(words.columns[name].column, name, value, values)
    if not parts:
        raise RequestError("`where` has no condition in it", code="RV105", hint="leave it out")
    return parts[0] if len(parts) == 1 else ("and", *parts)


def _field(
    column: str, name: str, operators: Mapping[str, Any], values: list[Any]
) -> list[Structure]:
    parts: list[Structure] = []
    for operator, value in operators.items():
        if value is None:
            # A condition that silently vanished would show more than was asked for.
            raise RequestError(f"`{name}.{operator}` is null", code="RV105", hint="use isNull")
        if operator == "isNull":
            parts.append(("null", column, value))
        elif operator == "in":
            if not value or len(value) > MOST_VALUES or None in value:
                raise RequestError(
                    f"`{name}.in` takes 1 to {MOST_VALUES} values, none of them null", code="RV105"
                )
            parts.append(("in", column))
            values.append(list(value))
        else:
            parts.append(("compare", column, operator))
            values.append(value)
    return parts


class _Trees:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._next = 0

    def tree(self, structure: Structure) -> exp.Expr:
        kind = structure[0]
        if kind in ("and", "or"):
            parts = [self.tree(part) for part in structure[1:]]
            return exp.and_(*parts) if kind == "and" else exp.or_(*parts)
        if kind == "not":
            return exp.not_(self.tree(structure[1]))
        column = exp.column(structure[1])
        if kind == "null":
            absent = exp.Is(this=column, expression=exp.Null())
            return absent if structure[2] else exp.not_(absent)
        name = f"{self._prefix}{self._next}"
        self._next += 1
        if kind == "in":
            return in_keys(column, name)
        return _COMPARISONS[structure[2]](this=column, expression=exp.Placeholder(this=name))
