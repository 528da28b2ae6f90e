"""Turns records into links: clusters them, keeps ids stable, publishes in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass

from roundview_identity import staging
from roundview_identity.assignment import Assignment, carry_over
from roundview_identity.linking import BLOCKED, SHARED
from roundview_identity.records import Record, RecordId
from roundview_identity.relink import Policy, Relinked, relink_all, relink_region
from roundview_identity.rules import Rules
from roundview_identity.staging import Progress
from roundview_identity.store import Xref, numbered

_PROBE_PATIENCE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Summary:
    """What a refresh did.

    `records` were read, `unchanged` of them were known as they are; `customers` exist now,
    `new` of them since this run; `merged` and `split` count customers; `held` the links that
    wait for a person's decision; `shared` and `blocked` the identifiers that link nobody.
    """

    records: int
    unchanged: int
    customers: int
    new: int
    merged: int
    split: int
    held: int
    shared: int
    blocked: int


def refresh(
    xref: Xref,
    records: Iterable[Record],
    rules: Rules,
    *,
    sources: Iterable[str],
    unread: Collection[str] = (),
    actor: str = "refresh",
    progress: Progress | None = None,
) -> Summary:
    """Replaces the records of `sources` by these and links everything anew.

    Records are streamed; each is kept as hashes only. Those of `sources` that no longer come
    are deleted, those of other sources stay and take part in linking. Every customer id
    survives where most of its records stay together; an id that ends is an alias for ever.
    Readers see the store as it was, then all of the change at once. The order of `records` and
    what was interrupted before make no difference. `unread` is looked at when the last record
    has come: sources that could not be read to their end, which keep what they had.

    Raises ValueError for a record of a source that is not among `sources`, IdentityError RV602
    (retryable) if another refresh is running.
    """
    report = progress or _silent
    started = xref.clock_ms()
    names = sorted(set(sources))
    with xref.writing() as connection:
        source_numbers = numbered(connection, "source", names)
        kinds = numbered(connection, "kind", [k for k in rules.kinds if rules.is_stored(k)])
    replaced = {name: source_numbers[name] for name in names}
    known = staging.marks(connection, names)
    staging.prepare(connection)
    try:
        read: Counter[str] = Counter()
        unchanged: Counter[str] = Counter()
        for same, changed in staging.hashed(records, rules, xref.hasher, known):
            known_now = Counter(one.source for one in same)
            unchanged += known_now
            read += known_now + Counter(one.source for one in changed)
            for source in read:
                if source not in replaced:
                    raise ValueError(f"{source} is not among the sources to refresh")
            staging.stage(connection, same, changed, replaced, kinds)
            report("hashing", read.total(), None)
        known.clear()
        for source in unread:
            staging.forget(connection, replaced.pop(source))
            del read[source], unchanged[source]
        with xref.writing() as connection:
            staging.absorb(connection, list(replaced.values()), now=xref.clock_ms())
            relinked = relink_all(connection, Policy.read(xref, connection, rules), report)
            report("publishing", 0, None)
            assignment = _publish(xref, connection, relinked, actor)
            staging.finish(connection)
            states = [state for _, _, state in relinked.states]
            summary = Summary(
                records=read.total(),
                unchanged=unchanged.total(),
                customers=len(assignment.owner),
                new=len(assignment.born),
                merged=len(assignment.merged),
                split=len(assignment.split),
                held=relinked.clusters.held,
                shared=states.count(SHARED),
                blocked=states.count(BLOCKED),
            )
            _note_run(xref, connection, summary, rules, started)
            xref.note(connection, actor, "refresh", {"sources": list(replaced), **asdict(summary)})
            report("publishing", 1, 1)
    finally:
        staging.drop(connection)
    return summary


def remember(
    xref: Xref, records: Sequence[Record], rules: Rules, *, actor: str
) -> dict[RecordId, str]:
    """Adds or replaces records that were read live; returns the customer of each.

    The same rules as in a refresh, applied to the customers that the records can reach: the
    links are those that a refresh would make. New records are provisional until a refresh sees
    them. One transaction; unchanged records write nothing.

    Raises IdentityError RV602 (retryable) while a refresh is publishing.
    """
    unique = {record.id: record for record in records}
    if not unique:
        return {}
    chunks = staging.hashed(unique.values(), rules, xref.hasher, _marks_of(xref, unique))
    changed = [one for _, new in chunks for one in new]
    if changed:
        with xref.writing(patience_seconds=_PROBE_PATIENCE_SECONDS) as connection:
            sources = numbered(connection, "source", [one.source for one in changed])
            kinds = numbered(connection, "kind", [k for k in rules.kinds if rules.is_stored(k)])
            touched: list[int] = []
            hashes: set[bytes] = set()
            for one in sorted(changed, key=lambda h: (h.source, h.source_key)):
                number, seen = staging.replace(
                    connection, one, sources[one.source], kinds, now=xref.clock_ms()
                )
                touched.append(number)
                hashes |= seen
            policy = Policy.read(xref, connection, rules)
            relinked = relink_region(connection, policy, touched, frozenset(hashes))
            assignment = _publish(xref, connection, relinked, actor)
            body = {"records": len(changed), "new": len(assignment.born)}
            xref.note(connection, actor, "remember", body)
    return xref.owners(unique)


def _publish(
    xref: Xref, connection: sqlite3.Connection, relinked: Relinked, actor: str
) -> Assignment:
    """Writes states, customers, links and aliases, inside the open transaction."""
    assignment = carry_over(
        lambda: ((root, today) for _, root, _, today in relinked.claims()), xref.new_id
    )
    now = xref.clock_ms()
    if relinked.judged is None:
        connection.execute("DELETE FROM identifier_state")
    else:
        connection.executemany(
            "DELETE FROM identifier_state WHERE id_hash = ?", [(h,) for h in relinked.judged]
        )
    connection.executemany("INSERT INTO identifier_state VALUES (?, ?, ?)", sorted(relinked.states))
    connection.executemany(
        "INSERT INTO customer VALUES (?, 'active', ?)", [(born, now) for born in assignment.born]
    )
    owner = assignment.owner
    moved = [
        (owner[root], owner[root], record)
        for record, root, stored, _ in relinked.claims()
        if owner[root] != stored
    ]
    connection.executemany(_MOVE, moved)
    for old, new in assignment.merged.items():
        connection.execute("UPDATE alias SET customer_id = ? WHERE customer_id = ?", (new, old))
        connection.execute("INSERT INTO alias VALUES (?, ?, 'merge', ?)", (old, new, now))
        connection.execute("UPDATE customer SET status = 'merged' WHERE customer_id = ?", (old,))
        xref.note(connection, actor, "merge", {"from": old.hex(), "into": new.hex()})
    for split in assignment.split:
        xref.note(connection, actor, "split", {"customer": split.hex()})
    return assignment


def _note_run(
    xref: Xref, connection: sqlite3.Connection, summary: Summary, rules: Rules, started: int
) -> None:
    connection.execute(
        "INSERT INTO run (mode, rules, started_at, finished_at, counters)"
        " VALUES ('full', ?, ?, ?, ?)",
        (rules.digest, started, xref.clock_ms(), json.dumps(asdict(summary), sort_keys=True)),
    )


def _marks_of(xref: Xref, records: Iterable[RecordId]) -> dict[RecordId, bytes]:
    found = ((record, xref.mark_of(*record)) for record in records)
    return {record: mark for record, mark in found if mark is not None}


def _silent(stage: str, done: int, total: int | None) -> None:
    """Reports nothing."""


_MOVE = """
UPDATE record SET customer_id = ?, first_customer_id = coalesce(first_customer_id, ?)
WHERE record_no = ?
"""
