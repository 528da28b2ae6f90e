"""Decides which text is an expression of a catalog: an allow-list over the parsed tree."""

from __future__ import annotations

import re
from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined] # re-exported

from roundview_catalog.expressions.nodes import (
    ALLOWED,
    MOST_NODES,
    WITH_SUBQUERIES,
    ExpressionError,
    called,
    check_depth,
    check_nodes,
    offset_of,
)

_Query = TypeVar("_Query", bound=exp.Query)

LONGEST = 8192
DEEPEST_PARENTHESES = 100
# More than any tree of MOST_NODES is written with: parsing costs more than counting.
_MOST_TOKENS = 2 * MOST_NODES
_NULLS = re.compile(r"\bNULLS\s+(?:FIRST|LAST)\b", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9._]{1,40}(?:[eE][-+]?[0-9]{1,3})?")


def parse(text: str, *, subqueries: bool = False) -> exp.Expr:
    """Reads ONE expression in PostgreSQL's syntax.

    `subqueries` allows EXISTS (…) and IN (SELECT …), as in `where`. Raises ExpressionError
    with the place of the mistake.

    >>> parse("7 / 2").sql()
    '7 / 2'
    """
    tree = _parsed(text, "SELECT ", exp.Select)
    if len(tree.expressions) != 1:
        raise ExpressionError("not one expression", "write one expression", code="RV210")
    if any(value for key, value in tree.args.items() if key != "expressions"):
        raise ExpressionError("not one expression", "write one expression", code="RV210")
    node: exp.Expr = tree.expressions[0]
    if isinstance(node, exp.Alias):
        raise ExpressionError(
            "an alias has no meaning here", "leave AS out", offset_of(node, text), "RV210"
        )
    check_nodes(node, {**ALLOWED, **WITH_SUBQUERIES} if subqueries else ALLOWED)
    check_depth(node)
    node.pop()
    return node


def parse_from(text: str) -> exp.Select:
    """Reads a FROM list: INNER, LEFT and CROSS JOIN of tables with aliases.

    Returns a SELECT without projections; its WHERE is empty.
    """
    tree = _parsed(text, "SELECT 1 FROM ", exp.Select)
    for key, value in tree.args.items():
        if value and key not in ("expressions", "from_", "joins"):
            raise ExpressionError(
                "from holds tables and joins only", "write the condition under where", code="RV210"
            )
    _check_tables(tree, text, with_lists=True)
    tree.set("expressions", [])
    return tree


def is_list(node: exp.Expr) -> bool:
    """Tells whether an item of a FROM list is a list whose elements are rows."""
    if isinstance(node, exp.Unnest):
        return True
    return (
        isinstance(node, exp.Table)
        and isinstance(node.this, exp.Anonymous)
        and str(node.this.this).lower() == "jsonb_array_elements_text"
        and len(node.this.expressions) == 1
    )


def parse_view(text: str) -> list[exp.Select]:
    """Reads SELECT … UNION ALL SELECT …; returns the arms.

    Each has projections, FROM, and perhaps WHERE and GROUP BY.
    """
    node: exp.Query = _parsed(text, "", exp.Query)
    arms: list[exp.Select] = []
    while isinstance(node, exp.Union):
        others = {key for key, value in node.args.items() if value}
        if others - {"this", "expression"} or not isinstance(node.expression, exp.Select):
            raise ExpressionError("only UNION ALL", "write UNION ALL", code="RV211")
        arms.insert(0, node.expression)
        node = node.this
    if not isinstance(node, exp.Select):
        raise ExpressionError("a view is a SELECT", "SELECT … FROM …", code="RV210")
    arms.insert(0, node)
    allowed = {**ALLOWED, exp.Group: frozenset({"expressions"})}
    for arm in arms:
        arm.pop()
        for key, value in arm.args.items():
            if value and key not in ("expressions", "from_", "joins", "where", "group"):
                name = key.rstrip("_").upper()
                raise ExpressionError(f"{name} is not allowed in a view", "", offset_of(arm, text))
        _check_tables(arm, text)
        parts = [one.this if isinstance(one, exp.Alias) else one for one in arm.expressions]
        parts += [part for key in ("where", "group") if (part := arm.args.get(key)) is not None]
        for part in parts:
            if isinstance(part, exp.Star) or isinstance(part.this, exp.Star):
                continue
            check_nodes(part, allowed)
            check_depth(part)
    return arms


def _check_tables(tree: exp.Select, text: str, *, with_lists: bool = False) -> None:
    if tree.args.get("from_") is None:
        raise ExpressionError("cannot be read as tables", code="RV210")
    tables = [tree.args["from_"].this, *(join.this for join in tree.args.get("joins") or ())]
    for table in tables:
        if with_lists and is_list(table) and table is not tables[0]:
            _check_list(table, text)
            continue
        if isinstance(table, exp.Subquery):
            at = offset_of(table, text)
            raise ExpressionError("a sub-select in from", "write it under views", at)
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            hint = "name tables of this source, lists after the table that holds them"
            raise ExpressionError(f"{called(table)} is no table", hint, offset_of(table, text))
        unknown = {key for key, value in table.args.items() if value} - {"this", "alias"}
        if unknown:
            raise ExpressionError(
                "a table is a name and an alias", "", offset_of(table, text), "RV211"
            )
    for join in tree.args.get("joins") or ():
        _check_join(join, text)


