"""Decides by which keys a branch is asked, and collects the fragments of one plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from roundview_catalog.errors import RequestError
from roundview_federation.connectors.port import Capabilities, Connector
from roundview_federation.plan import Arrival, Handover, KeySet, Section
from roundview_federation.rewrite.arrive import hand_over
from roundview_federation.rewrite.bounds import Bound, below, bounds
from roundview_federation.rewrite.fold import folded, never_by_row
from roundview_federation.rewrite.narrow import Names, Narrowed, Verdicts
from roundview_federation.rewrite.push import FragmentDraft, Pushed, push
from roundview_federation.rewrite.sealing import Opening, key_space
from roundview_federation.rewrite.unfold import Unfolded, unfold_above
from roundview_federation.rewrite.verdict import Keyed, Turned


@dataclass(slots=True)
class Drafts:
    """Collects the fragments of one plan, what waits for them, and what becomes of their rows."""

    sources: frozenset[str] | None
    fragments: dict[str, FragmentDraft] = field(default_factory=dict)
    arrivals: dict[str, list[Callable[[], Arrival]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    handovers: dict[str, list[Callable[[], Handover]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    keysets: dict[str, KeySet] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    pruned: list[str] = field(default_factory=list)
    names: Names = field(default_factory=dict)
    turned: list[tuple[Turned, ...]] = field(default_factory=list)
    """the conditions on each branch that values narrow, in the order of the plan"""
    verdicts: list[Verdicts] = field(default_factory=list)


def ways(
    unfolded: Unfolded,
    section: Section,
    connectors: Mapping[str, Connector],
    drafts: Drafts,
    narrowed: Narrowed,
) -> Iterator[tuple[Bound | None, KeySet | None]]:
    """Yields each way to the rows: by person, by values, by the keys of rows above, by a scan."""
    capabilities = connectors[unfolded.source.name].capabilities
    if unfolded.above is None and section.lookup:
        for bound in bounds(unfolded):
            yield bound, _keys_of_persons(bound, section.lookup, unfolded, drafts)
        return
    for keyed in narrowed.keys if not section.lookup else ():
        if _answers(keyed, unfolded, connectors):
            yield keyed.bound, _keys_of_values(keyed, unfolded, drafts)
            return
    if unfolded.above is None:
        yield None, None
        return
    above = unfold_above(unfolded)
    for way, keys in ways(above, section, connectors, drafts, Narrowed()):
        pushed = push(
            above, way, capabilities, drafts.fragments, keyset=keys, row_cap=section.row_cap
        )
        bound = below(unfolded, way)
        yield bound, _keys_above(above, pushed, bound, section.lookup, drafts)


def fold_up(
    unfolded: Unfolded,
    narrowed: Narrowed,
    section: Section,
    capabilities: Capabilities,
    drafts: Drafts,
) -> bool:
    """Has a branch send folded rows, where that is wanted and it may; tells whether it does."""
    fold = section.fold
    branch = unfolded.branch
    if fold is None or (branch.id, unfolded.slot) not in fold.branches or narrowed.keys:
        return False
    alone: dict[str, FragmentDraft] = {}
    pushed = push(
        unfolded,
        None,
        capabilities,
        alone,
        conditions=tuple(narrowed.conditions),
        params=tuple(narrowed.constants),
        row_cap=section.row_cap,
    )
    draft = pushed.draft
    if not folded(unfolded, pushed, fold):
        return False
    draft.id = f"f{len(drafts.fragments)}"
    drafts.fragments[f"folded {branch.id} {unfolded.slot}"] = draft
    drafts.arrivals[draft.id].append(partial(never_by_row, section.name, unfolded, pushed))
    return True


def _answers(keyed: Keyed, unfolded: Unfolded, connectors: Mapping[str, Connector]) -> bool:
    """Tells whether a source can be asked so; an API only by what its catalog declares."""
    connector = connectors[unfolded.source.name]
    if connector.capabilities.dialect:
        return True
    drafts = Drafts(None)
    keys = _keys_of_values(keyed, unfolded, drafts)
    pushed = push(unfolded, keyed.bound, connector.capabilities, drafts.fragments, keyset=keys)
    try:
        connector.compile(pushed.draft.fragment())
    except RequestError:
        return False
    return True


def _keys_of_values(keyed: Keyed, unfolded: Unfolded, drafts: Drafts) -> KeySet:
    bound = keyed.bound
    kinds = (type_.kind.value for type_ in bound.types)
    keyset = KeySet(
        name=_name(keyed.param, unfolded.source.name, *kinds, *bound.prefixes),
        source=unfolded.source.name,
        branch="",
        types=bound.types,
        prefixes=bound.prefixes,
        param=keyed.param,
        is_record_key=keyed.is_record_key,
    )
    return _known(keyset, drafts)


def _keys_of_persons(bound: Bound, lookup: str, unfolded: Unfolded, drafts: Drafts) -> KeySet:
    source, sealing = unfolded.source.name, unfolded.sealing
    opened = None
    if bound.is_sealed and sealing is not None:
        opened = Opening(sealing, key_space(source, bound.branch))
    keyset = KeySet(
        name=_name(
            lookup, source, bound.branch, *(t.kind.value for t in bound.types), *bound.prefixes
        ),
        source=source,
        branch=bound.branch,
        types=bound.types,
        prefixes=bound.prefixes,
        lookup=lookup,
        opened=opened,
    )
    return _known(keyset, drafts)


def _keys_above(
    above: Unfolded, pushed: Pushed, bound: Bound, lookup: str, drafts: Drafts
) -> KeySet:
    """Returns the key set that the rows above fill, and has them hand their keys over."""
    draft = pushed.draft
    at = draft.column(above.branch.key[0], above.branch.key_types[0])
    keyset = KeySet(
        name=_name(draft.id, str(at), bound.types[0].kind.value, bound.prefixes[0]),
        source=draft.source,
        branch=bound.branch,
        types=bound.types,
        prefixes=bound.prefixes,
        lookup=lookup,
        fragment=draft.id,
        column=at,
    )
    count = len(drafts.keysets)
    keyset = _known(keyset, drafts)
    if len(drafts.keysets) > count:
        drafts.handovers[draft.id].append(hand_over(above, pushed, keyset))
    return keyset


def _known(keyset: KeySet, drafts: Drafts) -> KeySet:
    """Returns the equal key set that the plan has already, or adds this one.

    Two that differ only where names have no letters (prefixes `x:` and `x/`) stay two.
    """
    name = keyset.name
    while (known := drafts.keysets.setdefault(keyset.name, keyset)) is not keyset:
        if replace(known, name=name) == replace(keyset, name=name):
            return known
        keyset = replace(keyset, name=f"{keyset.name}_")
    return keyset


def _name(*parts: str) -> str:
    name = "_".join(part for part in parts if part)
    return "".join(c if c.isalnum() else "_" for c in name)
