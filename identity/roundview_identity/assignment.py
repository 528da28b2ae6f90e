"""Decides which cluster keeps which customer id, so that ids outlive every rebuild."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Claim = tuple[int, bytes | None]
"""The cluster of a record, and the customer id that the record had."""


@dataclass(slots=True)
class Assignment:
    """Where ids went: the `owner` of each cluster, ids `merged` into another one, ids whose
    records were `split` over several, and ids `born`, in order."""

    owner: dict[int, bytes] = field(default_factory=dict)
    merged: dict[bytes, bytes] = field(default_factory=dict)
    split: list[bytes] = field(default_factory=list)
    born: list[bytes] = field(default_factory=list)


def carry_over(claims: Callable[[], Iterable[Claim]], new_id: Callable[[], bytes]) -> Assignment:
    """Gives every cluster an id; `claims()` iterates over one claim for each record.

    An id goes where most of its records are, on a tie to the cluster of the oldest record. A
    cluster that several ids claim keeps the oldest (UUIDv7 sorts by birth) and the others are
    merged into it. Clusters are named by their oldest record; the order of claims is free.
    """
    owner: dict[int, bytes | None] = {}
    home: dict[bytes, int] = {}
    # Nearly every id keeps one whole cluster for itself; only the others are counted.
    contested: set[bytes] = set()
    for root, had in claims():
        kept = owner.setdefault(root, had)
        if had is None:
            continue
        if kept is None:
            owner[root] = had
        elif kept != had:
            contested.update((kept, had))
        if home.setdefault(had, root) != root:
            contested.add(had)
    shares: dict[bytes, dict[int, int]] = {had: defaultdict(int) for had in sorted(contested)}
    if contested:
        for root, had in claims():
            if had in shares:
                shares[had][root] += 1
    heirs: dict[int, list[bytes]] = defaultdict(list)
    for had, parts in shares.items():
        best = min(parts, key=lambda root: (-parts[root], root))
        heirs[best].append(had)
    result = Assignment(split=[had for had, parts in shares.items() if len(parts) > 1])
    for root in sorted(owner):
        kept = owner[root]
        if kept is None or kept in contested:
            claiming = heirs.get(root)
            if claiming:
                kept = claiming[0]
                result.merged.update(dict.fromkeys(claiming[1:], kept))
            else:
                kept = new_id()
                result.born.append(kept)
        result.owner[root] = kept
    return result
