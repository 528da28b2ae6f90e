"""Decides how errors are worded in answers: message, path and machine-readable extensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError

from roundview_catalog.errors import CODES, RoundviewError
from roundview_federation.result import Candidate, Withheld
from roundview_graphql.names import camel

MOST_ERRORS = 100
"""Errors of one answer; a source that fails below 200 parents need not say so 200 times."""

Problem = dict[str, Any]
_WITHHELD = "RV305"


def shown(error: RoundviewError, path: Sequence[str | int] | None = None) -> Problem:
    """Returns an error as answers show it.

    >>> from roundview_catalog.errors import SourceError
    >>> shown(SourceError("pos", "pos is late", code="RV401"), ["customer"])["extensions"]
    {'code': 'SOURCE_TIMEOUT', 'rv': 'RV401', 'retryable': True, 'source': 'pos'}
    """
    extensions: Problem = {
        "code": error.row.graphql,
        "rv": error.code,
        "retryable": error.retryable,
    }
    if error.hint:
        extensions["hint"] = error.hint
    for name, value in error.extensions.items():
        extensions[name] = _plain(value)
    problem: Problem = {"message": error.message, "extensions": extensions}
    if path is not None:
        problem["path"] = list(path)
    return problem


def shown_withheld(one: Withheld) -> Problem:
    """Returns what is withheld as answers say it; a `field` of null means whole rows."""
    row = CODES[_WITHHELD]
    why = "no consent is known" if one.is_known else "consents cannot be read"
    return {
        "code": row.graphql,
        "rv": row.code,
        "message": f"withheld for the purpose {one.purpose}: {why}",
        "entity": camel(one.entity),
        "field": camel(one.field) or None,
        "purpose": one.purpose,
        "customers": list(one.customers),
        "retryable": not one.is_known,
    }


def shown_mistake(error: GraphQLError) -> Problem:
    """Returns a mistake that validation found, with where in the document it is."""
    given = error.extensions or {}
    rv = str(given.get("rv", "RV100"))
    extensions: Problem = {"code": CODES[rv].graphql, "rv": rv, "retryable": False}
    if given.get("hint"):
        extensions["hint"] = given["hint"]
    problem: Problem = {"message": error.message, "extensions": extensions}
    if error.locations:
        problem["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return problem


def _plain(value: Any) -> Any:
    if isinstance(value, Candidate):
        return {"customerId": value.customer_id, "hint": value.hint}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