def _check_list(node: exp.Expr, text: str) -> None:
    allowed = {"this", "expressions", "alias"}
    if any(value for key, value in node.args.items() if key not in allowed):
        raise ExpressionError("a list has one name", "… AS x", offset_of(node, text))
    for made in node.expressions if isinstance(node, exp.Unnest) else node.this.expressions:
        values = [made.this, made.expression] if isinstance(made, exp.StringToArray) else [made]
        for value in values:
            check_nodes(value, ALLOWED)
            check_depth(value)


def parse_order(text: str) -> tuple[exp.Ordered, ...]:
    """Reads the terms of an ORDER BY; NULLs are always last.

    >>> [term.sql() for term in parse_order("p.since DESC")]
    ['p.since DESC NULLS LAST']
    """
    tree = _parsed(text, "SELECT 1 ORDER BY ", exp.Select)
    order = tree.args.get("order")
    others = [
        key for key, value in tree.args.items() if value and key not in ("expressions", "order")
    ]
    if order is None or others:
        raise ExpressionError("not an order", "write p.since DESC", code="RV210")
    terms = []
    for term in order.expressions:
        if not isinstance(term, exp.Ordered) or term.args.get("with_fill"):
            raise ExpressionError("not an order", "", offset_of(term, text), "RV210")
        if _NULLS.search(text):
            raise ExpressionError("NULLs are always last", "leave NULLS out", 0, "RV210")
        check_nodes(term.this, ALLOWED)
        check_depth(term.this)
        is_descending = bool(term.args.get("desc"))
        terms.append(exp.Ordered(this=term.this.pop(), desc=is_descending, nulls_first=False))
    return tuple(terms)


def _check_join(join: exp.Join, text: str) -> None:
    at = offset_of(join.this, text)
    allowed = {"this", "side", "kind", "on"}
    if any(value for key, value in join.args.items() if key not in allowed):
        raise ExpressionError("only JOIN … ON", "INNER, LEFT or CROSS JOIN", at)
    if join.side not in ("", "LEFT") or join.kind not in ("", "INNER", "CROSS", "OUTER"):
        called = f"{join.side} {join.kind}".strip()
        raise ExpressionError(f"{called} JOIN is not allowed", "INNER, LEFT or CROSS JOIN", at)
    condition = join.args.get("on")
    if condition is None and join.kind != "CROSS":
        raise ExpressionError("a JOIN needs ON", "write JOIN t ON …", at, "RV210")
    if condition is not None:
        check_nodes(condition, ALLOWED)
        check_depth(condition)


def _parsed(text: str, prefix: str, kind: type[_Query]) -> _Query:
    if len(text) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters", code="RV204")
    if not text.strip():
        raise ExpressionError("empty", "write an expression", code="RV210")
    tokens = _tokens(prefix + text, len(prefix))
    try:
        trees = Postgres().parser().parse(tokens, prefix + text)
    except ParseError as error:
        raise ExpressionError(
            "cannot be read as SQL", "", _error_offset(error, prefix + text, len(prefix)), "RV210"
        ) from None
    except RecursionError:
        raise ExpressionError("nested too deeply", code="RV204") from None
    except Exception:  # noqa: BLE001 - the parser raises IndexError and others on odd text
        raise ExpressionError("cannot be read as SQL", code="RV210") from None
    if len(trees) != 1 or not isinstance(trees[0], kind) or isinstance(trees[0], exp.Subquery):
        raise ExpressionError("cannot be read as SQL", code="RV210")
    tree = trees[0]
    for node in tree.walk():
        if "start" in node.meta:
            node.meta["start"] -= len(prefix)
            node.meta["end"] -= len(prefix)
    return tree


def _tokens(statement: str, shift: int) -> list[Token]:
    depth = 0
    for at, character in enumerate(statement):
        if character < " " and character not in "\t\r\n":
            raise ExpressionError("a control character", "remove it", at - shift, "RV210")
        depth += (character in "([") - (character in ")]")
        if depth > DEEPEST_PARENTHESES:
            raise ExpressionError("nested too deeply", "", at - shift, "RV204")
    try:
        tokens = sqlglot.tokenize(statement, dialect="postgres")
    except (TokenError, SqlglotError, ValueError, IndexError):
        raise ExpressionError("cannot be read as SQL", "is a quote missing?", 0, "RV210") from None
    if len(tokens) > _MOST_TOKENS:
        raise ExpressionError("too large", "", 0, "RV204")
    for token in tokens:
        if token.token_type is TokenType.NUMBER and not _NUMBER.fullmatch(token.text):
            at = max(0, token.start - shift)
            raise ExpressionError("a number of too many digits", "", at, "RV210")
        if token.comments:
            raise ExpressionError("no comments in SQL", "", max(0, token.start - shift), "RV210")
        if token.token_type in (TokenType.SEMICOLON, TokenType.PARAMETER, TokenType.PLACEHOLDER):
            raise ExpressionError(
                f"{token.text} is not allowed", "", max(0, token.start - shift), "RV210"
            )
    return tokens


def _error_offset(error: ParseError, statement: str, shift: int) -> int:
    details = error.errors[0] if error.errors else {}
    line, column = details.get("line"), details.get("col")
    if not line or not column:
        return 0
    lines = statement.split("\n")
    end = sum(len(one) + 1 for one in lines[: line - 1]) + int(column)
    return max(0, min(int(end) - len(details.get("highlight") or " "), len(statement) - 1) - shift)
