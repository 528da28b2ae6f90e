"""Decides what the text of an array says: `a = ANY ('{1,2}'::integer[])` is `a IN (1, 2)`."""

from __future__ import annotations

import re
from typing import Final

from sqlglot import exp

from roundview_federation.dialect.refusal import TEXT, refuse, unsupported

_ITEM: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|((?:[^",{}\\]|\\.)*))\s*([,}])', re.DOTALL)


def array_items(text: str, source: exp.Expr | None = None) -> tuple[str | None, ...]:
    """Returns the elements of an array of one dimension; raises RequestError 22P02 for others.

    >>> array_items('{a, "b,c", NULL}')
    ('a', 'b,c', None)
    """
    stripped = text.strip()
    if not stripped.startswith("{") or not stripped.endswith("}"):
        raise refuse(TEXT, "the text is not an array", source, sqlstate="22P02")
    if not stripped[1:-1].strip():
        return ()
    found: list[str | None] = []
    at = 1
    while at < len(stripped):
        match = _ITEM.match(stripped, at)
        if match is None:
            raise unsupported("an array of this form", source)
        quoted, bare, sign = match.groups()
        if quoted is not None:
            found.append(re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        else:
            item = re.sub(r"\\(.)", r"\1", bare.strip(), flags=re.DOTALL)
            found.append(None if item.lower() == "null" else item)
        at = match.end()
        if sign == "}":
            break
    if at != len(stripped):
        raise refuse(TEXT, "the text is not an array", source, sqlstate="22P02")
    return tuple(found)


def listed(quantifier: exp.Expr, values: list[exp.Expr]) -> None:
    """Puts a list of values in the place of the array of ANY or ALL.

    Raises RequestError where that is not compared with anything.
    """
    above = quantifier.parent
    is_all = not isinstance(quantifier, exp.Any)
    if above is None or not isinstance(above, exp.Binary):
        raise unsupported("an array as a value", quantifier)
    if not values:
        above.replace(exp.Boolean(this=is_all))
    elif isinstance(above, exp.EQ) and not is_all:
        above.replace(exp.In(this=above.this, expressions=values))
    else:
        kind = exp.All if is_all else exp.Any
        quantifier.replace(kind(this=exp.Array(expressions=values)))


def written_out(tree: exp.Expr) -> None:
    """Lists the elements of arrays that are written as a text behind ANY or ALL."""
    for quantifier in list(tree.find_all(exp.Any, exp.All, exp.Anonymous)):
        if not isinstance(quantifier, exp.Anonymous):
            inner = quantifier.this
        elif quantifier.this == "all" and len(quantifier.expressions) == 1:
            inner = quantifier.expressions[0]
        else:
            continue
        while isinstance(inner, exp.Paren):
            inner = inner.this
        element: exp.Expr | None = None
        literal = inner
        if isinstance(inner, exp.Cast):
            to, literal = inner.to, inner.this
            if to.args.get("this") is not exp.DType.ARRAY or len(to.expressions) != 1:
                continue
            element = to.expressions[0]
        if not isinstance(literal, exp.Literal) or not literal.is_string:
            continue
        values: list[exp.Expr] = []
        for item in array_items(literal.name, literal):
            value: exp.Expr = exp.Null() if item is None else exp.Literal.string(item)
            values.append(exp.Cast(this=value, to=element.copy()) if element else value)
        listed(quantifier, values)
