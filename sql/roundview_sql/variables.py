"""Decides which settings a session has, what they can be, and which of them clients are told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from roundview_catalog.durations import seconds
from roundview_sql.failures import WireError

VERSION: Final = "15.8"
"""The PostgreSQL whose protocol, catalog and SQL this server speaks."""
_VERSION_NUMBER: Final = "150008"

Check = Callable[[str], str]
_TRUE = frozenset(["on", "true", "yes", "1", "t", "y", "tr", "tru", "ye"])
_FALSE = frozenset(["off", "false", "no", "0", "f", "n", "of", "fa", "fal", "fals"])
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*")
_UNITS = MappingProxyType(
    {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
)
_UTC = frozenset(
    ["utc", "gmt", "etc/utc", "etc/gmt", "zulu", "z", "0", "uct", "etc/uct", "greenwich"]
)
_CUSTOM = re.compile(r"[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)+")


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its name as it is shown, what it is at first, and what it may be.

    `check` returns a value as it is kept, or raises WireError. Without one it cannot be set.
    `is_told` tells that clients hear of each change.
    """

    name: str
    default: str
    check: Check | None = None
    is_told: bool = False


class Variables(Mapping[str, str]):
    """The settings of one session, by their names in lower case."""

    def __init__(self, defaults: Mapping[str, str] | None = None) -> None:
        self._first = {name: one.default for name, one in KNOWN.items()} | dict(defaults or {})
        self._values = dict(self._first)
        self._before: dict[str, str] | None = None
        self._lasting: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def shown(self, name: str) -> tuple[str, str]:
        """Returns a setting's name and value; raises WireError 42704 for one that there is not."""
        key = name.lower()
        if key not in self._values:
            raise _unknown(key)
        known = KNOWN.get(key)
        return (known.name if known is not None else key), self._values[key]

    def set(self, name: str, value: str | None, *, is_local: bool = False) -> str:
        """Sets a setting, None to what it was at first; returns it as it is kept.

        Raises WireError: 42704 for an unknown one, 22023 for a value that it cannot have, 55P02
        for one that cannot be set, 0A000 for what PostgreSQL can and this server cannot.
        """
        key = name.lower()
        known = KNOWN.get(key)
        if known is None:
            if not _CUSTOM.fullmatch(key) or key.startswith("roundview."):
                raise _unknown(key)
            kept = value or ""
        elif value is None:
            kept = self._first[key]
        elif known.check is None:
            raise WireError("55P02", f'parameter "{known.name}" cannot be changed')
        else:
            try:
                kept = known.check(value)
            except ValueError:
                said = f'invalid value for parameter "{known.name}"'
                raise WireError("22023", said) from None
        self._values[key] = kept
        if not is_local and self._lasting is not None:
            self._lasting[key] = kept
        return kept

    def start(self, name: str, value: str) -> None:
        """Takes a setting of a client's first message: RESET returns to it."""
        self._first[name.lower()] = self.set(name, value)

    def reset(self) -> None:
        """Returns every setting to what it was at first."""
        self._values = dict(self._first)
        if self._lasting is not None:
            self._lasting = dict(self._first)

    def begin(self) -> None:
        """Begins a transaction: what is set in it can be undone."""
        self._before, self._lasting = dict(self._values), dict(self._values)

    def end(self, *, is_commit: bool) -> None:
        """Ends a transaction: settings stay, but for local ones, or are what they were before."""
        kept = self._lasting if is_commit else self._before
        if kept is not None:
            self._values = kept
        self._before = self._lasting = None

    def told(self) -> dict[str, str]:
        """Returns what clients are told."""
        return {one.name: self._values[key] for key, one in KNOWN.items() if one.is_told}


def milliseconds(value: str) -> float:
    """Returns how many milliseconds a setting of a duration stands for; 0 means no limit.

    >>> milliseconds("2min")
    120000.0
    """
    match = _TIME.fullmatch(value)
    if match is None:
        raise ValueError(value)
    return float(match[1]) * _UNITS[match[2] or "ms"]


def _flag(value: str) -> str:
    word = value.strip().lower()
    if word in _TRUE:
        return "on"
    if word in _FALSE:
        return "off"
    raise ValueError(value)


def _only(*values: str, why: str) -> Check:
    def check(value: str) -> str:
        if value.strip().lower() in values:
            return values[0]
        raise WireError("0A000", why)

    return check


def _true(name: str) -> Check:
    def check(value: str) -> str:
        if _flag(value) == "on":
            return "on"
        raise WireError("0A000", f"{name} is always on here")

    return check


def _text(value: str) -> str:
    return value


def _name(value: str) -> str:
    # As PostgreSQL keeps it: what is no printable ASCII is a question mark.
    return "".join(sign if " " <= sign <= "~" else "?" for sign in value)[:63]


def _one_of(*values: str) -> Check:
    def check(value: str) -> str:
        word = value.strip().lower()
        if word not in values:
            raise ValueError(value)
        return word

    return check


def _duration(value: str) -> str:
    size = milliseconds(value)
    if size != int(size) or size >= 2**31:
        raise ValueError(value)
    for unit in ("d", "h", "min", "s"):
        if size and not size % _UNITS[unit]:
            return f"{int(size // _UNITS[unit])}{unit}"
    return f"{int(size)}ms" if size else "0"


