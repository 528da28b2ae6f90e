"""Decides which of PostgreSQL's errors a failed statement of DuckDB is."""

from __future__ import annotations

import re

from roundview_catalog.errors import EngineError, RequestError, RoundviewError
from roundview_federation.dialect.refusal import (
    ARGUMENT,
    CARDINALITY,
    DIVISION,
    GROUPING,
    RANGE,
    TEXT,
    TIME_RANGE,
    TOO_LARGE,
    UNSUPPORTED,
)
from roundview_federation.dialect.values import FAILURE

_OWN = re.compile(re.escape(FAILURE) + r"([0-9A-Z]{5})")
_MEANINGS = {
    "22003": (RANGE, "a number is out of range"),
    "22012": (DIVISION, "division by zero"),
    "22P02": (TEXT, "a text is not a value of the type it is cast to"),
    "22008": (TIME_RANGE, "a date or time is out of range"),
    "21000": (CARDINALITY, "a subquery returned more than one row"),
    "22011": (ARGUMENT, "substring has a negative length"),
    "22023": (ARGUMENT, "an argument is out of its range"),
    "2201E": (ARGUMENT, "a logarithm needs a positive number"),
    "2201F": (ARGUMENT, "a root needs a number that is not negative"),
    "54000": (TOO_LARGE, "a text would be too long"),
    "0A000": (UNSUPPORTED, "a value is beyond what is computed exactly here"),
    "42803": (GROUPING, "a column must be in GROUP BY or inside an aggregate"),
}
# What DuckDB's own texts start with or hold, in order.
_SIGNS = (
    ("More than one row returned by a subquery", "21000"),
    ("Division by zero", "22012"),
    ("must appear in the GROUP BY", "42803"),
    ("must appear in the group by", "42803"),
    ("INT128", "0A000"),
    ("HUGEINT", "0A000"),
    ("DECIMAL(38", "0A000"),
    ("Overflow in", "22003"),
    ("out of range for the destination", "22003"),
    ("value is out of range", "22003"),
    ("Date out of range", "22008"),
    ("timestamp", "22008"),
    ("Timestamp", "22008"),
    ("interval", "22008"),
    ("Could not convert string", "22P02"),
    ("Overflow", "22003"),
    ("Out of Range", "22003"),
    ("Conversion Error", "22003"),
)


def failure(error: Exception) -> RoundviewError:
    """Returns the error that a DuckDB exception means, without the values that its text has."""
    text = str(error)
    own = _OWN.search(text)
    if own is not None:
        return _error(own.group(1))
    kind = type(error).__name__
    if kind in (
        "OutOfRangeException",
        "ConversionException",
        "InvalidInputException",
        "BinderException",
    ):
        for sign, sqlstate in _SIGNS:
            if sign in text:
                return _error(sqlstate)
    if kind == "BinderException":
        return _error("0A000")
    return EngineError("the engine could not finish the question")


def _error(sqlstate: str) -> RequestError:
    code, message = _MEANINGS.get(sqlstate, (UNSUPPORTED, "this is not supported"))
    return RequestError(message, code=code, extensions={"sqlstate": sqlstate})
