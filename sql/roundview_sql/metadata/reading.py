"""Decides how a statement is read that the parser refuses, though PostgreSQL takes it."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

_REGISTERED = frozenset(
    ["oid", "regclass", "regtype", "regproc", "regnamespace", "regrole", "regprocedure", "xid",
     "regoper", "regoperator", "regconfig", "regdictionary", "regcollation"]
)  # fmt: skip


def read(text: str) -> exp.Expr | None:
    """Returns the tree of a statement, None for one that cannot be read.

    Arrays of registered types are unknown to the parser: `oid[]` is read as `_oid`, its own name.
    """
    try:
        return sqlglot.parse_one(text, read="postgres")
    except (SqlglotError, RecursionError, ValueError):
        pass
    try:
        return sqlglot.parse_one(_respelled(text), read="postgres")
    except (SqlglotError, RecursionError, ValueError):
        return None


def _respelled(text: str) -> str:
    tokens = sqlglot.tokenize(text, read="postgres")
    made, at = [], 0
    for one, bracket, end in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (
            one.text.lower() in _REGISTERED
            and bracket.token_type == TokenType.L_BRACKET
            and end.token_type == TokenType.R_BRACKET
        ):
            made += [text[at : one.start], "_", one.text]
            at = end.end + 1
    return "".join((*made, text[at:]))
