"""Decides how the cross-reference reads as a table: whose record each one is, keys opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from sqlglot import exp

from roundview_catalog.errors import EngineError
from roundview_catalog.model import Catalog
from roundview_federation.bridge.domains import Conditions, NothingError, add_constraint, key_rows
from roundview_federation.bridge.reading import Wanted
from roundview_federation.connectors.port import Capabilities
from roundview_federation.key_sets import keyset_of
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.sealing import KeySealing, key_space
from roundview_federation.rewrite.source_keys import split_key
from roundview_identity.links import Link, links_after, links_of_customers, links_of_keys
from roundview_identity.store import Xref

_NOTHING_ELSE: Final = Capabilities(dialect="", filters=frozenset())


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a catalog's records; `sealed` are the branches whose keys are encrypted."""

    xref: Xref
    sealing: KeySealing | None
    sealed: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, catalog: Catalog, xref: Xref, sealing: KeySealing | None) -> Links:
        """Returns the links as a catalog reads their keys."""
        people = catalog.branches("individual")
        sealed = frozenset((one.source, one.name) for one in people if one.is_sealed)
        return cls(xref, sealing, sealed)

    def opened(self, link: Link) -> str:
        """Returns the key of a link's record as the source's own columns make it."""
        branch, key = split_key(link.source_key)
        if (link.source, branch) not in self.sealed or self.sealing is None:
            return link.source_key
        text = self.sealing.opened(key, key_space(link.source, branch))
        if text is None:
            return link.source_key
        return f"{branch}:{text}" if branch else text

    def stored(self, keys: Sequence[str], sources: frozenset[str] | None) -> list[str]:
        """Returns what keys of some sources (None: all) may be in the store."""
        found = dict.fromkeys(keys)
        for source, branch in self.sealed:
            if self.sealing is None or (sources is not None and source not in sources):
                continue
            prefix = f"{branch}:" if branch else ""
            for key in keys:
                if key.startswith(prefix):
                    text = key.removeprefix(prefix)
                    sealed = self.sealing.sealed(text, key_space(source, branch))
                    found[prefix + sealed] = None
        return list(found)


async def xref_batches(
    wanted: Wanted, links: Links, deadline: Deadline
) -> AsyncGenerator[pa.RecordBatch, None]:
    """Yields the wanted columns of the links that a split stands for.

    Raises NothingError where none can match, EngineError RV502 at the deadline.
    """
    known, keys = _known(wanted)
    pieces = _pieces(links, known)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield await asyncio.to_thread(_batch, piece, wanted, links, known, keys)
        if not deadline.left:
            raise EngineError("the cross-reference was not read in time", code="RV502")


def _known(wanted: Wanted) -> tuple[dict[str, frozenset[str]], frozenset[tuple[str, ...]]]:
    """Returns what is known of each column, and the keys as rows of the key columns."""
    columns = wanted.table.columns
    conditions = Conditions()
    add_constraint(conditions, wanted.constraint, columns, _NOTHING_ELSE)
    known: dict[str, frozenset[str]] = {}

    def narrow(name: str, values: frozenset[str]) -> None:
        known[name] = known.get(name, values) & values

    for conjunct in conditions.conjuncts:
        if not isinstance(conjunct, exp.EQ):
            continue
        keyset = keyset_of(conjunct)
        if keyset is not None:
            narrow(keyset[0].name, frozenset(conditions.values[keyset[1]]))
        else:
            narrow(conjunct.this.name, frozenset({conditions.values[conjunct.expression.name]}))
    keys: frozenset[tuple[str, ...]] = frozenset()
    if wanted.key_columns:
        keys = frozenset(key_rows([columns[name] for name in wanted.key_columns], wanted.keys))
        for at, name in enumerate(wanted.key_columns):
            narrow(name, frozenset(key[at] for key in keys))
    if not all(known.values()):
        raise NothingError
    return known, keys


def _pieces(links: Links, known: Mapping[str, frozenset[str]]) -> Iterator[list[Link]]:
    sources = known.get("source")
    source = next(iter(sources)) if sources is not None and len(sources) == 1 else None
    customers, keys = known.get("customer_id"), known.get("source_key")
    if customers is not None:
        yield links_of_customers(links.xref, sorted(customers), source)
    elif keys is not None:
        yield links_of_keys(links.xref, links.stored(sorted(keys), sources), source)
    else:
        after: int | None = 0
        while after is not None:
            piece, after = links_after(links.xref, after, source)
            yield piece


def _batch(
    piece: Sequence[Link],
    wanted: Wanted,
    links: Links,
    known: Mapping[str, frozenset[str]],
    keys: frozenset[tuple[str, ...]],
) -> pa.RecordBatch:
    columns = {
        "source": [link.source for link in piece],
        "source_key": [links.opened(link) for link in piece],
        "customer_id": [link.customer_id for link in piece],
        "link_state": ["provisional" if link.is_provisional else "linked" for link in piece],
    }
    keep = [True] * len(piece)
    for name, values in known.items():
        keep = [so_far and one in values for so_far, one in zip(keep, columns[name], strict=True)]
    if len(wanted.key_columns) > 1:
        rows = zip(*(columns[name] for name in wanted.key_columns), strict=True)
        keep = [so_far and row in keys for so_far, row in zip(keep, rows, strict=True)]
    # A table of no columns has no rows: what is counted are the rows of one that is not shown.
    names = wanted.columns or ("source",)
    batch = pa.record_batch({name: pa.array(columns[name], pa.string()) for name in names})
    if not all(keep):
        batch = batch.filter(pa.array(keep, pa.bool_()))
    return batch.select(list(wanted.columns))
