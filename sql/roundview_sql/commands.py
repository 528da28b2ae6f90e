"""Decides which commands there are: a question, or something that is done with the session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from roundview_sql.copying import CopyOptions

ALL: Final = None
"""How many rows FETCH ALL asks for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A SELECT, VALUES, WITH or TABLE; `offset` is where it begins in the query."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN of a question, as text or as JSON."""

    question: Question
    is_analyzed: bool = False
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Begin:
    """BEGIN or START TRANSACTION."""

    tag: str
    isolation: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """COMMIT, END, ROLLBACK or ABORT; `is_chained` begins another transaction."""

    is_commit: bool
    is_chained: bool = False


@dataclass(frozen=True, slots=True)
class Savepoint:
    """SAVEPOINT, RELEASE or ROLLBACK TO."""

    tag: str
    name: str


@dataclass(frozen=True, slots=True)
class Set:
    """SET: `values` None stands for DEFAULT; `is_local` until the transaction ends."""

    name: str
    values: tuple[str, ...] | None
    is_local: bool = False
    tag: str = "SET"


@dataclass(frozen=True, slots=True)
class Show:
    """SHOW of one setting, or of all."""

    name: str


@dataclass(frozen=True, slots=True)
class Discard:
    """DISCARD ALL, PLANS, SEQUENCES or TEMP."""

    what: str


@dataclass(frozen=True, slots=True)
class Declare:
    """DECLARE CURSOR; `holds` beyond the transaction."""

    name: str
    question: Question
    is_binary: bool
    is_scroll: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH or MOVE forward: so many rows, None for all, or to an absolute row."""

    name: str
    count: int | None
    is_move: bool
    is_absolute: bool = False


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """CLOSE of one cursor, or of all."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Prepare:
    """PREPARE; `types` are names."""

    name: str
    types: tuple[str, ...]
    question: Question


@dataclass(frozen=True, slots=True)
class ExecutePrepared:
    """EXECUTE of what was prepared, with values."""

    name: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Deallocate:
    """DEALLOCATE of one prepared statement, or of all."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY (question) TO STDOUT."""

    question: Question
    options: CopyOptions


@dataclass(frozen=True, slots=True)
class Nothing:
    """A command that changes nothing here: LISTEN, UNLISTEN, CHECKPOINT, LOCK of what is read."""

    tag: str


Command = (
    Question | Explain | Begin | End | Savepoint | Set | Show | Discard | Declare | Fetch
    | CloseCursor | Prepare | ExecutePrepared | Deallocate | Copy | Nothing
)  # fmt: skip
