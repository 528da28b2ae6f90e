"""Decides what goes wrong in a PostgreSQL server, in our words: code, text, what to do."""

from __future__ import annotations

import ssl
from types import MappingProxyType
from typing import Final

import asyncpg

from roundview_catalog.errors import SourceError
from roundview_federation.connectors.answers import TOO_MANY_BELOW

LOST: Final = (
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InterfaceError,
    ConnectionError,
)
"""Errors after which the connection is gone, through no fault of the statement."""

CHANGED: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.DatatypeMismatchError,
    asyncpg.CannotCoerceError,
    asyncpg.IndeterminateDatatypeError,
    asyncpg.IndeterminateCollationError,
    asyncpg.WrongObjectTypeError,
    asyncpg.InvalidTextRepresentationError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.exceptions.OutdatedSchemaCacheError,
)
"""Errors that mean: the tables are not what they were."""

STALE: Final = (*LOST, *CHANGED, asyncpg.InternalClientError)
"""Errors after which a used connection is worth another attempt with a new one."""

UNFIT: Final = (asyncpg.DataError,)
"""Errors that mean: a value is none that its column could hold, by the driver or the server."""

GUARDED: Final = asyncpg.DivisionByZeroError
"""What a statement of ours fails with where a value is above limits.bytes."""

_LOGIN: Final = "check user and password of connection.url"
_ADDRESS: Final = "check connection.url"

_TOO_LARGE: Final = (
    "RV405",
    "holds a value above limits.bytes",
    "leave the column out, or raise limits.bytes",
)

_BY_CLASS: Final = MappingProxyType(
    {
        GUARDED: _TOO_LARGE,
        asyncpg.InvalidCatalogNameError: ("RV402", "has no such database", _ADDRESS),
        asyncpg.InvalidAuthorizationSpecificationError: ("RV404", "refuses our login", _LOGIN),
        asyncpg.TooManyConnectionsError: (
            "RV406",
            "has no connection free for us",
            "lower limits.concurrency or allow the login more connections",
        ),
        asyncpg.CannotConnectNowError: ("RV402", "is starting or stopping", ""),
        asyncpg.InsufficientPrivilegeError: (
            "RV404",
            "does not let our login read a table",
            "grant USAGE on its schema and SELECT on the tables of its schema file",
        ),
        **dict.fromkeys(
            (
                asyncpg.CharacterNotInRepertoireError,
                asyncpg.UntranslatableCharacterError,
                UnicodeDecodeError,
            ),
            (
                "RV403",
                "holds text that is not valid UTF-8",
                "repair the text, or leave the column out",
            ),
        ),
    }
)


def late(source: str) -> SourceError:
    """Returns the error for an answer that did not come in time."""
    return _failed(source, "did not answer in time", "RV401")


def closed(source: str) -> SourceError:
    """Returns the error for asking after the end."""
    return _failed(source, "is closed", "RV402")


def too_large(source: str) -> SourceError:
    """Returns the error for a value above limits.bytes."""
    code, what, hint = _TOO_LARGE
    return _failed(source, what, code, hint)


def too_many_below(source: str) -> SourceError:
    """Returns the error for more rows below one row than an answer may have."""
    what, hint = TOO_MANY_BELOW
    return _failed(source, what, "RV405", hint)


def changed(source: str) -> SourceError:
    """Returns the error for tables that are not what the schema file says."""
    hint = f"run roundview introspect {source}"
    what = "does not have the tables and columns of its schema file"
    return _failed(source, what, "RV403", hint)


def worded(source: str, error: BaseException) -> SourceError:
    """Returns what an error of the driver means, without the server's own text."""
    for kind, (code, what, hint) in _BY_CLASS.items():
        if isinstance(error, kind):
            return _failed(source, what, code, hint)
    if isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
        return late(source)
    if isinstance(error, CHANGED):
        return changed(source)
    if _is_about_tls(error):
        hint = "check connection.tls, connection.ca and the server's certificate"
        return _failed(
            source, "cannot be reached over TLS as its connection demands", "RV402", hint
        )
    if isinstance(error, (*LOST, OSError)):
        return _failed(source, "cannot be reached", "RV402", _ADDRESS)
    if isinstance(error, asyncpg.ProgramLimitExceededError | asyncpg.OutOfMemoryError):
        return _failed(source, "cannot hold an answer this large", "RV405")
    if isinstance(error, asyncpg.PostgresError):
        return _failed(source, "failed while reading", "RV400")
    return _failed(
        source, "does not speak the PostgreSQL protocol", "RV403",
        "check host and port of connection.url",
    )  # fmt: skip


def _is_about_tls(error: BaseException) -> bool:
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return True
    # The driver has no class of its own for a server that does not encrypt.
    return isinstance(error, ConnectionError) and "SSL" in str(error)


def _failed(source: str, what: str, code: str, hint: str = "") -> SourceError:
    return SourceError(source, f"{source} {what}", code=code, hint=hint)
