"""Decides what goes wrong in a MySQL server, in our words: code, text, what to do."""

from __future__ import annotations

import ssl
import struct
from types import MappingProxyType
from typing import Final

from asyncmy import errors

from roundview_catalog.errors import SourceError
from roundview_federation.connectors.answers import TOO_MANY_BELOW

GARBAGE: Final = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RuntimeError,
    OverflowError,
    struct.error,
)
"""What the driver raises over bytes that are no MySQL."""

GONE: Final = frozenset({2002, 2003, 2006, 2013, 2055, 1053, 1079, 1080, 1927, 3169, 4031})
"""Numbers of errors after which the connection is lost, through no fault of the statement."""

CHANGED: Final = frozenset({1049, 1054, 1146, 1176, 1267, 1270, 1271, 1356, 1366, 3013})
"""Numbers of errors that mean: the tables are not what they were."""

_LATE: Final = frozenset({1317, 1969, 3024})
_TOO_LARGE: Final = frozenset({1105, 1153, 1301, 2020})
_BUSY: Final = frozenset({1040, 1203, 1205, 1226, 1615, 4033})
_LOGIN: Final = frozenset({1044, 1045, 1130, 1251, 1275, 1396, 1698, 1820, 1862, 2049, 2059, 3118})
_GRANT: Final = frozenset({1142, 1143, 1227, 1345, 1370})
_TLS: Final = frozenset({2026, 3159, 4185})

_NEEDS: Final = MappingProxyType(
    {
        "mariadb": "MariaDB 10.6",
        "mysql": "MySQL 8.0.19",
    }
)


class TooLarge(Exception):
    """A packet is larger than the source's limits.bytes."""


class NoTls(Exception):
    """The server cannot encrypt though the catalog demands it."""


def number_of(error: BaseException) -> int:
    """Returns the server's or driver's number of an error, 0 where it has none.

    >>> number_of(errors.OperationalError(1045, "…")), number_of(ValueError())
    (1045, 0)
    """
    first = error.args[0] if isinstance(error, errors.Error) and error.args else 0
    return first if isinstance(first, int) else 0


def late(source: str) -> SourceError:
    """Returns the error for an answer that did not come in time."""
    return SourceError(source, f"{source} did not answer in time", code="RV401")


def too_large(source: str) -> SourceError:
    """Returns the error for a value above limits.bytes."""
    hint = "leave the column out, or raise limits.bytes"
    return SourceError(
        source, f"{source} holds a value above limits.bytes", code="RV405", hint=hint
    )


def too_many_below(source: str) -> SourceError:
    """Returns the error for more rows below one row than an answer may have."""
    what, hint = TOO_MANY_BELOW
    return SourceError(source, f"{source} {what}", code="RV405", hint=hint)


def changed(source: str, what: str) -> SourceError:
    """Returns the error for tables that are not what the schema file says."""
    hint = f"run roundview introspect {source}"
    return SourceError(source, f"{source} {what}", code="RV403", hint=hint, retryable=False)


def too_old(source: str, flavor: str) -> SourceError:
    """Returns the error for a server that lacks what every statement needs."""
    text = f"{source} runs a server that has no JSON_TABLE"
    hint = f"it needs at least {_NEEDS[flavor]}"
    return SourceError(source, text, code="RV403", hint=hint, retryable=False)


def worded(source: str, error: BaseException) -> SourceError:
    """Returns what an error of the driver means, without the server's own text."""
    if isinstance(error, TooLarge):
        return too_large(source)
    if _is_about_tls(error):
        return SourceError(
            source,
            f"{source} cannot be reached over TLS as its connection demands",
            code="RV402",
            hint="check connection.tls, connection.ca and the server's certificate",
        )
    number = number_of(error)
    if number in _LATE:
        return late(source)
    if number in GONE or isinstance(error, OSError):
        return SourceError(
            source, f"{source} cannot be reached", code="RV402", hint="check connection.url"
        )
    if number in _LOGIN:
        return SourceError(
            source,
            f"{source} refuses our login",
            code="RV404",
            hint="check user, password and database of connection.url, and connection.tls",
        )
    if number in _GRANT:
        return SourceError(
            source,
            f"{source} does not let our login read a table",
            code="RV404",
            hint="grant SELECT on the tables of its schema file",
        )
    if number in CHANGED:
        return changed(source, "does not have the tables and columns of its schema file")
    if number in _BUSY:
        return SourceError(
            source,
            f"{source} has no connection free for us",
            code="RV406",
            hint="lower limits.concurrency or allow the login more connections",
        )
    if number in _TOO_LARGE:
        return too_large(source)
    if isinstance(error, (*GARBAGE, errors.InternalError)) or not number:
        return SourceError(
            source, f"{source} does not speak the MySQL protocol", code="RV403",
            hint="check host and port of connection.url",
        )  # fmt: skip
    return SourceError(source, f"{source} failed while reading", code="RV400")


def _is_about_tls(error: BaseException) -> bool:
    if isinstance(error, NoTls | ssl.SSLError) or number_of(error) in _TLS:
        return True
    return isinstance(error.__cause__, ssl.SSLError)