def _age(value: str) -> str:
    if value.strip() not in ("", "0"):
        seconds(value.strip())
    return value.strip()


def _whole(least: int, most: int) -> Check:
    def check(value: str) -> str:
        number = int(value)
        if not least <= number <= most:
            raise ValueError(value)
        return str(number)

    return check


def _zone(value: str) -> str:
    if value.strip().lower() in _UTC:
        return value.strip()
    raise WireError("0A000", "the time zone of a session is UTC", hint="write AT TIME ZONE")


def _date_style(value: str) -> str:
    parts = {part.strip().lower() for part in value.split(",")}
    if parts - {"iso", "mdy", "dmy", "ymd", "us", "euro", "european", "default", "noneuropean"}:
        raise WireError("0A000", "dates are written in ISO 8601")
    return "ISO, MDY"


def _float_digits(value: str) -> str:
    if int(value) < 1:
        raise WireError("0A000", "numbers are written with all their digits")
    return _whole(1, 3)(value)


def _encoding(value: str) -> str:
    # Nothing but letters and digits counts: drivers quote it in more than one way.
    if "".join(filter(str.isalnum, value)).lower() in ("utf8", "unicode"):
        return "UTF8"
    raise WireError("0A000", "texts are sent in UTF8 only")


def _unknown(name: str) -> WireError:
    return WireError("42704", f'unrecognized configuration parameter "{name}"')


_LEVELS = _one_of("read committed", "repeatable read", "serializable", "read uncommitted")
_VARIABLES: Final = (
    Variable("application_name", "", _name, is_told=True),
    Variable("client_encoding", "UTF8", _encoding, is_told=True),
    Variable("DateStyle", "ISO, MDY", _date_style, is_told=True),
    Variable("default_transaction_read_only", "on", _true("default_transaction_read_only"),
             is_told=True),
    Variable("in_hot_standby", "off", is_told=True),
    Variable("integer_datetimes", "on", is_told=True),
    Variable("IntervalStyle", "postgres",
             _only("postgres", why="intervals are written in the style of PostgreSQL"),
             is_told=True),
    Variable("is_superuser", "off", is_told=True),
    Variable("server_encoding", "UTF8", is_told=True),
    Variable("server_version", VERSION, is_told=True),
    Variable("session_authorization", "", is_told=True),
    Variable("standard_conforming_strings", "on", _true("standard_conforming_strings"),
             is_told=True),
    Variable("TimeZone", "UTC", _zone, is_told=True),
    Variable("backslash_quote", "safe_encoding", _text),
    Variable("bytea_output", "hex", _only("hex", why="bytes are written as hexadecimal digits")),
    Variable("client_min_messages", "notice", _one_of(
        "debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "warning",
        "error")),
    Variable("cursor_tuple_fraction", "0.1", _text),
    Variable("default_table_access_method", "heap", _text),
    Variable("default_transaction_deferrable", "off", _flag),
    Variable("default_transaction_isolation", "read committed", _LEVELS),
    Variable("enable_seqscan", "on", _flag),
    Variable("escape_string_warning", "on", _flag),
    Variable("extra_float_digits", "1", _float_digits),
    Variable("geqo", "on", _flag),
    Variable("idle_in_transaction_session_timeout", "0", _duration),
    Variable("idle_session_timeout", "0", _duration),
    Variable("jit", "off", _flag),
    Variable("lc_collate", "C"),
    Variable("lc_ctype", "C.UTF-8"),
    Variable("lc_messages", "C", _text),
    Variable("lc_monetary", "C", _text),
    Variable("lc_numeric", "C", _text),
    Variable("lc_time", "C", _text),
    Variable("lock_timeout", "0", _duration),
    Variable("max_identifier_length", "63"),
    Variable("max_index_keys", "32"),
    Variable("plan_cache_mode", "auto", _text),
    Variable("roundview.allow_scan", "off", _flag),
    Variable("roundview.consistency", "fragment",
             _only("fragment", why="each source is read as it is when it is asked")),
    Variable("roundview.emergency", "off", _flag),
    Variable("roundview.engine", "auto", _one_of("auto", "direct", "embedded", "trino")),
    Variable("roundview.max_staleness", "", _age),
    Variable("roundview.partial", "off", _flag),
    Variable("roundview.purpose", "", _text),
    Variable("roundview.reason", "", _text),
    Variable("row_security", "on", _flag),
    Variable("search_path", '"$user", c360', _text),
    Variable("server_version_num", _VERSION_NUMBER),
    Variable("ssl", "off"),
    Variable("statement_timeout", "0", _duration),
    Variable("synchronize_seqscans", "on", _flag),
    Variable("synchronous_commit", "on", _text),
    Variable("tcp_keepalives_idle", "0", _text),
    Variable("transaction_deferrable", "off", _flag),
    Variable("transaction_isolation", "read committed", _LEVELS),
    Variable("transaction_read_only", "on", _true("transaction_read_only")),
    Variable("work_mem", "4MB", _text),
    Variable("xmloption", "content", _text),
)  # fmt: skip
KNOWN: Mapping[str, Variable] = MappingProxyType({one.name.lower(): one for one in _VARIABLES})
