"""Decides how times are bound to PostgreSQL: each as itself.

To the driver the first and the last time of Python are infinity, but 9999-12-31 is a day that
systems store where something has no end.
https://magicstack.github.io/asyncpg/current/usage.html
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Final

import asyncpg

_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(microseconds=1)


def bind_as_they_are(connection: asyncpg.Connection[Any]) -> None:
    """Makes a connection send every date and time as what it is; asks the server nothing."""
    settings: Any = connection._protocol.get_settings()
    for oid, (name, encode, decode) in _CODECS.items():
        settings.add_python_codec(oid, name, "pg_catalog", [], "scalar", encode, decode, "tuple")


def _day(value: Any) -> tuple[int]:
    return (value.toordinal() - _FIRST.toordinal(),)


def _local(value: Any) -> tuple[int]:
    moment = _moment(value)
    if moment.tzinfo is not None:
        raise TypeError("a time with a zone for a column without one")
    return _instant(moment)


def _instant(value: Any) -> tuple[int]:
    moment = _moment(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return ((moment - _FIRST) // _STEP,)


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time.min)
    raise TypeError("not a time")


def _as_day(sent: tuple[int]) -> date:
    least, most = date.min.toordinal(), date.max.toordinal()
    return date.fromordinal(min(max(sent[0] + _FIRST.toordinal(), least), most))


def _as_local(sent: tuple[int]) -> datetime:
    return _as_instant(sent).replace(tzinfo=None)


def _as_instant(sent: tuple[int]) -> datetime:
    least = datetime.min.replace(tzinfo=UTC)
    most = datetime.max.replace(tzinfo=UTC)
    return _FIRST + min(max(sent, _instant(least)), _instant(most))[0] * _STEP


_CODECS: Final = MappingProxyType(
    {
        1082: ("date", _day, _as_day),
        1114: ("timestamp", _local, _as_local),
        1184: ("timestamptz", _instant, _as_instant),
    }
)
"""How a value is sent and read by the number of its type: as days or microseconds since 2000.

https://www.postgresql.org/docs/current/catalog-pg-type.html
"""
