"""Decides what a session needs of whoever answers questions about the catalog of PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from sqlglot import exp

from roundview_federation.request import Decision
from roundview_sql.failures import unsupported
from roundview_sql.parameters import Said
from roundview_sql.type_codes import Column

_SCHEMAS = ("pg_catalog", "information_schema")
_PREFIX = "pg_"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What is said for $n of a question about the catalog: its type, and the text of a constant.

    `oid` is 0 where nobody says the type. A tuple of texts is an array, None is NULL.
    """

    oid: int
    value: Said


@dataclass(frozen=True, slots=True)
class MetadataShape:
    """What is known of a question before it is asked: OIDs of parameters, and columns."""

    parameters: tuple[int, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class MetadataAnswer:
    """The rows of a question about the catalog; columns in the order of the table's."""

    table: pa.Table
    columns: tuple[Column, ...]


class MetadataSession(Protocol):
    """What the catalog has to know of the session that asks.

    `settings` has every setting by its name in lower case, as SHOW tells it; `search_path` is
    among them. `decision` says what the asker may see of the catalog that is served now.
    """

    @property
    def database(self) -> str:
        """Returns the name of the database that the client has asked for."""
        ...

    @property
    def user(self) -> str:
        """Returns the name of the user."""
        ...

    @property
    def process(self) -> int:
        """Returns what pg_backend_pid() tells."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """Returns the settings as they are now."""
        ...

    @property
    def decision(self) -> Decision:
        """Returns what the asker may see."""
        ...

    def set_config(self, name: str, value: str, *, is_local: bool) -> str:
        """Sets what SET sets, and returns it as SHOW tells it; raises WireError as SET does."""
        ...


class Metadata(Protocol):
    """Answers questions that touch nothing but catalog relations and session functions.

    One object serves all sessions of a process. Trees are what sqlglot reads of a statement for
    PostgreSQL; they are not changed. Methods raise WireError (42P01, 42703, 42883, 0A000 …) or
    RequestError for what cannot be answered, with the position in the statement where known.
    """

    def concerns(self, tree: exp.Expr) -> bool:
        """Tells whether a statement is about the catalog: no canonical relation stands in it.

        True for relations of pg_catalog and information_schema, also without their schema, and
        for a SELECT without relations that calls a function of the session or of the catalog,
        such as version() or current_schema().
        """
        ...

    async def describe(
        self, tree: exp.Expr, declared: Sequence[int], session: MetadataSession
    ) -> MetadataShape:
        """Returns types of parameters and columns; `declared` has 0 for types to be inferred."""
        ...

    async def answer(
        self, tree: exp.Expr, parameters: Sequence[Parameter], session: MetadataSession
    ) -> MetadataAnswer:
        """Answers a question."""
        ...


class NoMetadata:
    """Knows what is about the catalog, and answers none of it."""

    def concerns(self, tree: exp.Expr) -> bool:
        """Tells whether a relation of the catalog is named."""
        return any(
            one.db.lower() in _SCHEMAS or (not one.db and one.name.lower().startswith(_PREFIX))
            for one in tree.find_all(exp.Table)
        )

    async def describe(
        self, tree: exp.Expr, declared: Sequence[int], session: MetadataSession
    ) -> MetadataShape:
        """Raises WireError 0A000."""
        raise unsupported("a question about the catalog")

    async def answer(
        self, tree: exp.Expr, parameters: Sequence[Parameter], session: MetadataSession
    ) -> MetadataAnswer:
        """Raises WireError 0A000."""
        raise unsupported("a question about the catalog")
