"""Decides the rows of relations that are about the sources: no row of a source is read for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from roundview_federation.request import Decision
from roundview_federation.snapshot import Snapshot

SOURCES, FRESHNESS = "sources", "data_freshness"
OWN = frozenset({SOURCES, FRESHNESS})


async def own_rows(
    relation: str, snapshot: Snapshot, decision: Decision, clock: Callable[[], datetime]
) -> list[Mapping[str, Any]]:
    """Returns the rows about the sources of which the asker may see an entity, by column.

    For `data_freshness` every source proves itself; none is asked for `sources`.
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
    rows: list[Mapping[str, Any]] = []
    for state in await snapshot.states():
        freshness = known[state.name].freshness
        if entities[state.name]:
            row = {
                "source": state.name,
                "title": state.title,
                "status": state.state,
                "detail": state.detail,
                "checked_at": clock(),
                "warn_after_seconds": None if freshness is None else int(freshness[1]),
            }
            rows.append(row)
    return rows
