"""Decides which column tells the age of an entity's rows in a source, and asks for its newest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlglot import exp

from roundview_catalog import coerce
from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Source, SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.plan import Fragment
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.snapshot import Snapshot

_ALIAS: Final = "t"
_CHANGED: Final = "source_updated_at"
_INSTANT: Final = Type(Kind.TIMESTAMPTZ)

Place = tuple[str, str, str, str]
"""A source, its table and column, and the zone of the times."""


async def newest_rows(
    snapshot: Snapshot, decision: Decision, deadline: Deadline
) -> dict[tuple[str, str], datetime]:
    """Returns the newest time of (source, entity), where a column tells it and the asker may see.

    That is the source's `freshness` column for entities of its table, and `source_updated_at`
    where an index leads to its largest value. Sources are asked at once, each for that value
    alone; what is late or fails is left out.
    """
    found: dict[tuple[str, str], set[Place]] = {}
    for source in snapshot.catalog.sources.values():
        for entity, place in _places(source, decision):
            # Rows that the asker may not see would tell their age too.
            if not decision.row_filters.get(entity):
                found.setdefault((source.name, entity), set()).add(place)
    places = list({place for some in found.values() for place in some})
    times = await asyncio.gather(*(_newest(snapshot, place, deadline) for place in places))
    known = dict(zip(places, times, strict=True))
    newest = {}
    for key, some in found.items():
        seen = [time for place in some if (time := known[place]) is not None]
        if seen:
            newest[key] = max(seen)
    return newest


def _places(source: Source, decision: Decision) -> Iterator[tuple[str, Place]]:
    """Yields which columns tell the age of which visible entities."""
    declared = source.freshness[0].partition(".") if source.freshness else ("", "", "")
    usual = source.defaults.time_zone
    for branch in source.branches:
        table = source.tables.get(branch.scan.args["from_"].this.name)
        visible = decision.fields.get(branch.entity)
        if table is None or visible is None:
            continue
        if table.name == declared[0]:
            zone = table.columns[declared[2]].time_zone or usual
            yield branch.entity, (source.name, table.name, declared[2], zone)
        if _CHANGED not in visible or (branch.entity, _CHANGED) in decision.masks:
            continue
        for fields in branch.slots.values():
            mapping = fields.get(_CHANGED)
            column = mapping.expr if mapping is not None else None
            if mapping is None or not isinstance(column, exp.Column):
                continue
            if branch.aliases.get(column.table) == table.name and _is_first(table, column.name):
                zone = mapping.time_zone or usual
                yield branch.entity, (source.name, table.name, column.name, zone)


def _is_first(table: SourceTable, column: str) -> bool:
    keys = (table.primary_key, *table.unique, *table.indexes)
    return any(key and key[0] == column for key in keys)


async def _newest(snapshot: Snapshot, place: Place, deadline: Deadline) -> datetime | None:
    name, table, column, zone = place
    source, connector = snapshot.catalog.sources[name], snapshot.connectors[name]
    if not connector.capabilities.dialect:
        # An API would send every row.
        return None
    type_ = source.tables[table].columns[column].type
    value = exp.column(exp.to_identifier(column, quoted=True), table=_ALIAS)
    largest = exp.alias_(exp.Max(this=value), "c0")
    tree = exp.select(largest).from_(exp.to_table(table).as_(_ALIAS))
    fragment = Fragment("newest", name, tree, (type_,), (), (), row_cap=1, is_scan=True)
    limit = deadline.sooner(source.limits.timeout)
    try:
        async with asyncio.timeout(limit.left):
            answer = await connector.rows(connector.compile(fragment), {}, limit)
        found = answer.rows[0][0] if answer.rows else None
        for step in (coerce.decoder(type_), coerce.converter(type_, _INSTANT, zone)):
            found = step(found) if step is not None else found
    except (SourceError, RequestError, TimeoutError, ValueError):
        return None
    return found if isinstance(found, datetime) else None
