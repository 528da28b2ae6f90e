"""Decides which error a question gets when Trino cannot answer it.

Trino's own texts hold names of hosts and pieces of statements: none of them is passed on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from roundview_catalog.errors import EngineError, RequestError, RoundviewError
from roundview_federation.dialect.trino_types import not_on_trino
from roundview_federation.engines.failures import meant, too_late

_OWN: Final = re.compile(r"\broundview:([0-9A-Z]{5})\b")
_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DIVISION_BY_ZERO": "22012",
        "NUMERIC_VALUE_OUT_OF_RANGE": "22003",
        "INVALID_CAST_ARGUMENT": "22P02",
        "INVALID_FUNCTION_ARGUMENT": "22023",
        "SUBQUERY_MULTIPLE_ROWS": "21000",
    }
)
_TOO_LONG: Final = ("Cannot cast DECIMAL", "ecimal overflow")
# What Trino's planner or analyser cannot do with a question that others can answer.
_OTHERS_CAN: Final = frozenset(
    {
        "NOT_SUPPORTED", "EXPRESSION_NOT_AGGREGATE", "EXPRESSION_NOT_SCALAR", "INVALID_ORDER_BY",
        "EXPRESSION_NOT_IN_DISTINCT", "INVALID_WINDOW_FRAME", "COMPILER_ERROR",
        "QUERY_TEXT_TOO_LARGE",
    }
)  # fmt: skip
# What the planner says of a plan of its own that is wrong.
_UNPLANNED: Final = "Invalid node"
_MISSING: Final = frozenset(
    {"CATALOG_NOT_FOUND", "SCHEMA_NOT_FOUND", "TABLE_NOT_FOUND", "COLUMN_NOT_FOUND"}
)
_LATE: Final = frozenset({"EXCEEDED_TIME_LIMIT", "EXCEEDED_CPU_LIMIT"})
_MEMORY: Final = frozenset(
    {"EXCEEDED_LOCAL_MEMORY_LIMIT", "EXCEEDED_GLOBAL_MEMORY_LIMIT", "CLUSTER_OUT_OF_MEMORY"}
)
_BUSY: Final = frozenset({"QUERY_QUEUE_FULL", "CLUSTER_HAS_TOO_MANY_RUNNING_QUERIES"})
_STARTING: Final = frozenset({"SERVER_STARTING_UP", "NO_NODES_AVAILABLE", "SERVER_SHUTTING_DOWN"})
_LOST: Final = frozenset({"ABANDONED_QUERY", "REMOTE_TASK_ERROR", "WORKER_RESTARTED"})


def reported(name: str, kind: str, text: str) -> RoundviewError:
    """Returns the error that a query of Trino failed with.

    Nothing of its text is kept, unless ROUNDVIEW_ENGINE_TELLS is set, as it is for who debugs.
    """
    error = _reported(name, kind, text)
    if os.environ.get("ROUNDVIEW_ENGINE_TELLS"):
        error.add_note(f"{name}: {text}")
    return error


def unreachable(message: str = "Trino cannot be reached") -> EngineError:
    """Returns the error of a Trino that does not answer, or not yet."""
    return EngineError(
        message,
        code="RV505",
        hint="check engines.trino in roundview.yaml, and whether Trino runs",
        retryable=True,
    )


def refused() -> EngineError:
    """Returns the error of a Trino that does not let us in."""
    return EngineError(
        "Trino refuses us",
        code="RV505",
        hint="check user and password of engines.trino in roundview.yaml",
    )


def _reported(name: str, kind: str, text: str) -> RoundviewError:
    own = _OWN.search(text) if name == "GENERIC_USER_ERROR" else None
    if own is not None:
        return _marked(own[1])
    if name in _STATES and any(sign in text for sign in _TOO_LONG):
        # PostgreSQL's numeric has no end where Trino's overflows.
        return not_on_trino("a number has more digits than Trino keeps")
    if name in _STATES:
        return meant(_STATES[name])
    if name in _OTHERS_CAN or (name == "GENERIC_INTERNAL_ERROR" and _UNPLANNED in text):
        return not_on_trino("Trino cannot plan it")
    if name in _LATE:
        return too_late()
    if name in _MEMORY:
        return EngineError(
            "the question needs more memory than Trino gives it",
            code="RV503",
            hint="ask for less (fewer rows or columns, a LIMIT), or give Trino more memory",
        )
    if name in _BUSY:
        return EngineError(
            "Trino has no place for another question",
            code="RV501",
            hint="try again in a moment, or let its resource group queue more",
            retryable=True,
        )
    if name in _STARTING:
        return unreachable("Trino is starting or has no workers")
    if name in _LOST:
        return unreachable("Trino lost the question")
    if name in _MISSING:
        return EngineError(
            "Trino does not have what the catalog says of a source",
            code="RV506",
            hint="roundview trino catalogs writes its catalogs; roundview check --live compares",
        )
    if kind == "EXTERNAL" or name == "CATALOG_NOT_AVAILABLE":
        return EngineError(
            "Trino could not read a source of the question",
            code="RV506",
            hint="roundview sources says which of them answer; read what Trino has logged",
            retryable=True,
        )
    error = EngineError("Trino could not run what was made of the question")
    error.extensions["kind"] = name
    return error


def _marked(state: str) -> RoundviewError:
    if state == "RV105":
        return RequestError(
            "a value of a source is not what the catalog says",
            code="RV105",
            hint="roundview check --live names the columns",
        )
    if state == "0A000":
        return not_on_trino("a value is beyond what Trino computes alike")
    return meant(state)
