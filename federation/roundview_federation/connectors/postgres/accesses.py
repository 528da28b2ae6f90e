"""Decides what PostgreSQL's own plan of a statement says of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import orjson

from roundview_federation.connectors.port import Access
from roundview_federation.connectors.postgres.sessions import read_only

_EXPLAIN: Final = "EXPLAIN (FORMAT JSON, COSTS OFF) "
_AVOID_SCANS: Final = "SET LOCAL enable_seqscan = off"
_BITMAP: Final = "Bitmap Heap Scan"
_INDEXED: Final = ("Index Scan", "Index Only Scan")


async def read_accesses(
    connection: asyncpg.Connection[Any], text: str, bound: Sequence[Any]
) -> tuple[Access, ...]:
    """Returns how each table of a statement would be read.

    A small table is read whole though it has an index: the plan without scans names that one.
    """
    accesses = await _planned(connection, text, bound)
    if not any(access.is_scan for access in accesses):
        return accesses
    async with read_only(connection):
        await connection.execute(_AVOID_SCANS)
        able = await _planned(connection, text, bound)
    indexes = {access.alias: access.index for access in able if not access.is_scan}
    return tuple(
        Access(one.alias, indexes.get(one.alias, ""), is_scan=True) if one.is_scan else one
        for one in accesses
    )


async def _planned(
    connection: asyncpg.Connection[Any], text: str, bound: Sequence[Any]
) -> tuple[Access, ...]:
    plan = orjson.loads(await connection.fetchval(_EXPLAIN + text, *bound))
    return tuple(dict.fromkeys(_accesses(plan[0]["Plan"])))


def _accesses(node: Mapping[str, Any]) -> Iterator[Access]:
    below = node.get("Plans", ())
    kind, alias = node["Node Type"], node.get("Alias", "")
    if kind == _BITMAP:
        yield Access(alias, ", ".join(dict.fromkeys(_index_names(node))))
        below = [one for one in below if _is_apart(one)]
    elif kind in _INDEXED:
        # Without a condition every entry of the index is read.
        is_whole = "Index Cond" not in node
        yield Access(alias, "" if is_whole else node["Index Name"], is_scan=is_whole)
    elif node.get("Relation Name"):
        yield Access(alias, "", is_scan=True)
    for one in below:
        yield from _accesses(one)


def _index_names(node: Mapping[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    for one in node.get("Plans", ()):
        if not _is_apart(one):
            yield from _index_names(one)


def _is_apart(node: Mapping[str, Any]) -> bool:
    """Tells whether a node is of a sub-select, which reads tables of its own."""
    return node.get("Parent Relationship") in ("SubPlan", "InitPlan")
