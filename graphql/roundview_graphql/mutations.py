"""Decides how a mutation is answered: its reveals one after the other, each with its record."""

from __future__ import annotations

from inspect import isawaitable
from typing import Any

from graphql import GraphQLResolveInfo, execute

from roundview_catalog.errors import InternalError, RoundviewError
from roundview_federation.plan import Identifier
from roundview_federation.request import Request
from roundview_federation.reveal import Revealed, Runs, place_of, reveal
from roundview_graphql.failures import Problem, shown
from roundview_graphql.operations import Ready
from roundview_graphql.scalars import as_text
from roundview_graphql.schema import DoorSchema


async def reveal_over(
    door: DoorSchema, ready: Ready, request: Request, federation: Runs
) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Returns data and errors of a mutation; whoever may not reveal gets null and an error."""
    reveals = _Reveals(door, request, federation)
    started = execute(
        door.schema,
        ready.document,
        variable_values=dict(ready.variables),
        operation_name=ready.operation_name,
        field_resolver=reveals.resolve,
    )
    done = await started if isawaitable(started) else started
    problems = []
    for error in done.errors or ():
        cause = error.original_error
        known = cause if isinstance(cause, RoundviewError) else InternalError("a reveal broke")
        problems.append(shown(known, error.path))
    return done.data, problems


class _Reveals:
    def __init__(self, door: DoorSchema, request: Request, federation: Runs) -> None:
        self._words = door.words
        self._request = request
        self._federation = federation

    def resolve(self, parent: Any, info: GraphQLResolveInfo[Any], **given: Any) -> Any:
        """Resolves one field: the root's by revealing, those below by what came of it."""
        if parent is None:
            return self._reveal(given["by"], given["field"], given["reason"])
        return parent[info.field_name]

    async def _reveal(self, by: dict[str, str], field: str, reason: str) -> dict[str, Any] | None:
        ((name, value),) = by.items()
        identifier = Identifier(self._words.identifiers[name], value)
        request = Request(
            self._request.principal, self._request.purpose, reason=reason or self._request.reason
        )
        revealed = await reveal(self._federation, identifier, place_of(field), request)
        return None if revealed is None else _shown(revealed, field)


def _shown(revealed: Revealed, field: str) -> dict[str, Any]:
    return {
        "customerId": revealed.customer_id,
        "field": field,
        "values": [
            {
                "source": one.source,
                "sourceKey": one.source_key,
                "slot": one.slot,
                "value": as_text(one.value),
            }
            for one in revealed.values
        ],
        "expiresAt": revealed.expires_at,
        "complete": not revealed.missing,
        "missingSources": list(revealed.missing),
    }
