"""Decides what a session remembers: statements, cursors, settings, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from roundview_federation.federation import Federation
from roundview_federation.request import Decision, Principal
from roundview_sql.asking import Asker, Described
from roundview_sql.commands import Command
from roundview_sql.failures import WireError
from roundview_sql.metadata.port import Metadata
from roundview_sql.parameters import Said
from roundview_sql.portals import Cursor
from roundview_sql.transactions import Transaction
from roundview_sql.variables import Variables

_MOST_STATEMENTS = 1_000
_MOST_PORTALS = 100


@dataclass(slots=True)
class Statement:
    """A prepared statement; `command` None stands for an empty one.

    `described` is what is known of its question, `types` the OIDs of its parameters. `text` is what
    the client wrote.
    """

    text: str
    command: Command | None
    types: tuple[int, ...] = ()
    described: Described | None = None
    version: str = ""


@dataclass(slots=True)
class Portal:
    """A statement with values, or a cursor; `cursor` is there once rows were asked for.

    `formats` are those that the client asks columns in, `held` beyond the transaction.
    """

    statement: Statement
    values: tuple[Said, ...] = ()
    formats: tuple[int, ...] = ()
    cursor: Cursor | None = None
    is_done: bool = False
    is_held: bool = False
    is_declared: bool = False


@dataclass(slots=True)
class Session:
    """The state of one connection whose user is known; it is what the catalog asks of it too."""

    federation: Federation
    metadata: Metadata
    principal: Principal
    user: str
    database: str
    process: int
    variables: Variables = field(default_factory=Variables)
    statements: dict[str, Statement] = field(default_factory=dict)
    portals: dict[str, Portal] = field(default_factory=dict)
    transaction: Transaction = field(init=False)
    asker: Asker = field(init=False)

    def __post_init__(self) -> None:
        """Makes the parts that need the others."""
        self.transaction = Transaction(self.variables)
        self.asker = Asker(self.federation, self.metadata, self.principal, self.variables, self)

    @property
    def settings(self) -> Mapping[str, str]:
        """Returns the settings as they are now."""
        return MappingProxyType(dict(self.variables))

    @property
    def decision(self) -> Decision:
        """Returns what the asker may see now."""
        return self.federation.decide(
            self.principal,
            self.variables["roundview.purpose"],
            is_emergency=self.variables["roundview.emergency"] == "on",
        )

    def set_config(self, name: str, value: str, *, is_local: bool) -> str:
        """Sets a setting as SET does; returns it."""
        return self.variables.set(name, value, is_local=is_local)

    def keep_statement(self, name: str, statement: Statement) -> None:
        """Names a statement; raises WireError 42P05 for a name that is taken."""
        if name and name in self.statements:
            raise WireError("42P05", f'prepared statement "{name}" already exists')
        if len(self.statements) >= _MOST_STATEMENTS:
            raise WireError("53400", f"a session prepares at most {_MOST_STATEMENTS} statements")
        self.statements[name] = statement

    def statement(self, name: str) -> Statement:
        """Returns a prepared statement; raises WireError 26000."""
        found = self.statements.get(name)
        if found is None:
            shown = f'prepared statement "{name}"' if name else "unnamed prepared statement"
            raise WireError("26000", f"{shown} does not exist")
        return found

    async def keep_portal(self, name: str, portal: Portal) -> None:
        """Names a portal; raises WireError 42P03 for a name that is taken."""
        if name and name in self.portals:
            raise WireError("42P03", f'cursor "{name}" already exists')
        await self.close_portal(name)
        if len(self.portals) >= _MOST_PORTALS:
            raise WireError("53400", f"a session opens at most {_MOST_PORTALS} cursors")
        self.portals[name] = portal

    def portal(self, name: str, what: str = "portal") -> Portal:
        """Returns a portal; raises WireError 34000."""
        found = self.portals.get(name)
        if found is None:
            raise WireError("34000", f'{what} "{name}" does not exist')
        return found

    async def close_portal(self, name: str) -> None:
        """Forgets a portal, if there is one."""
        found = self.portals.pop(name, None)
        if found is not None and found.cursor is not None:
            await found.cursor.close()

    async def close_portals(self, *, keep_held: bool = True) -> None:
        """Forgets the portals of the transaction that ends; cursors that are held stay."""
        for name, portal in list(self.portals.items()):
            if not (keep_held and portal.is_held):
                await self.close_portal(name)

    async def close(self) -> None:
        """Stops everything."""
        await self.close_portals(keep_held=False)
        self.statements.clear()
