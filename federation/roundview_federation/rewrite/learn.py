"""Finds out ahead of the first question what is the same for all: what fields are made of."""

from __future__ import annotations

from collections.abc import Mapping

from roundview_catalog.model import Catalog
from roundview_federation.connectors.port import Capabilities
from roundview_federation.rewrite.arrive import arrive
from roundview_federation.rewrite.push import push
from roundview_federation.rewrite.sealing import KeySealing
from roundview_federation.rewrite.unfold import Asked, KnownRows, unfold


def learn(
    catalog: Catalog,
    capabilities: Mapping[str, Capabilities],
    known: KnownRows,
    sealing: KeySealing | None = None,
) -> None:
    """Adds to `known` what rows of every branch and their fields are made of.

    `capabilities` are those of the sources. A dozen microseconds for each field.
    """
    everything = Asked({}, None, None)
    for entity in catalog.canonical.entities.values():
        names = tuple(entity.types)
        for branch in catalog.branches(entity.name):
            able = capabilities[branch.source]
            for unfolded in unfold(
                everything, branch, catalog, names, joins=able.joins, sealing=sealing, known=known
            ):
                if unfolded.children or unfolded.branch.lists:
                    continue
                pushed = push(unfolded, None, able, {}, row_cap=1)
                for is_scan in (True, False):
                    pushed.draft.is_scan = is_scan
                    arrive(unfolded, pushed, "")
