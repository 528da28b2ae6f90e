"""Decides how values stand in the JSON of a POST: bound as values, never pasted into text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from roundview_catalog.tables import placeholder

_LARGEST: Final = 2**63


def bound(body: Any, values: Mapping[str, Any]) -> Any:
    """Returns a declared body with each `{column}` replaced by its value.

    A list of one such text becomes the list that is the value.

    >>> bound({"ids": ["{id}"], "by": "{name}"}, {"id": [1, 2], "name": "x"})
    {'ids': [1, 2], 'by': 'x'}
    """
    if isinstance(body, Mapping):
        return {key: bound(value, values) for key, value in body.items()}
    if isinstance(body, list | tuple):
        if len(body) == 1 and placeholder(body[0]):
            return values[placeholder(body[0])]
        return [bound(value, values) for value in body]
    name = placeholder(body)
    return values[name] if name else body


def put(body: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Returns a body with a value at a path of names: `page.after`."""
    name, _, rest = path.partition(".")
    if not rest:
        return {**body, name: value}
    inner = body.get(name)
    return {**body, name: put(inner if isinstance(inner, Mapping) else {}, rest, value)}


def json_value(value: Any) -> Any:
    """Returns a value as JSON has it; raises ValueError for one that it cannot have."""
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value) or "\0" in value:
            raise ValueError("no text of JSON")
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal) and value.is_finite():
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise ValueError("no number of JSON")
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise ValueError("too large for most readers of JSON")
    return value
