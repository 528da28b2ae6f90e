"""Decides what can be typed next in a statement: relations, their columns, functions, words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_WORDS = frozenset(
    {
        "SELECT", "DISTINCT", "FROM", "WHERE", "GROUP", "BY", "HAVING", "ORDER",
        "LIMIT", "OFFSET", "UNION", "ALL", "INTERSECT", "EXCEPT", "WITH", "JOIN",
        "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "ON", "USING", "AS",
        "AND", "OR", "NOT", "IN", "EXISTS", "BETWEEN", "LIKE", "ILIKE",
        "IS", "NULL", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST",
        "ASC", "DESC", "NULLS", "FIRST", "LAST", "OVER", "PARTITION", "FILTER",
        "VALUES", "INTERVAL", "TRUE", "FALSE", "DATE", "TIMESTAMP", "ROLLUP", "CUBE",
        "GROUPING", "SETS",
    }
)  # fmt: skip
_NAMED_ELSEWHERE = (
    "count", "sum", "avg", "min", "max", "bool_and", "bool_or", "string_agg",
    "array_agg", "percentile_cont", "percentile_disc", "row_number", "rank", "dense_rank",
    "lag", "lead", "first_value", "last_value", "nth_value", "ntile", "coalesce", "nullif",
    "greatest", "least", "extract", "substring", "trim", "position", "lookup",
)  # fmt: skip

_TYPED = re.compile(r"(?:([A-Za-z_]\w*)\.)?([A-Za-z_]\w*)?$")
_NAMED = re.compile(r"\b(?:from|join|,)\s+([a-z_]\w*)(?:\s+(?:as\s+)?([a-z_]\w*))?", re.IGNORECASE)
_ENDED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Relations with their columns and types, and the functions that are answered."""

    relations: Mapping[str, Mapping[str, str]]
    functions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Choice:
    """One word that can stand in the place of the last `typed` signs; `kind` says what it is."""

    word: str
    typed: int
    kind: str


def vocabulary(
    relations: Mapping[str, Mapping[str, object]], functions: Sequence[str]
) -> Vocabulary:
    """Returns what a shell completes, from relation -> column -> type."""
    named = {
        relation: {column: str(type_) for column, type_ in columns.items()}
        for relation, columns in relations.items()
    }
    known = sorted({*_NAMED_ELSEWHERE, *(name.lower() for name in functions)})
    return Vocabulary(named, tuple(known))


def choices(before: str, after: str, known: Vocabulary) -> Iterator[Choice]:
    """Yields what can stand at the end of `before`, nearest kinds first.

    >>> known = Vocabulary({"consent": {"channel": "text"}}, ("ceil",))
    >>> [one.word for one in choices("SELECT c.ch", " FROM consent c", known)]
    ['channel']
    """
    plain = _ENDED.sub(" ", before)
    if plain.count("'") % 2:
        return
    match = _TYPED.search(before)
    owner, typed = (match[1], match[2] or "") if match else (None, "")
    named = dict(_relations(f"{plain} {_ENDED.sub(' ', after)}", known))
    if owner is not None:
        columns = known.relations.get(named.get(owner.lower(), owner.lower()), {})
        yield from _matching(columns, typed, "column")
        return
    if re.search(r"\b(?:from|join)\s+\w*$", plain, re.IGNORECASE):
        yield from _matching([*known.relations, "lookup"], typed, "relation")
        return
    seen = dict.fromkeys(column for name in named.values() for column in known.relations[name])
    yield from _matching(seen, typed, "column")
    yield from _matching(named, typed, "alias")
    if not typed:
        return
    if not named:
        everything = dict.fromkeys(c for columns in known.relations.values() for c in columns)
        yield from _matching(everything, typed, "column")
    yield from _matching(known.relations, typed, "relation")
    yield from _matching(known.functions, typed, "function")
    yield from _matching(sorted(_WORDS), typed, "word")


def is_complete(text: str) -> bool:
    """Tells whether what was typed is a command or a whole statement.

    >>> is_complete("SELECT ';'"), is_complete("SELECT 1; "), is_complete("\\\\d")
    (False, True, True)
    """
    if not text.strip() or text.lstrip().startswith("\\"):
        return True
    plain = _ENDED.sub(" ", text)
    return plain.rstrip().endswith(";") and "'" not in plain and '"' not in plain


def _relations(text: str, known: Vocabulary) -> Iterator[tuple[str, str]]:
    """Yields (name, relation) for relations that a statement reads, by alias where it has one."""
    for match in _NAMED.finditer(text):
        relation, alias = match[1].lower(), (match[2] or "").lower()
        if relation in known.relations:
            is_alias = bool(alias) and alias.upper() not in _WORDS
            yield (alias if is_alias else relation), relation


def _matching(
    words: Sequence[str] | Mapping[str, object], typed: str, kind: str
) -> Iterator[Choice]:
    start = typed.lower()
    for word in words:
        if word.lower().startswith(start):
            yield Choice(word, len(typed), kind)
