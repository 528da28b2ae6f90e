"""Turns records into links: clusters them, keeps ids stable, publishes in one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from roundview_identity.linking import Links, RecordId, link
from roundview_identity.records import Record
from roundview_identity.rules import Rules
from roundview_identity.store import Xref

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a refresh did."""

    records: int
    customers: int
    new: int
    merged: int
    shared: int
    blocked: int


def refresh(
    xref: Xref,
    records: Iterable[Record],
    rules: Rules,
    *,
    sources: Iterable[str],
    actor: str = "refresh",
    progress: Progress | None = None,
) -> Summary:
    """Rebuilds the links of `sources` from all their records.

    Every customer id survives where most of its records stay together; an id that ends is an
    alias for ever. The result does not depend on the order of the records.
    """
    known = sorted(records, key=lambda record: record.id)
    if progress is not None:
        progress("linking", 0, len(known))
    links = link(
        known, rules, must=xref.decisions("must_link"), cannot=xref.decisions("cannot_link")
    )
    before = xref.assignments()
    owners, aliases, born = carry_over(links.clusters, before, xref.new_id)
    if progress is not None:
        progress("publishing", 0, len(known))
    states = {identifier: state.value for identifier, state in links.states.items()}
    xref.publish(
        known, owners, replace_sources=sources, states=states, aliases=aliases, actor=actor
    )
    return Summary(
        records=len(known),
        customers=len(links.clusters),
        new=born,
        merged=len(aliases),
        shared=_count(links, "shared"),
        blocked=_count(links, "blocked"),
    )


def remember(
    xref: Xref, records: Sequence[Record], rules: Rules, *, actor: str
) -> dict[RecordId, str]:
    """Adds records that a live probe found, under the same guards; returns their customers.

    A record joins a known customer through an identifier that is neither shared nor blocked
    and has one customer; otherwise it becomes a provisional customer of its own.
    """
    owners: dict[RecordId, str] = {}
    for group in link(records, rules).clusters:
        found = {owner for rid in group if (owner := xref.owner(*rid)) is not None}
        for record in records:
            if record.id in group:
                for kind, value in record.identifiers:
                    blocked = rules.is_blocked(kind, value) or xref.state_of(kind, value) != "ok"
                    if (
                        not blocked
                        and len(xref.carriers(kind, value)) < rules.kinds[kind].max_records
                    ):
                        found |= set(xref.lookup(kind, value))
        owner = next(iter(found)) if len(found) == 1 else xref.new_id()
        owners |= dict.fromkeys(group, owner)
    xref.publish(
        records,
        owners,
        replace_sources=(),
        states={},
        aliases={},
        actor=actor,
        is_provisional=True,
    )
    return owners


def carry_over(
    clusters: Sequence[tuple[RecordId, ...]],
    before: Mapping[RecordId, str],
    new_id: Callable[[], str],
) -> tuple[dict[RecordId, str], dict[str, str], int]:
    """Returns the customer of each record, ids that end as aliases, and how many are new.

    An id goes to the cluster that holds most of its records, ties to the smallest record; a
    cluster that several ids claim keeps the oldest.
    """
    claims: dict[str, Counter[int]] = defaultdict(Counter)
    for at, cluster in enumerate(clusters):
        for record in cluster:
            if record in before:
                claims[before[record]][at] += 1
    winners: dict[int, list[str]] = defaultdict(list)
    for customer_id in sorted(claims):
        best = min(claims[customer_id].items(), key=lambda item: (-item[1], item[0]))[0]
        winners[best].append(customer_id)
    owners: dict[RecordId, str] = {}
    aliases: dict[str, str] = {}
    born = 0
    for at, cluster in enumerate(clusters):
        # UUIDv7 sorts by birth, so the smallest id is the oldest.
        claimed = winners.get(at)
        if claimed:
            kept = claimed[0]
            aliases |= dict.fromkeys(claimed[1:], kept)
        else:
            kept = new_id()
            born += 1
        owners |= dict.fromkeys(cluster, kept)
    return owners, aliases, born


def _count(links: Links, state: str) -> int:
    return sum(one.value == state for one in links.states.values())
