"""Decides what SQLite's own plan of a statement says of its tables."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from roundview_federation.connectors.port import Access

_EXPLAIN: Final = "EXPLAIN QUERY PLAN "
# sqlite.org/eqp.html: a SCAN reads every row, with USING COVERING INDEX every entry of an index.
_STEP: Final = re.compile(
    r"(SCAN|SEARCH) (?:TABLE \S+ AS )?(\S+)(?: USING (.+?))?(?: \(.*| LEFT-JOIN)?"
)
_OWN_KEY: Final = "INTEGER PRIMARY KEY"


def read_accesses(
    connection: sqlite3.Connection, text: str, bound: Mapping[str, Any]
) -> tuple[Access, ...]:
    """Returns how each table of a statement would be read."""
    steps = [str(row[3]) for row in connection.execute(_EXPLAIN + text, bound)]
    found = [access for step in steps if (access := _access(step)) is not None]
    return tuple(dict.fromkeys(found))


def _access(step: str) -> Access | None:
    match = _STEP.fullmatch(step)
    if match is None or "VIRTUAL TABLE" in step:
        return None
    how, alias, using = match.groups()
    # An automatic index is built from the whole table, for this one statement.
    if how == "SCAN" or (using or "").startswith("AUTOMATIC"):
        return Access(alias, "", is_scan=True)
    using = (using or "").removeprefix("COVERING ").removeprefix("INDEX ")
    return Access(alias, "the primary key" if using == _OWN_KEY else using)
