"""Decides which texts are questions: one SELECT of the allowed syntax, read as PostgreSQL does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from roundview_federation.dialect.allowed import (
    ALLOWED,
    BINDING,
    CHAINED,
    PREFIX,
    RESERVED,
    SESSION,
)
from roundview_federation.dialect.array_texts import written_out
from roundview_federation.dialect.functions import NAMES
from roundview_federation.dialect.reading import MARK, tokens_of
from roundview_federation.dialect.refusal import (
    SYNTAX,
    TOO_DEEP,
    TOO_LARGE,
    refuse,
    unsupported,
)

MAX_NODES = 2_000
MAX_NESTING = 200
MAX_LIST = 5_000
MAX_BRANCHES = 50
# The parser calls itself about 20 times per parenthesis.
_RECURSION = 6_000

_POSTGRES = Postgres()


def gate(text: str) -> exp.Query:
    """Parses one question and refuses everything that is not on the list.

    Names are as written; `resolve` looks them up. Raises RequestError with its position.
    """
    tokens = tokens_of(text, NAMES)
    if sys.getrecursionlimit() < _RECURSION:
        sys.setrecursionlimit(_RECURSION)
    tree = _parsed(tokens, text)
    joins = [token.start for token in tokens if token.token_type is TokenType.JOIN]
    _check(tree, text, joins)
    written_out(tree)
    return tree


def _parsed(tokens: list[Any], text: str) -> exp.Query:
    try:
        trees = _POSTGRES.parser().parse(tokens, text)
    except SqlglotError as error:
        at = _offset(text, getattr(error, "errors", None))
        raise refuse(SYNTAX, "the statement cannot be read", at) from None
    except RecursionError:
        raise refuse(TOO_DEEP, "the statement is nested too deeply") from None
    except (ValueError, IndexError, KeyError, AttributeError, TypeError):
        raise refuse(SYNTAX, "the statement cannot be read") from None
    tree = trees[0] if len(trees) == 1 else None
    if isinstance(tree, exp.Values):
        alias = exp.TableAlias(this=exp.Identifier(this="values", quoted=True))
        tree.set("alias", alias)
        outer = exp.Select(expressions=[exp.Star()])
        for name in ("order", "limit", "offset", "with_"):
            if tree.args.get(name) is not None:
                outer.set(name, tree.args.pop(name))
        outer.set("from_", exp.From(this=tree))
        return outer
    if not isinstance(tree, exp.Query):
        raise refuse(SYNTAX, "only SELECT, VALUES and WITH are answered", tokens[0].start)
    return tree


def _offset(text: str, errors: list[dict[str, Any]] | None) -> int | None:
    """Returns where the parser stopped: it tells line and the column of the word's end."""
    if not errors or errors[0].get("line") is None:
        return None
    line, column = int(errors[0]["line"]), int(errors[0].get("col") or 1)
    starts = [0] + [at + 1 for at, sign in enumerate(text) if sign == "\n"]
    if line > len(starts):
        return None
    word = str(errors[0].get("highlight") or " ")
    return min(max(starts[line - 1] + column - len(word), 0), len(text))


def _check(tree: exp.Query, text: str, joins: list[int]) -> None:
    nodes = branches = conditions = 0
    stack: list[tuple[exp.Expr, int]] = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        kind = type(node)
        nodes += 1
        if nodes > MAX_NODES:
            raise refuse(TOO_LARGE, f"the statement has more than {MAX_NODES} parts", node)
        if depth > MAX_NESTING:
            raise refuse(TOO_DEEP, f"the statement is nested more than {MAX_NESTING} deep", node)
        if kind is exp.Join:
            conditions += _has_condition(node)
        elif issubclass(kind, exp.SetOperation):
            branches += 1
            if branches > MAX_BRANCHES:
                raise refuse(TOO_LARGE, f"more than {MAX_BRANCHES} queries are combined", node)
        stack.extend(_parts(node, kind, depth))
        check = _CHECKS.get(kind)
        if check is not None:
            check(node, text)
        elif kind in BINDING:
            _check_binding(node, kind)
    if conditions != len(joins):
        # The parser takes a JOIN without a condition for a comma.
        raise refuse(SYNTAX, "JOIN needs ON or USING", joins[-1] if joins else None)


def _parts(node: exp.Expr, kind: type[exp.Expr], depth: int) -> Iterator[tuple[exp.Expr, int]]:
    """Yields what a node is made of with its depth, when all of it is on the list."""
    names = ALLOWED.get(kind)
    if names is None:
        raise unsupported("this syntax", node)
    for name, value in node.args.items():
        if value is None or value is False or value == []:
            continue
        if name not in names:
            raise unsupported("this syntax", node)
        if isinstance(value, list):
            if kind in _LISTS:
                value = _checked_list(node, value)
            for part in value:
                if not isinstance(part, exp.Expr):
                    raise unsupported("this syntax", node)
                yield part, depth + 1
        elif isinstance(value, exp.Expr):
            # A chain of AND or OR is as long as it is, not as deep.
            flat = name == "this" and (kind is exp.And or kind is exp.Or)
            yield value, depth if flat else depth + 1


