"""Decides the rows of relations that are about the sources: no record is read for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.snapshot import Snapshot
from roundview_federation.sql.freshness import newest_rows

SOURCES, FRESHNESS = "sources", "data_freshness"
OWN = frozenset({SOURCES, FRESHNESS})

_NEWEST = "newest_row_at"


async def own_rows(
    relation: str,
    columns: Collection[str],
    snapshot: Snapshot,
    decision: Decision,
    deadline: Deadline,
    clock: Callable[[], datetime],
) -> list[Mapping[str, Any]]:
    """Returns the rows about the sources of which the asker may see an entity, by column.

    For `data_freshness` every source proves itself, and is asked for its newest times where
    `columns` has them; none is asked for `sources`.
    """
    known = snapshot.catalog.sources
    entities = {
        name: sorted({one.entity for one in source.branches if one.entity in decision.fields})
        for name, source in known.items()
    }
    if relation == SOURCES:
        return [
            {
                "name": name,
                "title": source.title,
                "system": source.system,
                "instance": source.instance,
                "connector": source.connector,
                "owner": source.owner,
                "entities": ", ".join(entities[name]),
            }
            for name, source in known.items()
            if entities[name]
        ]
    newest: Mapping[tuple[str, str], datetime] = {}
    if _NEWEST in columns:
        newest = await newest_rows(snapshot, decision, deadline)
    rows: list[Mapping[str, Any]] = []
    for state in await snapshot.states():
        freshness = known[state.name].freshness
        shared = {
            "source": state.name,
            "title": state.title,
            "status": state.state,
            "detail": state.detail,
            "checked_at": clock(),
            "warn_after_seconds": None if freshness is None else int(freshness[1]),
        }
        for entity in entities[state.name]:
            time = newest.get((state.name, entity))
            rows.append({**shared, "relation": entity, _NEWEST: time})
    return rows
