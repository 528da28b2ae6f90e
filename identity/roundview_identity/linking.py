"""Decides which records are one person: guarded identifiers, no chain of doubt.

An identifier links the records that share it only if no two of them conflict in given name
or birth date; a conflict makes the identifier shared, and shared ones never link alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from roundview_catalog.names import same_given
from roundview_identity.records import Record
from roundview_identity.rules import Rules

RecordId = tuple[str, str]
IdentifierKey = tuple[str, str]


class State(StrEnum):
    """What an identifier turned out to be."""

    OK = "ok"
    SHARED = "shared"
    BLOCKED = "blocked"


@dataclass(slots=True)
class Links:
    """Clusters of records and the state of every identifier."""

    clusters: list[tuple[RecordId, ...]]
    states: Mapping[IdentifierKey, State]
    held: int = 0


@dataclass(slots=True)
class _Forest:
    parent: dict[RecordId, RecordId] = field(default_factory=dict)
    members: dict[RecordId, list[Record]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.parent[record.id] = record.id
        self.members[record.id] = [record]

    def root(self, record: RecordId) -> RecordId:
        while self.parent[record] != record:
            self.parent[record] = self.parent[self.parent[record]]
            record = self.parent[record]
        return record

    def join(self, a: RecordId, b: RecordId) -> None:
        low, high = sorted((self.root(a), self.root(b)))
        if low != high:
            self.parent[high] = low
            self.members[low] += self.members.pop(high)


def link(
    records: Iterable[Record],
    rules: Rules,
    *,
    must: Sequence[tuple[RecordId, RecordId]] = (),
    cannot: Sequence[tuple[RecordId, RecordId]] = (),
) -> Links:
    """Returns the clusters of all records; the order of the input does not matter.

    `must` and `cannot` are decisions of people: they hold before and above every rule.
    """
    known = {record.id: record for record in sorted(records, key=lambda r: r.id)}
    forest = _Forest()
    groups: dict[IdentifierKey, list[Record]] = defaultdict(list)
    for record in known.values():
        forest.add(record)
        for identifier in dict.fromkeys(record.identifiers):
            groups[identifier].append(record)
    for a, b in must:
        if a in known and b in known:
            forest.join(a, b)
    vetoes = {frozenset(pair) for pair in cannot}
    states: dict[IdentifierKey, State] = {}
    held = 0
    order = {"unique": 0, "personal": 1, "shared": 2}
    for identifier in sorted(groups, key=lambda i: (order[rules.kinds[i[0]].usage], i)):
        group = groups[identifier]
        state = judge(identifier, group, rules)
        states[identifier] = state
        if state is not State.OK:
            continue
        first = group[0]
        for other in group[1:]:
            if _may_join(forest, first, other, vetoes, rules):
                forest.join(first.id, other.id)
            else:
                held += 1
    clusters = sorted(
        tuple(sorted(record.id for record in members)) for members in forest.members.values()
    )
    return Links(clusters, states, held)


def judge(identifier: IdentifierKey, group: Sequence[Record], rules: Rules) -> State:
    """Returns what the records that carry an identifier make of it."""
    kind = rules.kinds[identifier[0]]
    if rules.is_blocked(*identifier):
        return State.BLOCKED
    if kind.usage == "shared" or len(group) > kind.max_records:
        return State.SHARED
    for at, a in enumerate(group):
        for b in group[at + 1 :]:
            if conflict(a, b):
                return State.SHARED
    return State.OK


def conflict(a: Record, b: Record) -> str:
    """Returns what speaks against two records being one person, "" if nothing does."""
    if a.birth_date and b.birth_date and not _same_day(a.birth_date, b.birth_date):
        return "birth date"
    same = same_given(a.given_name, b.given_name)
    if same is False:
        swapped = same_given(a.given_name, b.family_name), same_given(a.family_name, b.given_name)
        if swapped != (True, True):
            return "given name"
    return ""


def _may_join(
    forest: _Forest, a: Record, b: Record, vetoes: set[frozenset[RecordId]], rules: Rules
) -> bool:
    left, right = forest.root(a.id), forest.root(b.id)
    if left == right:
        return True
    for mine in forest.members[left]:
        for other in forest.members[right]:
            if frozenset((mine.id, other.id)) in vetoes or conflict(mine, other):
                return False
    return True


def _same_day(a: str, b: str) -> bool:
    if a == b:
        return True
    if len(a) != 10 or len(b) != 10:
        return False
    swapped = f"{b[:4]}-{b[8:]}-{b[5:7]}"
    return a == swapped or sum(x != y for x, y in zip(a, b, strict=True)) == 1
