"""Decides what a text may hold before it is parsed: size, nesting, odd characters and tokens."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from roundview_federation.dialect.refusal import (
    SYNTAX,
    TOO_DEEP,
    TOO_LARGE,
    refuse,
    unsupported,
)

MAX_BYTES = 128 * 1024
MAX_DEPTH = 60
MAX_PREFIXES = 20
MAX_TOKENS = 12_000
# Written behind the name of a function: the parser then keeps name and arguments as they are
# instead of reading them as its own idea of the function.
MARK = "\x00"

_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_UNITS = frozenset(["year", "month", "day", "hour", "minute", "second"])
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
_SEPARATORS = _OPENING | frozenset(
    {
        TokenType.AND, TokenType.OR, TokenType.COMMA, TokenType.WHEN, TokenType.THEN,
        TokenType.ELSE, TokenType.WHERE, TokenType.GROUP_BY, TokenType.ORDER_BY,
        TokenType.HAVING, TokenType.SELECT, TokenType.UNION, TokenType.ON,
    }
)  # fmt: skip
_PREFIXES = frozenset({TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE})
_TYPED = frozenset(
    ["date", "time", "timestamp", "timestamptz", "interval", "numeric", "boolean", "uuid", "text"]
)
_NO_ITEM = frozenset(
    {
        TokenType.FROM, TokenType.R_PAREN, TokenType.WHERE, TokenType.GROUP_BY, TokenType.COMMA,
        TokenType.ORDER_BY, TokenType.HAVING, TokenType.UNION, TokenType.LIMIT,
        TokenType.R_BRACKET,
    }
)  # fmt: skip
# What stands before an operand, so that a plus behind it is a sign.
_BEFORE = frozenset(
    {
        TokenType.SELECT, TokenType.COMMA, TokenType.L_PAREN, TokenType.PLUS, TokenType.DASH,
        TokenType.STAR, TokenType.SLASH, TokenType.MOD, TokenType.CARET, TokenType.DPIPE,
        TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE,
        TokenType.AND, TokenType.OR, TokenType.NOT, TokenType.WHEN, TokenType.THEN,
        TokenType.ELSE, TokenType.WHERE, TokenType.ON, TokenType.HAVING, TokenType.BETWEEN,
        TokenType.DISTINCT, TokenType.CASE, TokenType.IN, TokenType.LIKE, TokenType.ORDER_BY,
        TokenType.GROUP_BY, TokenType.PARTITION_BY, TokenType.L_BRACKET,
    }
)  # fmt: skip
_STARTS = frozenset(
    {TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.L_PAREN, TokenType.TABLE}
)
_ODD_LITERALS = frozenset(
    {
        TokenType.HEREDOC_STRING,
        TokenType.RAW_STRING,
        TokenType.UNICODE_STRING,
        TokenType.NATIONAL_STRING,
        TokenType.BIT_STRING,
        TokenType.HEX_STRING,
    }
)
# Words that give a call a syntax of its own, by function.
_SYNTAX = {
    "SUBSTRING": frozenset({"FROM", "FOR", "SIMILAR"}),
    "TRIM": frozenset({"FROM", "BOTH", "LEADING", "TRAILING"}),
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "'": "'"}
_POSTGRES = Postgres()


def tokens_of(text: str, plain: Collection[str]) -> list[Any]:
    """Returns the tokens of a question, with calls of `plain` functions marked.

    `plain` has names in capitals. Raises RequestError for what is too large, nested too deeply
    or not a question's beginning.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise refuse(TOO_LARGE, f"the statement is longer than {MAX_BYTES} bytes")
    odd = _CONTROL.search(text)
    if odd:
        raise refuse(SYNTAX, "the statement holds a control character", odd.start())
    surrogate = next((at for at, sign in enumerate(text) if "\ud800" <= sign <= "\udfff"), None)
    if surrogate is not None:
        raise refuse(SYNTAX, "the statement is not valid Unicode", surrogate)
    try:
        tokens = _POSTGRES.tokenize(text)
    except TokenError:
        raise refuse(SYNTAX, "the statement has a literal or comment without an end") from None
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise refuse(SYNTAX, "the statement is empty", 0)
    if len(tokens) > MAX_TOKENS:
        raise refuse(TOO_LARGE, f"the statement has more than {MAX_TOKENS} words and signs")
    first = tokens[0]
    if first.token_type not in _STARTS:
        raise refuse(
            SYNTAX if first.token_type is TokenType.VAR else "RV103",
            "only SELECT, VALUES and WITH are answered",
            first.start,
        )
    _check(tokens, text)
    _mark(tokens, plain)
    return _bracketed(tokens)


def _check(tokens: list[Any], text: str) -> None:
    depth = prefixes = 0
    # Where IS DISTINCT FROM is still open, by depth.
    distinct: dict[int, bool] = {}
    before: Any = None
    for token in tokens:
        if token.comments:
            token.comments.clear()
        _check_kind(token, text)
        kind = token.token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        prefixes = prefixes + 1 if kind in _PREFIXES else 0
        if depth > MAX_DEPTH:
            raise refuse(TOO_DEEP, f"the statement is nested over {MAX_DEPTH} deep", token.start)
        if prefixes > MAX_PREFIXES:
            raise refuse(TOO_DEEP, "the statement has too many signs in a row", token.start)
        if before is not None:
            _check_pair(before, token)
        if kind is TokenType.IS and distinct.get(depth):
            raise refuse(SYNTAX, "IS cannot follow IS DISTINCT FROM", token.start)
        if kind is TokenType.FROM and before is not None:
            distinct[depth] = before.token_type is TokenType.DISTINCT
        elif kind in _SEPARATORS:
            distinct = {at: known for at, known in distinct.items() if at < depth}
        before = token


