"""Decides which regular expressions mean the same to PostgreSQL and to DuckDB."""

from __future__ import annotations

import re

from sqlglot import exp

from roundview_federation.dialect.casts import coerce
from roundview_federation.dialect.refusal import FUNCTION, refuse, unsupported
from roundview_federation.dialect.types import BOOLEAN, TEXT
from roundview_federation.dialect.values import Value, call, string

# Plain characters, classes of ASCII, groups, | and greedy repetition; only whether it matches is
# asked. Everything with a backslash but escaped punctuation differs in one engine or the other.
_ATOM = (
    r"(?:[A-Za-z0-9 _\-,;:@#%&=<>!'\"~`/.]|\\[.\\+*?()\[\]{}|^$/\-]"
    r"|\[\^?(?:[A-Za-z0-9](?:-[A-Za-z0-9])?|[ _.,@+#%&])+\])"
)
_REPEAT = r"(?:[*+?]|\{\d{1,2}(?:,\d{0,2})?\})?"
_SAFE = re.compile(rf"\^?(?:{_ATOM}{_REPEAT}|\((?:{_ATOM}{_REPEAT}|\|)+\){_REPEAT}|\|)*\$?")


def searched(left: Value, right: Value, source: exp.Expr, *, ignores_case: bool) -> Value:
    """Returns the truth of x ~ pattern and x ~* pattern; other patterns are refused."""
    for value in (left, right):
        if value.type.category not in "SX":
            raise refuse(FUNCTION, f"there is no operator {left.type} ~ {right.type}", source)
    pattern = coerce(right, TEXT)
    if pattern.text is None or not is_safe(pattern.text):
        raise unsupported("this regular expression", source)
    options = "si" if ignores_case else "s"
    node = call("regexp_matches", coerce(left, TEXT).node, pattern.node, string(options))
    return Value(node, BOOLEAN, source)


def is_safe(pattern: str) -> bool:
    """Tells whether a pattern is one that both engines read alike."""
    if not pattern or len(pattern) > 200 or "||" in pattern or pattern.startswith("*"):
        return False
    if re.search(r"(?:^\^?|[|(])(?:[*+?{|)]|$)|\|\)?$", pattern) and pattern not in ("^", "$"):
        return False
    return _SAFE.fullmatch(pattern) is not None and not re.search(r"[*+?}][*+?{]", pattern)
