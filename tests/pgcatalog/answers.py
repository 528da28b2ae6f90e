"""Decides when two answers about a catalog are the same: values, names and types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq

CORPUS = Path(__file__).with_name("corpus")
FIRST_OID = 10_000
"""From here on OIDs differ between servers: they are compared by the names of their objects."""
_OF_OID = frozenset([26, 24, 2205, 2206, 4089, 4096, 2202, 2203, 28])
_ARRAYS_OF_OID = frozenset([1028, 30])
_TITLE = re.compile(r"^-- (.+)$", re.MULTILINE)
_PARAMETER = re.compile(r"^--\$ (\d+) ?(.*)$", re.MULTILINE)
_OBJECT = re.compile(r"\{([a-z]\w\w+)\}")
_OBJECTS = (
    "SELECT oid, 'relation ' || relname FROM pg_catalog.pg_class"
    " UNION ALL SELECT oid, 'type ' || typname FROM pg_catalog.pg_type"
    " UNION ALL SELECT oid, 'constraint ' || conname FROM pg_catalog.pg_constraint"
    " UNION ALL SELECT oid, 'schema ' || nspname FROM pg_catalog.pg_namespace"
    " UNION ALL SELECT oid, 'role ' || rolname FROM pg_catalog.pg_roles"
    " UNION ALL SELECT oid, 'database ' || datname FROM pg_catalog.pg_database"
    " UNION ALL SELECT oid, 'function ' || proname FROM pg_catalog.pg_proc"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of the corpus; `parameters` are OID and text of $1, $2 …"""

    title: str
    text: str
    parameters: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: columns as name, type and modifier; rows as texts; or an SQLSTATE."""

    columns: tuple[tuple[str, int, int], ...]
    rows: tuple[tuple[str | None, ...], ...]
    sqlstate: str = ""


class Client:
    """Asks one server."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._raw = self._connection.pgconn
        self._connection.execute('SET search_path TO "$user", c360')
        self._objects: Mapping[str, str] = {}
        rows = self.answer(Statement("", _OBJECTS)).rows
        self._objects = {str(oid): str(name) for oid, name in rows if int(oid or 0) >= FIRST_OID}
        self._oids = {name: oid for oid, name in self._objects.items()}

    def close(self) -> None:
        """Leaves the server."""
        self._connection.close()

    def answer(self, statement: Statement) -> Answer:
        """Returns what the server says to a statement."""
        text = _OBJECT.sub(lambda found: self._oids[f"relation {found[1]}"], statement.text)
        if statement.parameters:
            types = [oid for oid, _ in statement.parameters]
            values = [
                _OBJECT.sub(lambda found: self._oids[f"relation {found[1]}"], value).encode()
                for _, value in statement.parameters
            ]
            result = self._raw.exec_params(text.encode(), values, types)
        else:
            result = self._raw.exec_(text.encode())
        if result.status != pq.ExecStatus.TUPLES_OK:
            state = result.error_field(pq.DiagnosticField.SQLSTATE) or b"?"
            return Answer((), (), state.decode())
        columns = tuple(
            ((result.fname(at) or b"").decode(), result.ftype(at), result.fmod(at))
            for at in range(result.nfields)
        )
        rows = tuple(
            tuple(self._shown(result, row, at) for at in range(result.nfields))
            for row in range(result.ntuples)
        )
        return Answer(columns, rows)

    def _shown(self, result: Any, row: int, at: int) -> str | None:
        value: bytes | None = result.get_value(row, at)
        if value is None:
            return None
        text = value.decode()
        oid = result.ftype(at)
        if oid in _OF_OID:
            return self._objects.get(text, text)
        if oid in _ARRAYS_OF_OID:
            return " ".join(self._objects.get(one, one) for one in re.findall(r"\d+", text))
        return text


def same(ours: Answer, theirs: Answer) -> bool:
    """Tells whether two answers are the same, in whatever order their rows are."""
    if ours.sqlstate or theirs.sqlstate:
        return ours.sqlstate == theirs.sqlstate
    if ours.columns != theirs.columns:
        return False
    return sorted(ours.rows, key=repr) == sorted(theirs.rows, key=repr)


def statements(path: Path) -> Sequence[Statement]:
    """Returns the statements of a file: each has a title, perhaps parameters, and ends with `;`."""
    found = []
    for block in path.read_text(encoding="utf-8").split(";\n"):
        title = _TITLE.search(block)
        if title is None:
            continue
        parameters = tuple((int(oid), value) for oid, value in _PARAMETER.findall(block))
        text = "\n".join(line for line in block.splitlines() if not line.startswith("--"))
        found.append(Statement(f"{path.stem}: {title[1]}", text.strip(), parameters))
    return found
