"""Decides how a value is found in JSON: `a.b`, `list[0]`, `fields[name=phone].value`, `.`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

Get = Callable[[Any], Any]

_STEP: Final = re.compile(
    r"(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<key>[^=\]]+)=(?P<value>[^\]]*)\]"
)
_SEPARATOR: Final = re.compile(r"\.?")
_LATEST_EPOCH: Final = 253_402_300_799.0


def getter(path: str) -> Get:
    """Returns what finds the value of a path; what is not there is None.

    >>> getter("fields[name=phone].value")({"fields": [{"name": "phone", "value": "0123"}]})
    '0123'

    Raises ValueError for a path that is none.
    """
    steps = list(_steps(path))
    if not steps:
        return _itself
    if len(steps) == 1:
        return steps[0]

    def get(value: Any) -> Any:
        for step in steps:
            value = step(value)
            if value is None:
                return None
        return value

    return get


def root_of(path: str) -> str:
    """Returns the top name of a path, an empty text for the whole row."""
    match = _STEP.match(path)
    return (match["name"] or "") if match else ""


def reader(form: str) -> Get | None:
    """Returns what turns a value of a declared format into a time; None: nothing to do.

    Values that do not fit stay as they are: the type's own check counts them.
    """
    if form == "epoch_s":
        return lambda value: _moment(value, 1)
    if form == "epoch_ms":
        return lambda value: _moment(value, 1000)
    return None


def _steps(path: str) -> list[Get]:
    steps: list[Get] = []
    if path in ("", "."):
        return steps
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"{path} is not a path")
        if match["name"] is not None:
            steps.append(_named(match["name"]))
        elif match["index"] is not None:
            steps.append(_indexed(int(match["index"])))
        else:
            steps.append(_chosen(match["key"], match["value"]))
        at = match.end()
        separator = _SEPARATOR.match(path, at)
        at = separator.end() if separator else at
    return steps


def _itself(value: Any) -> Any:
    return value


def _named(name: str) -> Get:
    return lambda value: value.get(name) if value.__class__ is dict else None


def _indexed(index: int) -> Get:
    def get(value: Any) -> Any:
        return value[index] if isinstance(value, list) and index < len(value) else None

    return get


def _chosen(key: str, wanted: str) -> Get:
    def get(value: Any) -> Any:
        if not isinstance(value, list):
            return None
        for one in value:
            if isinstance(one, dict) and str(one.get(key)) == wanted:
                return one
        return None

    return get


def _moment(value: Any, divisor: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    try:
        seconds = float(value) / divisor
    except (TypeError, ValueError):
        return value
    if not -_LATEST_EPOCH < seconds < _LATEST_EPOCH:
        return value
    return datetime.fromtimestamp(seconds, UTC)