def _check_kind(token: Any, text: str) -> None:
    kind = token.token_type
    if kind is TokenType.SEMICOLON:
        raise refuse(SYNTAX, "one statement at a time", token.start)
    if kind in _ODD_LITERALS:
        raise unsupported("this kind of literal", token.start)
    if kind is TokenType.PLACEHOLDER or kind is TokenType.COLON:
        raise refuse(SYNTAX, "parameters are written $1, $2 …", token.start)
    if kind is TokenType.BYTE_STRING:
        token.text = _unescaped(text[token.start : token.end + 1], token.start)
        token.token_type = TokenType.STRING


def _check_pair(before: Any, token: Any) -> None:
    kind, follows = before.token_type, token.start == before.end + 1
    if token.token_type is TokenType.PLUS and kind in _BEFORE:
        raise unsupported("a plus sign before a value", token.start)
    if kind is TokenType.COMMA and token.token_type in _NO_ITEM:
        raise refuse(SYNTAX, "nothing stands behind a comma", before.start)
    if kind is TokenType.STRING and token.token_type is TokenType.STRING:
        raise refuse(SYNTAX, "two strings need an operator between them", token.start)
    if kind is TokenType.NUMBER:
        if not _NUMBER.fullmatch(before.text):
            raise refuse(SYNTAX, "this is not a number", before.start)
        if follows and (token.text[:1].isalnum() or token.text[:1] in '_"'):
            raise refuse(SYNTAX, "a number is followed by a name", before.start)
    if (
        kind is TokenType.VAR
        and follows
        and token.token_type is TokenType.AMP
        and before.text.upper() == "U"
    ):
        raise unsupported("a Unicode escape", before.start)


def _bracketed(tokens: list[Any]) -> list[Any]:
    """Returns tokens with parentheses around DATE '…' before ::, or the cast is read first."""
    places = [
        at
        for at, token in enumerate(tokens[2:], 2)
        if token.token_type is TokenType.DCOLON and tokens[at - 1].token_type is TokenType.STRING
    ]
    for at in reversed(places):
        name = tokens[at - 2]
        if name.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            continue
        if name.text.lower() in _TYPED:
            tokens.insert(at, _sign(TokenType.R_PAREN, ")", tokens[at]))
            tokens.insert(at - 2, _sign(TokenType.L_PAREN, "(", name))
        elif name.text.lower() == "zone":
            raise unsupported("a cast of such a literal", name.start, "put parentheses around it")
    return _intervals(tokens)


def _intervals(tokens: list[Any]) -> list[Any]:
    """Returns tokens with INTERVAL '1' day as ('1 day'::interval): the parser loses parts."""
    if not any(token.token_type is TokenType.INTERVAL for token in tokens):
        return tokens
    made: list[Any] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        follows = tokens[at + 1] if at + 1 < len(tokens) else None
        if (
            token.token_type is not TokenType.INTERVAL
            or follows is None
            or follows.token_type is not TokenType.STRING
        ):
            made.append(token)
            at += 1
            continue
        unit = tokens[at + 2] if at + 2 < len(tokens) else None
        at += 2
        if unit is not None and unit.text.lower() in _UNITS:
            if not _WHOLE.fullmatch(follows.text):
                raise unsupported("this spelling of an interval", token.start)
            follows.text += f" {unit.text}"
            at += 1
        made += [
            _sign(TokenType.L_PAREN, "(", token), follows,
            _sign(TokenType.DCOLON, "::", token), token, _sign(TokenType.R_PAREN, ")", token),
        ]  # fmt: skip
    return made


def _sign(kind: TokenType, text: str, at: Any) -> Any:
    return Token(kind, text, at.line, at.col, at.start, at.start)


def _mark(tokens: list[Any], plain: Collection[str]) -> None:
    last = len(tokens) - 1
    for at, token in enumerate(tokens):
        if at == last or tokens[at + 1].token_type is not TokenType.L_PAREN:
            continue
        name = token.text.upper()
        if token.token_type is TokenType.IDENTIFIER or name not in plain:
            continue
        words = _SYNTAX.get(name)
        if words is None or not _has_word(tokens, at + 1, words):
            token.text += MARK
            token.token_type = TokenType.VAR


def _has_word(tokens: list[Any], at: int, words: Collection[str]) -> bool:
    """Tells whether one of the words stands in the parentheses opened at `at`, not deeper."""
    depth = 0
    for token in tokens[at:]:
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
            if not depth:
                return False
        elif depth == 1 and token.text.upper() in words:
            return True
    return False


def _unescaped(raw: str, start: int) -> str:
    """Returns the text of E'…'; only the escapes that need no interpretation are read."""
    inner = raw[2:-1]
    parts: list[str] = []
    at = 0
    while at < len(inner):
        sign = inner[at]
        if sign == "\\":
            meant = _ESCAPES.get(inner[at + 1 : at + 2])
            if meant is None:
                raise unsupported("this escape in a string", start)
            parts.append(meant)
            at += 2
        elif sign == "'":
            parts.append("'")
            at += 2
        else:
            parts.append(sign)
            at += 1
    return "".join(parts)
