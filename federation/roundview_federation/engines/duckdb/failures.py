"""Decides which error a question gets when the engine cannot finish it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from roundview_catalog.errors import EngineError, RoundviewError
from roundview_federation.engines.failures import meant, too_late

_MEMORY: Final = "RV503"
_INTERRUPTED: Final = "RV502"


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


def busy() -> EngineError:
    """Returns the error of a question that found no free worker."""
    return EngineError(
        "the engine is busy with other questions",
        code="RV501",
        hint="try again in a moment, or give the engine more workers",
        retryable=True,
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
