"""Decides which customer ids of a question mean another one today: those of before a merge."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from roundview_identity.store import Xref

_ID: Final = re.compile(r"'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'")
_COLUMN: Final = "customer_id"
_NAMES: Final = (TokenType.VAR, TokenType.IDENTIFIER)
_EQUAL: Final = (TokenType.EQ, TokenType.NEQ)


def with_todays_ids(text: str, xref: Xref) -> str:
    """Returns a question in which ids of before a merge are those of today, at the same places.

    Only those that are compared with a column `customer_id`, by `=`, `<>` or in a list: elsewhere
    they are texts like any other.

    >>> with_todays_ids("SELECT 1", xref)  # doctest: +SKIP
    'SELECT 1'
    """
    ids = ((one, xref.resolve_id(one)) for one in _ID.findall(text))
    today = {one: known for one, known in ids if known is not None and known != one}
    return _replaced(text, today) if today else text


def _replaced(text: str, today: Mapping[str, str]) -> str:
    try:
        tokens = Postgres().tokenize(text)
    except TokenError:
        # The gate says what is wrong with it.
        return text
    parts, done = [], 0
    for at, token in enumerate(tokens):
        known = today.get(token.text) if token.token_type is TokenType.STRING else None
        # A string of another form than 'text' begins elsewhere.
        is_plain = text[token.start : token.end + 1] == f"'{token.text}'"
        if known is not None and is_plain and _is_compared(tokens, at):
            parts += [text[done : token.start], f"'{known}'"]
            done = token.end + 1
    return "".join([*parts, text[done:]])


def _is_compared(tokens: Sequence[Any], at: int) -> bool:
    """Tells whether a value is compared with the column, which stands before or behind it."""
    if _is(tokens, at - 1, *_EQUAL):
        return _is_column(tokens, at - 2)
    if _is(tokens, at + 1, *_EQUAL):
        behind = at + 2
        while _is(tokens, behind + 1, TokenType.DOT):
            behind += 2
        return _is_column(tokens, behind)
    while _is(tokens, at - 1, TokenType.COMMA) and _is(tokens, at - 2, TokenType.STRING):
        at -= 2
    if not _is(tokens, at - 1, TokenType.L_PAREN) or not _is(tokens, at - 2, TokenType.IN):
        return False
    return _is_column(tokens, at - 4 if _is(tokens, at - 3, TokenType.NOT) else at - 3)


def _is_column(tokens: Sequence[Any], at: int) -> bool:
    return _is(tokens, at, *_NAMES) and tokens[at].text.lower() == _COLUMN


def _is(tokens: Sequence[Any], at: int, *types: TokenType) -> bool:
    return 0 <= at < len(tokens) and tokens[at].token_type in types
