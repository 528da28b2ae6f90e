"""Decides which regular expressions mean the same to PostgreSQL and to DuckDB."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from roundview_federation.dialect.casts import coerce
from roundview_federation.dialect.refusal import FUNCTION, refuse, unsupported
from roundview_federation.dialect.types import BOOLEAN, TEXT
from roundview_federation.dialect.values import Ref, Value, call, let, number, string, when

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


def replaced(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns regexp_replace(x, pattern, by[, flags]) for patterns with one way to match."""
    pattern, by = values[1].text, values[2].text
    flags = values[3].text if len(values) > 3 else ""
    if flags not in ("", "g", "i", "gi", "ig") or by is None or "\\" in by:
        raise unsupported("this form of regexp_replace", source)
    if pattern is None or not has_one_way(pattern):
        raise unsupported("this regular expression", source)
    nodes = [value.node for value in values[:3]]
    return Value(call("regexp_replace", *nodes, string("s" + flags)), TEXT, source)


def first_match(values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns substring(x from pattern), NULL where nothing matches."""
    text, pattern = (coerce(value, TEXT) for value in values)
    if pattern.text is None or not has_one_way(pattern.text):
        raise unsupported("this regular expression", source)

    def body(t: Ref) -> exp.Expr:
        options = string("s")
        found = call("regexp_extract", t(), pattern.node.copy(), number(0), options)
        return when(
            call("regexp_matches", t(), pattern.node.copy(), options.copy()), found, exp.Null()
        )

    return Value(let("t", text.node, body), TEXT, source)


def has_one_way(pattern: str) -> bool:
    """Tells whether a safe pattern matches in one place at one length in both engines.

    PostgreSQL takes the longest match, DuckDB the first that it finds: with one repetition and
    without alternatives or groups they are the same.
    """
    bare = re.sub(r"\\.", "x", pattern)
    inside = re.sub(r"\[[^\]]*\]", "x", bare)
    repeated = re.findall(r"[*+?{]", inside)
    if not is_safe(pattern) or re.search(r"[()|]", inside) or len(repeated) > 1:
        return False
    # Something must be matched, or the next place to look at differs.
    return bool(re.sub(r".[*?]|.\{[^}]*\}|[\^$+]", "", inside)) or "+" in inside


def is_safe(pattern: str) -> bool:
    """Tells whether a pattern is one that both engines read alike."""
    if not pattern or len(pattern) > 200 or "||" in pattern or pattern.startswith("*"):
        return False
    if re.search(r"(?:^\^?|[|(])(?:[*+?{|)]|$)|\|\)?$", pattern) and pattern not in ("^", "$"):
        return False
    return _SAFE.fullmatch(pattern) is not None and not re.search(r"[*+?}][*+?{]", pattern)
