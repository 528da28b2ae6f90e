"""Decides how it is told why two records are, or are not, one customer."""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass

from roundview_identity.guards import BIRTH_DIFFERS, GIVEN_AGREES, GIVEN_DIFFERS, compare
from roundview_identity.linking import BLOCKED, HALF, Edge
from roundview_identity.records import RecordId
from roundview_identity.relink import Policy
from roundview_identity.rules import Rules
from roundview_identity.store import CANNOT_LINK, MUST_LINK, Xref


@dataclass(frozen=True, slots=True)
class SharedIdentifier:
    """An identifier that both records carry: its kind, never its value.

    `state` is ok, shared or blocked; `n_records` how many records carry it; `outcome` what the
    guard of this pair said; `links` whether it ties the two.
    """

    kind: str
    usage: str
    state: str
    n_records: int
    outcome: str
    links: bool

    def __str__(self) -> str:
        tie = "links them" if self.links else "does not link them"
        return f"{self.kind} ({self.usage}, {self.state}, on {self.n_records} records) {tie}: " + (
            self.outcome
        )


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two records are, or are not, one customer.

    `path` names the records over which links lead from the first to the second, both
    included; it is empty where they are not linked.
    """

    first: str
    second: str
    is_same: bool
    first_customer: str | None
    second_customer: str | None
    reason: str
    shared: tuple[SharedIdentifier, ...] = ()
    path: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()

    def __str__(self) -> str:
        verdict = "are one customer" if self.is_same else "are not one customer"
        lines = [f"{self.first} and {self.second} {verdict}: {self.reason}"]
        lines += [f"  {one}" for one in self.shared]
        if len(self.path) > 2:
            lines.append("  linked over " + " - ".join(self.path))
        lines += [f"  a person decided: {one}" for one in self.decisions]
        return "\n".join(lines)


def explain(xref: Xref, a: RecordId, b: RecordId, rules: Rules) -> Explanation:
    """Explains two records from what the store keeps; no source is asked.

    Unknown records are not an error: the explanation says so.
    """
    connection = xref.connection
    owners = xref.owner(*a), xref.owner(*b)
    first, second = "/".join(a), "/".join(b)
    if None in owners or a == b:
        unknown = first if owners[0] is None else second
        same = a == b and owners[0] is not None
        reason = "they are one record" if same else f"{unknown} is not known: refresh identity"
        return Explanation(first, second, same, *owners, reason)
    decided = tuple(
        kind
        for kind in (MUST_LINK, CANNOT_LINK)
        if {a, b} in [set(pair) for pair in xref.decisions(kind)]
    )
    policy = Policy.read(xref, connection, rules)
    left, right = _number(connection, a), _number(connection, b)
    shared = tuple(_shared(connection, policy, left, right))
    is_same = owners[0] == owners[1]
    path = _path(connection, policy, left, right) if is_same else []
    names = tuple(_name(connection, record) for record in path)
    return Explanation(
        first=first,
        second=second,
        is_same=is_same,
        first_customer=owners[0],
        second_customer=owners[1],
        reason=_reason(is_same, shared, len(path), decided),
        shared=shared,
        path=names,
        decisions=decided,
    )


def _reason(
    is_same: bool, shared: tuple[SharedIdentifier, ...], steps: int, decided: tuple[str, ...]
) -> str:
    if is_same:
        if MUST_LINK in decided:
            return "a person decided so"
        linking = sorted({one.kind for one in shared if one.links})
        if linking:
            return f"they share {' and '.join(linking)}"
        return f"{steps - 2} other records of the customer connect them"
    if CANNOT_LINK in decided:
        return "a person decided so"
    if not shared:
        return "they share no identifier"
    if any(one.links for one in shared):
        return "the link is held, because more than one customer would become one by it"
    return "no identifier that they share may link them"


def _shared(
    connection: sqlite3.Connection, policy: Policy, left: int, right: int
) -> list[SharedIdentifier]:
    result = []
    for id_hash, kind_no, kind in connection.execute(_IN_COMMON, (left, right)).fetchall():
        members = connection.execute(_GROUP, (id_hash,)).fetchall()
        judged = policy.judge(id_hash, kind_no, members)
        guards = dict(members)
        verdict = compare(guards[left], guards[right])
        links = any({x, y} == {left, right} for x, y, _ in judged.edges)
        rule = policy.groups.get(kind_no)
        usage = rule.usage if rule else "no longer used"
        outcome = _outcome(verdict, judged.state, usage, links)
        result.append(SharedIdentifier(kind, usage, judged.state, len(members), outcome, links))
    return result


def _outcome(verdict: int, state: str, usage: str, links: bool) -> str:
    if state == BLOCKED:
        return "it is on too many records"
    differs = [
        name
        for bit, name in ((GIVEN_DIFFERS, "given names"), (BIRTH_DIFFERS, "birth dates"))
        if verdict & bit
    ]
    if differs:
        return f"{' and '.join(differs)} differ"
    if usage not in ("unique", "personal"):
        return "this kind never links alone"
    if verdict & GIVEN_AGREES:
        return "given names agree" if links else "other records with it conflict with one only"
    return "nothing conflicts" if links else "a name is missing, and several people use it"


def _path(connection: sqlite3.Connection, policy: Policy, left: int, right: int) -> list[int]:
    """Returns the shortest way from one record to the other over links of their customer."""
    records = {one for (one,) in connection.execute(_MATES, (left,))}
    before: dict[int, int] = {left: left}
    pending = deque([left])
    while pending and right not in before:
        record = pending.popleft()
        for a, b, _ in _edges(connection, policy, record):
            other = b if a == record else a
            if other in records and other not in before:
                before[other] = record
                pending.append(other)
    if right not in before:
        return []
    path = [right]
    while path[-1] != left:
        path.append(before[path[-1]])
    return path[::-1]


def _edges(connection: sqlite3.Connection, policy: Policy, record: int) -> list[Edge]:
    found: list[Edge] = [(a, b, HALF) for a, b in policy.must if record in (a, b)]
    for id_hash, kind_no in connection.execute(_IDENTIFIERS, (record,)).fetchall():
        members = connection.execute(_GROUP, (id_hash,)).fetchall()
        edges = policy.judge(id_hash, kind_no, members).edges
        found += [edge for edge in edges if record in edge[:2]]
    return found


def _number(connection: sqlite3.Connection, record: RecordId) -> int:
    number: int = connection.execute(_NUMBER, record).fetchone()[0]
    return number


def _name(connection: sqlite3.Connection, record: int) -> str:
    return "/".join(connection.execute(_NAME, (record,)).fetchone())


_NUMBER = """
SELECT r.record_no FROM record r JOIN source s ON s.source_no = r.source_no
WHERE s.name = ? AND r.source_key = ?
"""
_NAME = """
SELECT s.name, r.source_key FROM record r JOIN source s ON s.source_no = r.source_no
WHERE r.record_no = ?
"""
_IN_COMMON = """
SELECT i.id_hash, i.kind_no, k.name FROM identifier i
JOIN identifier j ON j.id_hash = i.id_hash AND j.record_no = ?2
JOIN kind k ON k.kind_no = i.kind_no WHERE i.record_no = ?1 ORDER BY k.name, i.id_hash
"""
_IDENTIFIERS = "SELECT id_hash, kind_no FROM identifier WHERE record_no = ? ORDER BY id_hash"
_GROUP = "SELECT record_no, guard FROM identifier WHERE id_hash = ? ORDER BY record_no"
_MATES = """
SELECT record_no FROM record WHERE deleted_at IS NULL
AND customer_id = (SELECT customer_id FROM record WHERE record_no = ?)
"""
