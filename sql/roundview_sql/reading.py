"""Decides what a statement is by its words: a question, or a command for the session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from roundview_sql.blocks import read_begin, read_end, read_modes, read_savepoint
from roundview_sql.commands import (
    ALL,
    CloseCursor,
    Command,
    Copy,
    Deallocate,
    Declare,
    Discard,
    ExecutePrepared,
    Explain,
    Fetch,
    Nothing,
    Prepare,
    Question,
    Set,
    Show,
)
from roundview_sql.copying import read_options
from roundview_sql.failures import WireError, unsupported
from roundview_sql.lexer import NUMBER, SIGN, STRING, WORD, Text
from roundview_sql.words import Words

_WRITES = (
    "insert", "update", "delete", "merge", "create", "alter", "drop", "truncate", "grant",
    "revoke", "comment", "vacuum", "analyze", "reindex", "cluster", "refresh", "import",
    "reassign", "security", "notify", "call", "do", "load", "checkpoint",
)  # fmt: skip
_OBJECTS = frozenset(
    {
        "table", "index", "view", "sequence", "schema", "function", "database", "role", "user",
        "type", "domain", "extension", "trigger", "materialized", "foreign", "server", "policy",
        "rule", "aggregate", "cast", "collation", "publication", "subscription", "statistics",
        "tablespace", "procedure", "operator",
    }
)  # fmt: skip
_QUESTIONS = ("select", "values", "with", "table")
_EXPLAINED = frozenset(
    {
        "analyze", "analyse", "verbose", "costs", "settings", "buffers", "wal", "timing",
        "summary", "format", "generic_plan", "memory", "serialize",
    }
)  # fmt: skip
_NOISE = frozenset(["temporary", "temp", "local", "global", "unlogged", "unique", "or", "replace"])


def read_command(text: Text) -> Command:
    """Returns what a statement is; raises WireError with its SQLSTATE for what is not answered."""
    words = Words(text)
    first = words.peek()
    if first.kind == SIGN and first.text == "(":
        return _question(text)
    if first.kind != WORD:
        raise _misread(words)
    read = _READERS.get(first.text)
    if read is not None:
        return read(words)
    if first.text in _WRITES:
        raise _writes(words)
    raise _misread(words)


def writes(tag: str) -> WireError:
    """Returns the error for a command that would change something."""
    return WireError("25006", f"cannot execute {tag} in a read-only transaction")


def _question(text: Text) -> Question:
    return Question(text.text, text.offset)


def _selected(words: Words) -> Question:
    return _question(words.text)


def _rest(words: Words) -> Question:
    """Returns the question that the rest of a statement is."""
    if not words.is_left():
        raise _misread(words)
    start = words.peek().start
    return Question(words.text.text[start - words.text.offset :], start)


def _writes(words: Words) -> WireError:
    parts = [words.next().text]
    while parts[0] in ("create", "alter", "drop") and words.is_left() and len(parts) < 3:
        word = words.next()
        if word.kind != WORD or word.text not in _OBJECTS | _NOISE:
            break
        if word.text in _NOISE:
            continue
        parts.append(word.text)
        if word.text not in ("materialized", "foreign"):
            break
    return writes(" ".join(parts).upper())


def _set(words: Words) -> Command:
    words.next()
    is_local = bool(words.accept("local"))
    is_session = not is_local and words.is_before("session") and not words.is_sign_behind()
    if is_session:
        words.next()
    if words.accept("transaction"):
        return Set("transaction_isolation", _level(read_modes(words)))
    if is_session and words.accept("characteristics"):
        words.require("as")
        words.require("transaction")
        return Set("default_transaction_isolation", _level(read_modes(words)))
    if words.accept("time"):
        words.require("zone")
        value = words.value()
        return Set("timezone", None if value in ("local", "default") else (value,), is_local)
    if words.is_before("names"):
        words.next()
        return Set("client_encoding", (words.value(),) if words.is_left() else None, is_local)
    if words.accept("role") or words.is_before("authorization"):
        words.accept("authorization")
        value = words.value()
        if value not in ("none", "default"):
            raise WireError("42501", "the role of a session cannot be changed")
        return Nothing("SET")
    name = words.dotted()
    if not words.accept("to") and not words.accept_sign("="):
        raise _misread(words)
    if words.accept("default"):
        words.end()
        return Set(name, None, is_local)
    values = [words.value()]
    while words.accept_sign(","):
        values.append(words.value())
    words.end()
    return Set(name, tuple(values), is_local)


def _level(level: str) -> tuple[str, ...] | None:
    return (level,) if level else None


def _reset(words: Words) -> Command:
    words.next()
    if words.accept("session"):
        words.require("authorization")
        return Nothing("RESET")
    if words.accept("role"):
        return Nothing("RESET")
    if words.accept("time"):
        words.require("zone")
        return Set("timezone", None, tag="RESET")
    return Set(words.dotted(), None, tag="RESET")


def _show(words: Words) -> Show:
    words.next()
    if words.accept("time"):
        words.require("zone")
        return Show("timezone")
    if words.accept("transaction"):
        words.require("isolation")
        words.require("level")
        return Show("transaction_isolation")
    if words.accept("session"):
        words.require("authorization")
        return Show("session_authorization")
    return Show(words.dotted())


def _discard(words: Words) -> Discard:
    words.next()
    what = words.next().text
    if what not in ("all", "plans", "sequences", "temp", "temporary"):
        raise _misread(words)
    return Discard(what)


def _declare(words: Words) -> Declare:
    words.next()
    name = words.name()
    is_binary = is_scroll = holds = False
    while not words.accept("cursor"):
        if words.accept("no"):
            words.require("scroll")
        elif words.accept("scroll"):
            is_scroll = True
        elif words.accept("binary"):
            is_binary = True
        elif not words.accept("insensitive", "asensitive"):
            raise _misread(words)
    if words.accept("with"):
        words.require("hold")
        holds = True
    elif words.accept("without"):
        words.require("hold")
    words.require("for")
    question = _rest(words)
    return Declare(name, question, is_binary, is_scroll, holds)


def _fetch(words: Words) -> Fetch:
    is_move = words.next().text == "move"
    count: int | None = 1
    is_absolute = False
    if words.accept("next"):
        pass
    elif words.accept("all"):
        count = ALL
    elif words.accept("forward"):
        count = _count(words, 1)
    elif words.accept("absolute", "relative"):
        is_absolute = words.text.tokens[1].text == "absolute"
        count = _count(words, 1)
    elif words.accept("first"):
        is_absolute = True
    elif words.accept("prior", "last", "backward"):
        raise WireError("55000", "cursor can only scan forward", hint="ask again instead")
    else:
        count = _count(words, 1)
    words.accept("from", "in")
    name = words.name()
    words.end()
    return Fetch(name, count, is_move, is_absolute)


def _count(words: Words, otherwise: int) -> int | None:
    if words.accept("all"):
        return ALL
    if words.accept_sign("-"):
        raise WireError("55000", "cursor can only scan forward", hint="ask again instead")
    words.accept_sign("+")
    if words.is_left() and words.peek().kind == NUMBER:
        said = words.next().text
        if not said.isdigit():
            raise _misread(words)
        return int(said)
    return otherwise


def _close(words: Words) -> CloseCursor:
    words.next()
    if words.accept("all"):
        return CloseCursor(None)
    return CloseCursor(words.name())


def _prepare(words: Words) -> Prepare:
    words.next()
    if words.accept("transaction"):
        raise unsupported("a transaction in two phases")
    name = words.name()
    types: list[str] = []
    if words.accept_sign("("):
        types = [part.strip() for part in words.until_closed().split(",")]
    words.require("as")
    return Prepare(name, tuple(types), _rest(words))


def _execute(words: Words) -> ExecutePrepared:
    words.next()
    name = words.name()
    values: list[str | None] = []
    if words.accept_sign("("):
        while not words.accept_sign(")"):
            values.append(_constant(words))
            words.accept_sign(",")
    words.end()
    return ExecutePrepared(name, tuple(values))


def _constant(words: Words) -> str | None:
    sign = "-" if words.accept_sign("-") else ""
    token = words.next()
    if token.kind == WORD and token.text == "null":
        return None
    if token.kind not in (STRING, NUMBER) and token.text not in ("true", "false"):
        raise unsupported("anything but constants in EXECUTE", position=token.start + 1)
    if words.accept_sign("::"):
        words.dotted()
    return sign + token.text


def _deallocate(words: Words) -> Deallocate:
    words.next()
    words.accept("prepare")
    if words.accept("all"):
        return Deallocate(None)
    return Deallocate(words.name())


def _copy(words: Words) -> Copy:
    words.next()
    if words.accept_sign("("):
        start = words.peek().start
        words.until_closed()
        end = words.before().start
        base = words.text.offset
        question = Question(words.text.text[start - base : end - base], start)
    else:
        question = _relation(words)
    if words.accept("from"):
        raise writes("COPY FROM")
    words.require("to")
    if not words.accept("stdout"):
        raise WireError("42501", "COPY goes to STDOUT only")
    return Copy(question, read_options(words))


def _relation(words: Words) -> Question:
    """Returns the question for the relation, and perhaps columns, of a COPY."""
    start = words.peek().start
    table = exp.Table(this=exp.to_identifier(words.name(), quoted=True))
    while words.accept_sign("."):
        table.set("catalog", table.args.get("db"))
        table.set("db", table.this)
        table.set("this", exp.to_identifier(words.name(), quoted=True))
    columns: list[exp.Expr] = []
    if words.accept_sign("("):
        while not words.accept_sign(")"):
            columns.append(exp.Column(this=exp.to_identifier(words.name(), quoted=True)))
            words.accept_sign(",")
    made = exp.Select(expressions=columns or [exp.Star()])
    made.set("from_", exp.From(this=table))
    return Question(made.sql(dialect="postgres"), start)


def _explain(words: Words) -> Explain:
    words.next()
    said: dict[str, str] = {}
    if words.accept_sign("("):
        while not words.accept_sign(")"):
            name = words.name()
            is_plain = words.peek().text in (",", ")")
            said[name] = "on" if is_plain else words.value().lower()
            words.accept_sign(",")
    else:
        while name := words.accept("analyze", "analyse", "verbose"):
            said[name] = "on"
    if said.keys() - _EXPLAINED:
        raise WireError("42601", "EXPLAIN has no such option")
    if said.get("format", "text") not in ("text", "json"):
        raise unsupported("EXPLAIN as anything but text and JSON")
    is_analyzed = any(said.get(name) in ("on", "true", "1") for name in ("analyze", "analyse"))
    first = words.peek()
    if first.text not in (*_QUESTIONS, "("):
        raise unsupported("EXPLAIN of anything but a question", position=first.start + 1)
    return Explain(_rest(words), is_analyzed, said.get("format") == "json")


def _nothing(words: Words) -> Nothing:
    return Nothing(words.next().text.upper())


def _lock(words: Words) -> Command:
    raise writes("LOCK TABLE")


def _misread(words: Words) -> WireError:
    position = words.peek().start + 1 if words.is_left() else None
    return WireError("42601", "the statement cannot be read", position=position)


_READERS: Mapping[str, Callable[[Words], Command]] = MappingProxyType(
    {
        **dict.fromkeys(_QUESTIONS, _selected),
        **dict.fromkeys(("begin", "start"), read_begin),
        **dict.fromkeys(("commit", "end", "rollback", "abort"), read_end),
        **dict.fromkeys(("savepoint", "release"), read_savepoint),
        **dict.fromkeys(("fetch", "move"), _fetch),
        **dict.fromkeys(("listen", "unlisten"), _nothing),
        "set": _set, "reset": _reset, "show": _show, "discard": _discard, "declare": _declare,
        "close": _close, "prepare": _prepare, "execute": _execute, "deallocate": _deallocate,
        "copy": _copy, "explain": _explain, "lock": _lock,
    }
)  # fmt: skip