def _has_condition(join: exp.Expr) -> bool:
    args = join.args
    is_cross = args.get("kind") == "CROSS"
    return bool(args.get("on") or args.get("using") or args.get("method") or is_cross)


def _checked_list(node: exp.Expr, values: list[exp.Expr]) -> list[exp.Expr]:
    """Returns the items that still have to be looked at: literals only count as items."""
    if len(values) > MAX_LIST:
        raise refuse(TOO_LARGE, f"a list has more than {MAX_LIST} values", node)
    return [value for value in values if type(value) is not exp.Literal]


def _check_identifier(node: exp.Expr, text: str) -> None:
    name = node.args["this"]
    if name.endswith(MARK):
        node.args["this"] = name = name[: -len(MARK)]
    if not name or len(name.encode()) > 63:
        raise refuse(SYNTAX, "a name has between 1 and 63 bytes", node, sqlstate="42602")
    if not node.args.get("quoted"):
        if name.lower() in RESERVED and not _is_label(node):
            raise refuse(SYNTAX, "a reserved word needs quotes to be a name", node)
        if name.lower() in SESSION and not _is_label(node):
            raise unsupported("the session's user or time", node, "put quotes around a name")
    elif text[node.meta_get("start", len(text)) :][:1] == "'":
        raise refuse(SYNTAX, "a text is no name", node)


def _is_label(node: exp.Expr) -> bool:
    """Tells whether a name stands where PostgreSQL takes any word: behind AS or a dot."""
    parent = node.parent
    if isinstance(parent, exp.Column):
        return node.arg_key == "this" and parent.args.get("table") is not None
    return isinstance(parent, exp.Alias)


def _check_call(node: exp.Expr, text: str) -> None:
    name = node.args["this"]
    if not isinstance(name, str):
        raise unsupported("a quoted function name", node)
    node.args["this"] = name.removesuffix(MARK).lower()


def _check_binding(node: exp.Expr, kind: type[exp.Expr]) -> None:
    """Refuses a tree that PostgreSQL would have read with other operands.

    >>> gate("SELECT 1 + 2 = 3 IS NULL").selects[0].key
    'is'
    """
    own = BINDING[kind]
    left, right = node.args["this"], node.args.get("expression")
    if kind is exp.Escape:
        return
    if own in PREFIX:
        fits = _level(left) >= own or (kind is exp.Not and _level(left) > 2)
    elif own in CHAINED:
        fits = _level(left) >= own
    else:
        fits = _level(left) > own
    if fits and isinstance(right, exp.Expr) and kind is not exp.In:
        fits = _level(right) > own
    if fits and kind is exp.Between:
        fits = _level(node.args["low"]) > own and _level(node.args["high"]) > own
    if not fits:
        raise unsupported(
            "this row of operators", node, hint="put parentheses around what belongs together"
        )


def _level(node: exp.Expr) -> int:
    kind = type(node)
    if kind is exp.Not and type(node.this) in (exp.In, exp.Between, exp.Like, exp.ILike):
        return 6  # NOT IN and its like are read as one operator
    if kind is exp.Not and type(node.this) in (exp.RegexpLike, exp.RegexpILike):
        return 7
    return BINDING.get(kind, 99)


def _check_group(node: exp.Expr, text: str) -> None:
    if not node.expressions:
        raise refuse(SYNTAX, "GROUP BY names nothing", node)


def _check_list(node: exp.Expr, text: str) -> None:
    _check_binding(node, exp.In)
    if not node.expressions and node.args.get("query") is None:
        raise refuse(SYNTAX, "the list of IN is empty", node)


def _check_alias(node: exp.Expr, text: str) -> None:
    if node.args.get("this") is None:
        raise refuse(SYNTAX, "a name must stand here", node)


def _check_row(node: exp.Expr, text: str) -> None:
    if not node.expressions and not isinstance(node.parent, _GROUPING):
        raise refuse(SYNTAX, "a row has no columns", node)


def _check_distinct(node: exp.Expr, text: str) -> None:
    if not node.expressions and not isinstance(node.parent, exp.Query):
        raise refuse(SYNTAX, "DISTINCT names nothing", node)


def _check_parameter(node: exp.Expr, text: str) -> None:
    if not node.this.name.isdigit():
        raise refuse(SYNTAX, "parameters are written $1, $2 …", node)


_GROUPING = (exp.Group, exp.GroupingSets, exp.Rollup, exp.Cube)
_LISTS = frozenset({exp.In, exp.Array, exp.Values})
_CHECKS: Mapping[type[exp.Expr], Callable[[exp.Expr, str], None]] = {
    exp.Identifier: _check_identifier,
    exp.Anonymous: _check_call,
    exp.Parameter: _check_parameter,
    exp.In: _check_list,
    exp.Group: _check_group,
    exp.Order: _check_group,
    exp.TableAlias: _check_alias,
    exp.Tuple: _check_row,
    exp.Distinct: _check_distinct,
}
