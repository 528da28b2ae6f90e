"""Decides which records are linked anew: all of them, or those that a change can reach."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from roundview_identity.linking import (
    BLOCKED,
    OK,
    Clusters,
    Edge,
    GroupRule,
    Judged,
    Member,
    cluster,
    judge,
)
from roundview_identity.records import RecordId
from roundview_identity.rules import Rules
from roundview_identity.store import CANNOT_LINK, MUST_LINK, Xref

StateRow = tuple[bytes, int, str]
"""(identifier hash, number of its kind, state) where the state is not ok."""

_STEP = 100_000
_NEVER = GroupRule("shared", 30)


@dataclass(slots=True)
class Policy:
    """Rules and decisions by the numbers that the store uses."""

    groups: Mapping[int, GroupRule]
    decided: Mapping[bytes, str]
    must: Sequence[tuple[int, int]]
    cannot: Sequence[tuple[int, int]]

    @classmethod
    def read(cls, xref: Xref, connection: sqlite3.Connection, rules: Rules) -> Policy:
        """Reads the standing decisions; those on records that are gone rest."""
        numbers = connection.execute("SELECT kind_no, name FROM kind").fetchall()
        groups = {
            number: GroupRule(rules.kinds[name].usage, rules.kinds[name].max_records)
            for number, name in numbers
            if name in rules.kinds
        }
        return cls(
            groups=groups,
            decided=xref.decided_states(),
            must=_numbers(connection, xref.decisions(MUST_LINK)),
            cannot=_numbers(connection, xref.decisions(CANNOT_LINK)),
        )

    def judge(self, id_hash: bytes, kind_no: int, members: Sequence[Member]) -> Judged:
        """Judges one identifier."""
        rule = self.groups.get(kind_no, _NEVER)
        return judge(rule, members, self.decided.get(id_hash, ""))

    @property
    def unique_kinds(self) -> frozenset[int]:
        """Returns the numbers of the kinds that name one person."""
        return frozenset(n for n, rule in self.groups.items() if rule.usage == "unique")


@dataclass(slots=True)
class Relinked:
    """New clusters and states; `claims()` iterates over (record, its cluster, the customer it
    is stored with, that customer's id today)."""

    clusters: Clusters
    states: list[StateRow]
    claims: Callable[[], Iterator[tuple[int, int, bytes | None, bytes | None]]]
    judged: frozenset[bytes] | None = None
    """Identifiers whose state is settled here; None for all."""


def relink_all(
    connection: sqlite3.Connection,
    policy: Policy,
    progress: Callable[[str, int, int | None], None],
) -> Relinked:
    """Links all live records anew, streaming over the identifiers in the order of the store."""
    total = connection.execute("SELECT count(*) FROM identifier").fetchone()[0]
    edges: list[Edge] = []
    states: list[StateRow] = []
    done = 0
    for id_hash, kind_no, members in _groups(connection):
        judged = policy.judge(id_hash, kind_no, members)
        edges += judged.edges
        if judged.state != OK:
            states.append((id_hash, kind_no, judged.state))
        before, done = done, done + len(members)
        if done // _STEP != before // _STEP:
            progress("linking", done, total)
    progress("linking", total, total)

    def claims() -> Iterator[tuple[int, int, bytes | None, bytes | None]]:
        root = clusters.root
        for record, stored, today in connection.execute(_ALL_RECORDS):
            yield record, root(record), stored, today

    clusters = cluster(
        edges,
        uniques=lambda among: _uniques(connection, policy.unique_kinds, among),
        order=lambda records: _ranks(connection, records),
        must=policy.must,
        cannot=policy.cannot,
    )
    return Relinked(clusters, states, claims)


def relink_region(
    connection: sqlite3.Connection,
    policy: Policy,
    touched: Iterable[int],
    touched_hashes: frozenset[bytes],
) -> Relinked:
    """Links the records anew that changes of some records can reach.

    Those are the records that share an identifier with a changed one, before or after, their
    customers' other records, and whatever these link to. The result is that of a full run.
    """
    region = _Region(connection, policy, touched_hashes)
    region.grow(touched)
    inside = region.records
    edges = [edge for judged in region.judged.values() for edge in judged[1].edges]
    clusters = cluster(
        [edge for edge in edges if edge[0] in inside and edge[1] in inside],
        uniques=lambda among: _uniques_of(connection, policy.unique_kinds, among),
        order=lambda records: _ranks(connection, records),
        must=[pair for pair in policy.must if pair[0] in inside],
        cannot=policy.cannot,
    )
    states = [
        (id_hash, kind_no, judged.state)
        for id_hash, (kind_no, judged) in region.judged.items()
        if id_hash in touched_hashes and judged.state != OK
    ]

    def claims() -> Iterator[tuple[int, int, bytes | None, bytes | None]]:
        for record in sorted(inside):
            stored, today = connection.execute(_ONE_RECORD, (record,)).fetchone()
            yield record, clusters.root(record), stored, today

    return Relinked(clusters, states, claims, touched_hashes)


@dataclass(slots=True)
class _Region:
    connection: sqlite3.Connection
    policy: Policy
    touched_hashes: frozenset[bytes]
    records: set[int] = field(default_factory=set)
    judged: dict[bytes, tuple[int, Judged]] = field(default_factory=dict)
    _pending: list[int] = field(default_factory=list)

    def grow(self, touched: Iterable[int]) -> None:
        """Adds records until nothing outside is linked to anything inside."""
        start = list(touched)
        self._add(start)
        for id_hash in sorted(self.touched_hashes):
            members = self._judge(id_hash, slack=len(start))
            self._add(record for record, _ in members)
        decided: dict[int, list[int]] = {}
        for a, b in self.policy.must:
            decided.setdefault(a, []).append(b)
            decided.setdefault(b, []).append(a)
        while self._pending:
            record = self._pending.pop()
            self._add(decided.get(record, ()))
            self._add(one for (one,) in self.connection.execute(_MATES, (record, record)))
            hashes = self.connection.execute(_HASHES, (record,)).fetchall()
            for (id_hash,) in hashes:
                if id_hash not in self.judged:
                    self._judge(id_hash, slack=0)
                for a, b, _ in self.judged[id_hash][1].edges:
                    if record in (a, b):
                        self._add((a, b))

    def _add(self, records: Iterable[int]) -> None:
        for record in records:
            if record not in self.records:
                self.records.add(record)
                self._pending.append(record)

    def _judge(self, id_hash: bytes, *, slack: int) -> Sequence[Member]:
        """Judges an identifier; returns those who carry it, none where it links nobody and,
        short of `slack` records, has not done so before."""
        rows: list[tuple[int, int, bytes]] = []
        limit = 2
        for row in self.connection.execute(_GROUP, (id_hash,)):
            rows.append(row)
            if len(rows) == 1:
                limit = self.policy.groups.get(row[1], _NEVER).max_records + slack + 1
            if len(rows) >= limit:
                break
        members = [(record, guard) for record, _, guard in rows]
        kind_no = rows[0][1] if rows else 0
        judged = self.policy.judge(id_hash, kind_no, members) if rows else Judged(OK)
        self.judged[id_hash] = kind_no, judged
        return () if judged.state == BLOCKED and len(rows) >= limit else members


def _groups(connection: sqlite3.Connection) -> Iterator[tuple[bytes, int, list[Member]]]:
    """Yields identifiers that several records carry, with their members in record order."""
    current = b""
    kind = first_record = 0
    first_guard = b""
    members: list[Member] = []
    for id_hash, record, kind_no, guard in connection.execute(_ALL_IDENTIFIERS):
        if id_hash == current:
            if not members:
                members.append((first_record, first_guard))
            members.append((record, guard))
            continue
        if members:
            yield current, kind, members
            members = []
        current, kind, first_record, first_guard = id_hash, kind_no, record, guard
    if members:
        yield current, kind, members


def _uniques(
    connection: sqlite3.Connection, kinds: frozenset[int], among: Mapping[int, int]
) -> Iterator[tuple[int, int, bytes]]:
    if len(among) < 1000:
        yield from _uniques_of(connection, kinds, among)
        return
    for record, kind_no, source_no, id_hash in connection.execute(_ALL_UNIQUES):
        if kind_no in kinds and record in among:
            yield record, kind_no << 32 | source_no, id_hash


def _uniques_of(
    connection: sqlite3.Connection, kinds: frozenset[int], among: Iterable[int]
) -> Iterator[tuple[int, int, bytes]]:
    for one in sorted(among):
        for record, kind_no, source_no, id_hash in connection.execute(_UNIQUES, (one,)):
            if kind_no in kinds:
                yield record, kind_no << 32 | source_no, id_hash


def _ranks(connection: sqlite3.Connection, records: Sequence[int]) -> dict[int, int]:
    named = sorted((*connection.execute(_NAME, (record,)).fetchone(), record) for record in records)
    return {record: rank for rank, (_, _, record) in enumerate(named)}


def _numbers(
    connection: sqlite3.Connection, pairs: Iterable[tuple[RecordId, RecordId]]
) -> list[tuple[int, int]]:
    found = []
    for a, b in pairs:
        first = connection.execute(_NUMBER, a).fetchone()
        second = connection.execute(_NUMBER, b).fetchone()
        if first and second:
            found.append((first[0], second[0]))
    return found


_ALL_IDENTIFIERS = "SELECT id_hash, record_no, kind_no, guard FROM identifier ORDER BY id_hash"
_GROUP = "SELECT record_no, kind_no, guard FROM identifier WHERE id_hash = ? ORDER BY record_no"
_HASHES = "SELECT id_hash FROM identifier WHERE record_no = ? ORDER BY id_hash"
_MATES = """
SELECT record_no FROM record WHERE deleted_at IS NULL AND record_no <> ?
AND customer_id = (SELECT customer_id FROM record WHERE record_no = ?)
"""
_ALL_RECORDS = """
SELECT r.record_no, r.customer_id, coalesce(a.customer_id, r.customer_id) FROM record r
LEFT JOIN alias a ON a.old_customer_id = r.customer_id
WHERE r.deleted_at IS NULL ORDER BY r.record_no
"""
_ONE_RECORD = """
SELECT r.customer_id, coalesce(a.customer_id, r.customer_id) FROM record r
LEFT JOIN alias a ON a.old_customer_id = r.customer_id WHERE r.record_no = ?
"""
_ALL_UNIQUES = """
SELECT i.record_no, i.kind_no, r.source_no, i.id_hash
FROM identifier i JOIN record r ON r.record_no = i.record_no
"""
_UNIQUES = _ALL_UNIQUES + "WHERE i.record_no = ?"
_NAME = """
SELECT s.name, r.source_key FROM record r JOIN source s ON s.source_no = r.source_no
WHERE r.record_no = ?
"""
_NUMBER = """
SELECT r.record_no FROM record r JOIN source s ON s.source_no = r.source_no
WHERE s.name = ? AND r.source_key = ? AND r.deleted_at IS NULL
"""
