"""Decides how the dialect says no: which code, which SQLSTATE, at which place of the text."""

from __future__ import annotations

from sqlglot import exp

from roundview_catalog.errors import RequestError

SYNTAX = "RV120"
RELATION = "RV121"
COLUMN = "RV122"
FUNCTION = "RV123"
AMBIGUOUS = "RV124"
TYPES = "RV125"
GROUPING = "RV126"
TOO_LARGE = "RV127"
TOO_DEEP = "RV128"
UNSUPPORTED = "RV103"
RANGE = "RV130"
DIVISION = "RV131"
TEXT = "RV132"
CARDINALITY = "RV133"
ARGUMENT = "RV134"
TIME_RANGE = "RV135"


def refuse(
    code: str,
    message: str,
    node: exp.Expr | int | None = None,
    *,
    hint: str = "",
    sqlstate: str | None = None,
) -> RequestError:
    """Returns the error to raise; `node` says where, as a tree or as a 0-based offset.

    `extensions["position"]` is the 1-based character of the text, left out where the tree did
    not come from a text; `extensions["sqlstate"]` is there where the code's own is not exact.
    """
    extensions: dict[str, object] = {}
    start = node if isinstance(node, int) else start_of(node)
    if start is not None:
        extensions["position"] = start + 1
    if sqlstate is not None:
        extensions["sqlstate"] = sqlstate
    return RequestError(message, code=code, hint=hint, extensions=extensions)


def unsupported(what: str, node: exp.Expr | int | None = None, hint: str = "") -> RequestError:
    """Returns the error for what PostgreSQL can do and Roundview does not."""
    return refuse(UNSUPPORTED, f"{what} is not supported", node, hint=hint)


def start_of(node: exp.Expr | None) -> int | None:
    """Returns the 0-based offset where a tree starts in the text it was parsed from."""
    if node is None:
        return None
    starts = [part.meta["start"] for part in node.walk() if part.meta_get("start") is not None]
    return min(starts, default=None)
