"""Decides what is said about transactions: how they begin, end, and return to a savepoint."""

from __future__ import annotations

from roundview_sql.commands import Begin, End, Savepoint
from roundview_sql.failures import unsupported
from roundview_sql.words import Words


def read_begin(words: Words) -> Begin:
    """Reads BEGIN and START TRANSACTION."""
    first = words.next().text
    tag = "BEGIN"
    if first == "start":
        words.require("transaction")
        tag = "START TRANSACTION"
    else:
        words.accept("work", "transaction")
    return Begin(tag, read_modes(words))


def read_modes(words: Words) -> str:
    """Reads the modes of a transaction; returns the level of isolation."""
    level = ""
    while words.is_left():
        words.accept_sign(",")
        if words.accept("isolation"):
            words.require("level")
            level = words.next().text
            if level in ("read", "repeatable"):
                level += f" {words.next().text}"
        elif words.accept("read"):
            if words.accept("write"):
                raise unsupported("a transaction that writes")
            words.require("only")
        else:
            words.accept("not")
            words.require("deferrable")
    return level


def read_end(words: Words) -> End | Savepoint:
    """Reads COMMIT, ROLLBACK and their like."""
    first = words.next().text
    is_commit = first in ("commit", "end")
    if words.accept("prepared"):
        raise unsupported("a transaction in two phases")
    words.accept("work", "transaction")
    if not is_commit and words.accept("to"):
        words.accept("savepoint")
        return Savepoint("ROLLBACK", words.name())
    is_chained = False
    if words.accept("and"):
        is_chained = not words.accept("no")
        words.require("chain")
    words.end()
    return End(is_commit, is_chained)


def read_savepoint(words: Words) -> Savepoint:
    """Reads SAVEPOINT and RELEASE."""
    tag = words.next().text.upper()
    words.accept("savepoint")
    return Savepoint(tag, words.name())
