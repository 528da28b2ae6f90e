"""Decides what state a transaction is in, and which commands that state lets through."""

from __future__ import annotations

from typing import Final

from roundview_sql.commands import Begin, End, Savepoint
from roundview_sql.failures import WireError, warning
from roundview_sql.variables import Variables

IDLE: Final = b"I"
OPEN: Final = b"T"
FAILED: Final = b"E"


class Transaction:
    """The transaction of one session; nothing is ever written in it.

    `notices` are what clients have to be told of the last command.
    """

    def __init__(self, variables: Variables) -> None:
        self.status = IDLE
        self.notices: list[dict[str, str]] = []
        self._variables = variables
        self._savepoints: list[str] = []
        self.is_implicit = False
        """whether several statements of one query are a transaction of their own"""

    @property
    def is_open(self) -> bool:
        """Tells whether a block was begun."""
        return self.status != IDLE

    @property
    def lasts(self) -> bool:
        """Tells whether more than this statement belongs to the transaction."""
        return self.is_open or self.is_implicit

    def check(self, command: object) -> None:
        """Raises WireError 25P02 for a command that a failed transaction does not let through."""
        is_way_out = isinstance(command, End) or (
            isinstance(command, Savepoint) and command.tag == "ROLLBACK"
        )
        if self.status == FAILED and not is_way_out:
            raise WireError(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            )

    def fail(self) -> None:
        """Notes that a command failed."""
        if self.status == OPEN:
            self.status = FAILED

    def begin(self, command: Begin) -> str:
        """Begins a block; returns the tag."""
        if self.is_open:
            self._warn("there is already a transaction in progress", "25001")
        else:
            self.status = OPEN
            self._variables.begin()
        if command.isolation:
            self._variables.set("transaction_isolation", command.isolation, is_local=True)
        return command.tag

    def end(self, command: End) -> str:
        """Ends the block; returns the tag: what failed is rolled back."""
        is_commit = command.is_commit and self.status != FAILED
        if not self.is_open:
            if command.is_chained:
                raise WireError("25P01", "AND CHAIN can only be used in transaction blocks")
            self._warn("there is no transaction in progress", "25P01")
        self._variables.end(is_commit=is_commit)
        self.status = IDLE
        self._savepoints.clear()
        if command.is_chained:
            self.begin(Begin("BEGIN"))
        return "COMMIT" if is_commit else "ROLLBACK"

    def savepoint(self, command: Savepoint) -> str:
        """Sets, releases or returns to a savepoint; returns the tag."""
        if not self.is_open:
            raise WireError(
                "25P01", f"{_NAMES[command.tag]} can only be used in transaction blocks"
            )
        if command.tag == "SAVEPOINT":
            self._savepoints.append(command.name)
            return command.tag
        if command.name not in self._savepoints:
            raise WireError("3B001", f'savepoint "{command.name}" does not exist')
        at = len(self._savepoints) - 1 - self._savepoints[::-1].index(command.name)
        if command.tag == "RELEASE":
            del self._savepoints[at:]
            return command.tag
        del self._savepoints[at + 1 :]
        self.status = OPEN
        return command.tag

    def _warn(self, message: str, sqlstate: str) -> None:
        self.notices.append(warning(message, sqlstate))


_NAMES = {
    "SAVEPOINT": "SAVEPOINT",
    "RELEASE": "RELEASE SAVEPOINT",
    "ROLLBACK": "ROLLBACK TO SAVEPOINT",
}
