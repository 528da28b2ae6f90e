"""Decides which error a question gets when the engine cannot finish it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from roundview_catalog.errors import EngineError, RequestError, RoundviewError

_MEMORY: Final = "RV503"
_INTERRUPTED: Final = "RV502"
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


def reported(told: Mapping[str, Any], total_bytes: int) -> RoundviewError:
    """Returns the error that a worker reported."""
    bound = told.get("bound")
    if bound == _MEMORY:
        return out_of_memory(total_bytes)
    error = too_late() if bound == _INTERRUPTED else meant(str(told.get("state") or ""))
    if isinstance(error, EngineError) and bound != _INTERRUPTED:
        error.extensions["kind"] = str(told.get("class"))
    if "text" in told:
        error.add_note(str(told["text"]))
    return error


def meant(state: str) -> RoundviewError:
    """Returns the error of a statement that failed with a SQLSTATE; none is the engine's fault."""
    if not state:
        return EngineError("the engine could not run what was made of the question")
    code, message = _MEANINGS.get(state, ("RV103", "this is not supported"))
    return RequestError(message, code=code, extensions={"sqlstate": state})


def busy() -> EngineError:
    """Returns the error of a question that found no free worker."""
    return EngineError(
        "the engine is busy with other questions",
        code="RV501",
        hint="try again in a moment, or give the engine more workers",
        retryable=True,
    )


def too_late() -> EngineError:
    """Returns the error of a question that was stopped at its deadline."""
    return EngineError(
        "the question was stopped at its deadline",
        code="RV502",
        hint="ask for less, or allow more time",
    )


def out_of_memory(total_bytes: int) -> EngineError:
    """Returns the error of a question that needs more memory than a worker has."""
    return EngineError(
        f"the question needs more memory than {total_bytes // 2**20} MiB",
        code="RV503",
        hint="ask for less (fewer rows or columns, a LIMIT), or give the engine more memory",
    )


def too_large(result_bytes: int) -> EngineError:
    """Returns the error of a result that is too large to be held at once."""
    return EngineError(
        f"an intermediate result is larger than {result_bytes // 2**20} MiB",
        code="RV503",
        hint="ask for less (fewer rows or columns)",
    )


def lost() -> EngineError:
    """Returns the error of a question whose worker ended."""
    return EngineError(
        "the process that finished the question ended",
        code="RV504",
        hint="try again; a question that needs too much memory ends like this too",
        retryable=True,
    )


def cannot_start() -> EngineError:
    """Returns the error of an engine whose workers do not start."""
    return EngineError(
        "no process of the engine can be started",
        code="RV504",
        hint="is the machine out of memory or processes?",
        retryable=True,
    )
