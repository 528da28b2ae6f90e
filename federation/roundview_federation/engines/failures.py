"""Decides which error a question gets whose values or time no engine can answer it with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from roundview_catalog.errors import EngineError, RequestError, RoundviewError

_MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "22003": ("RV130", "a number is out of range"),
    "22012": ("RV131", "division by zero"),
    "22P02": ("RV132", "a text is not a value of the type it is cast to"),
    "22007": ("RV132", "a text is not a date or time"),
    "21000": ("RV133", "a subquery returned more than one row"),
    "22011": ("RV134", "substring has a negative length"),
    "22023": ("RV134", "an argument is out of its range"),
    "2201E": ("RV134", "a logarithm needs a positive number"),
    "2201F": ("RV134", "a root or power needs another number"),
    "22008": ("RV135", "a date or time is out of range"),
    "42803": ("RV126", "a column must be in GROUP BY or inside an aggregate"),
    "54000": ("RV127", "a text would be too long"),
    "0A000": ("RV103", "a value is beyond what is computed exactly here"),
}


def meant(state: str) -> RoundviewError:
    """Returns the error of a statement that failed with a SQLSTATE; none is the engine's fault."""
    if not state:
        return EngineError("the engine could not run what was made of the question")
    code, message = _MEANINGS.get(state, ("RV103", "this is not supported"))
    return RequestError(message, code=code, extensions={"sqlstate": state})


def too_late() -> EngineError:
    """Returns the error of a question that was stopped at its deadline."""
    return EngineError(
        "the question was stopped at its deadline",
        code="RV502",
        hint="ask for less, or allow more time",
    )
