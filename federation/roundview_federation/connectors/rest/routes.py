"""Decides which declared paths can answer a fragment, and what each call of them sends."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote

from roundview_catalog import normalizers
from roundview_catalog.tables import AccessPath, Filter, RestTable
from roundview_federation.connectors.rest.bodies import bound, json_value

_PART: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_BATCH: Final = 100
_OPERATORS: Final[Mapping[str, str]] = {
    "EQ": "eq",
    "GT": "gt",
    "GTE": "ge",
    "LT": "lt",
    "LTE": "le",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One conjunct of a fragment: a column compared with a key set, a parameter or a constant."""

    column: str
    operator: str
    keys: str = ""
    param: str = ""
    value: Any = None

    def asked(self, params: Mapping[str, Any]) -> Any:
        """Returns the value to compare with."""
        return params[self.param] if self.param else self.value


@dataclass(frozen=True, slots=True)
class Sent:
    """A condition that the source applies itself, through a query parameter."""

    condition: Condition
    filter: Filter
    is_list: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One list to fetch: the target's path and query, and what is known of its rows.

    `keys` are those it asks for (None: all of the question), `carried` the values in its path
    and body. With a `body` it is a POST, and what `query` holds goes into the body.
    """

    path: str
    query: tuple[tuple[str, Any], ...]
    keys: frozenset[Any] | None
    carried: Mapping[str, Any]
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One access path with the conditions that it and its filters apply.

    `per_call`: how many keys one call takes; 0 where keys are not sent at all.
    """

    access: AccessPath
    rows: str
    in_path: Mapping[str, Condition]
    sent: tuple[Sent, ...]
    keys: str
    per_call: int

    @property
    def is_bound(self) -> bool:
        """Tells whether it asks for certain rows only; else it is a scan."""
        return bool(self.in_path) or any(one.condition.operator == "EQ" for one in self.sent)

    def cost(self, key_count: int) -> tuple[bool, int, int]:
        """Returns what orders routes: keys sent before not, few calls, many columns bound."""
        calls = math.ceil(key_count / self.per_call) if self.per_call else 1
        return (bool(key_count) and not self.per_call, calls, -len(self.in_path))

    def calls(self, keys: Sequence[Any], params: Mapping[str, Any]) -> Iterator[Call]:
        """Yields the calls that ask for some keys; keys that no URL can carry have no rows."""
        if not self.per_call:
            call = self._call(None, params)
            if call is not None:
                yield call
            return
        for at in range(0, len(keys), self.per_call):
            call = self._call(keys[at : at + self.per_call], params)
            if call is not None:
                yield call

    def _call(self, keys: Sequence[Any] | None, params: Mapping[str, Any]) -> Call | None:
        try:
            return self._bound(keys, params)
        except ValueError:
            return None

    def _bound(self, keys: Sequence[Any] | None, params: Mapping[str, Any]) -> Call:
        """Returns the call for some keys; raises ValueError for values that it cannot carry."""
        access = self.access
        lists = access.placeholders(lists=True)
        carried: dict[str, Any] = {}
        in_body: dict[str, Any] = {}
        for column, condition in self.in_path.items():
            values = keys if condition.keys and keys else [condition.asked(params)]
            if column in lists:
                in_body[column] = _sendable(values)
                continue
            carried[column] = values[0]
            if carried[column] is None:
                raise ValueError("NULL equals nothing")
            in_body[column] = json_value(carried[column]) if access.post else None
        query: list[tuple[str, Any]] = []
        for one in self.sent:
            values = (keys or ()) if one.condition.keys else [one.condition.asked(params)]
            query += _parameters(one, values, is_body=bool(access.post))
        path = _PART.sub(lambda part: _segment(carried[part[1]]), access.target)
        body = bound(access.body, in_body) if access.post else None
        return Call(path, tuple(query), None if keys is None else frozenset(keys), carried, body)


def routes(
    declared: RestTable, conditions: Sequence[Condition], keysets: tuple[str, ...]
) -> tuple[Route, ...]:
    """Returns every access path whose `{columns}` are all bound, with its filters."""
    equal = {c.column: c for c in reversed(conditions) if c.operator == "EQ"}
    found = []
    for access in declared.get:
        if any(column not in equal for column in access.columns):
            continue
        in_path = {column: equal[column] for column in access.columns}
        keys = {c.keys for c in in_path.values() if c.keys}
        if len(keys) > 1 or sum(bool(c.keys) for c in in_path.values()) > 1:
            continue
        name = next(iter(keys), "")
        per_call = 1 if name else 0
        if any(in_path[column].keys for column in access.placeholders(lists=True)):
            per_call = access.max or _BATCH
        sent: list[Sent] = []
        for condition in conditions:
            offered = declared.filters.get(condition.column)
            if offered is None or condition.column in in_path or (condition.keys and name):
                continue
            operator = _OPERATORS.get(condition.operator, "")
            many, one = offered.get("in"), offered.get(operator)  # type: ignore[call-overload]
            if condition.keys and many is not None:
                name, per_call = condition.keys, many.max or _BATCH
                sent.append(Sent(condition, many, is_list=True))
            elif condition.keys and one is not None:
                name, per_call = condition.keys, 1
                sent.append(Sent(condition, one, is_list=False))
            elif not condition.keys and one is not None:
                sent.append(Sent(condition, one, is_list=False))
            elif not condition.keys and operator == "eq" and many is not None:
                sent.append(Sent(condition, many, is_list=True))
        rows = declared.rows if access.rows is None else access.rows
        found.append(Route(access, rows, in_path, tuple(sent), name, per_call))
    return tuple(found)


def _parameters(sent: Sent, values: Sequence[Any], *, is_body: bool) -> Iterator[tuple[str, Any]]:
    """Yields what a filter sends; raises ValueError where no value can be sent."""
    if is_body:
        form = sent.filter.normal_form
        found = [_normal(v, form) if isinstance(v, str) else v for v in values]
        yield sent.filter.send, _sendable(found) if sent.is_list else _sendable(found)[0]
        return
    texts = [
        text
        for value in values
        if value is not None
        and (text := _normal(_text(value), sent.filter.normal_form)) is not None
        and _is_sendable(text, sent)
    ]
    if not texts:
        raise ValueError("nothing can be sent")
    if sent.is_list and sent.filter.separator:
        yield sent.filter.send, sent.filter.separator.join(texts)
    else:
        yield from ((sent.filter.send, text) for text in texts)


def _sendable(values: Sequence[Any]) -> list[Any]:
    """Returns the values that JSON can have; raises ValueError where there is none."""
    found = []
    for value in values:
        with suppress(ValueError):
            if value is not None:
                found.append(json_value(value))
    if not found:
        raise ValueError("nothing can be sent")
    return found


def _segment(value: Any) -> str:
    text = _text(value)
    if not _fits_segment(text):
        raise ValueError("it would be another path")
    return quote(text, safe="")


def normal_forms(route: Route) -> Mapping[str, str]:
    """Returns column -> normal form of the filters that a route sends."""
    return {s.condition.column: s.filter.normal_form for s in route.sent if s.filter.normal_form}


def normal(value: Any, form: str) -> Any:
    """Returns a value in a normal form for comparison, itself where it has none."""
    return _normal(value, form) if isinstance(value, str) else value


def _normal(text: str, form: str) -> str | None:
    if not form:
        return text
    if form == "lower":
        return text.lower()
    if form == "upper":
        return text.upper()
    return normalizers.normalize(form, text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def _fits_segment(text: str) -> bool:
    """Tells whether a value can stand in a path without becoming another path.

    An empty segment and dot segments change the path even when they are percent-encoded
    (RFC 3986, 6.2.2), and NUL ends it for some servers.
    """
    parts = re.split(r"[/\\]", text)
    return bool(text) and _is_text(text) and not any(part in (".", "..") for part in parts)


def _is_sendable(text: str, sent: Sent) -> bool:
    separator = sent.filter.separator
    is_one = not sent.is_list or not separator or separator not in text
    return _is_text(text) and is_one


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
