"""Decides which records are one person: guarded identifiers, no chain of doubt.

Two records link through an identifier if nothing speaks against it: neither their own names
and birth dates, nor a third record of the identifier that one of them cannot be. What cannot
be told is kept apart and counted, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from roundview_identity.guards import BIRTH_AGREES, DIFFERS, GIVEN_AGREES, compare, is_named

OK, SHARED, BLOCKED = "ok", "shared", "blocked"
"""What an identifier is: of one person, of several, or of nobody in particular."""

NAMELESS, HALF, NORMAL, STRONG, DECIDED = range(5)
"""How well two records are tied: neither has a name; only the second has; their names agree;
also their birth dates, or the identifier is a unique one; a person said so."""

_LARGEST = 100
"""Records that one customer can have without a person's decision."""

Member = tuple[int, bytes]
Edge = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class GroupRule:
    """How identifiers of one kind link: usage unique, personal or shared."""

    usage: str
    max_records: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What the records of one identifier make of it: its state and the links it gives."""

    state: str
    edges: tuple[Edge, ...] = ()


_ALONE = Judged(OK)
_BLOCKED = Judged(BLOCKED)
_SHARED = Judged(SHARED)


def judge(rule: GroupRule, members: Sequence[Member], decided: str = "") -> Judged:
    """Judges one identifier by the (record, guard) pairs that carry it.

    `decided` is the state that a person gave it. An identifier is shared if two of its records
    conflict; two records of a shared one still link if both are named alike and conflict with
    the same others. The result does not depend on the order of the members.
    """
    count = len(members)
    if decided == BLOCKED or count > rule.max_records:
        return _BLOCKED
    if rule.usage == SHARED or decided == SHARED:
        return _SHARED
    if count == 1:
        return _ALONE
    if count == 2:
        verdict = compare(members[0][1], members[1][1])
        if verdict & DIFFERS:
            return _SHARED
        return Judged(OK, tuple(_edge(rule, members[0], members[1], verdict)))
    return _judge_many(rule, members)


def _judge_many(rule: GroupRule, members: Sequence[Member]) -> Judged:
    conflicts = [0] * len(members)
    verdicts: dict[tuple[int, int], int] = {}
    for i, (_, mine) in enumerate(members):
        for j in range(i):
            verdict = verdicts[i, j] = compare(mine, members[j][1])
            if verdict & DIFFERS:
                conflicts[i] |= 1 << j
                conflicts[j] |= 1 << i
    is_shared = any(conflicts)
    edges = tuple(
        edge
        for (i, j), verdict in verdicts.items()
        # Equal conflicts: a John without birth date is neither John senior nor John junior.
        if not verdict & DIFFERS
        and conflicts[i] == conflicts[j]
        and (not is_shared or verdict & GIVEN_AGREES or rule.usage == "unique")
        for edge in _edge(rule, members[j], members[i], verdict)
    )
    return Judged(SHARED if is_shared else OK, edges)


def _edge(rule: GroupRule, a: Member, b: Member, verdict: int) -> Iterator[Edge]:
    if rule.usage == "unique" or (verdict & BIRTH_AGREES and verdict & GIVEN_AGREES):
        yield a[0], b[0], STRONG
    elif verdict & GIVEN_AGREES:
        yield a[0], b[0], NORMAL
    else:
        mine, theirs = is_named(a[1]), is_named(b[1])
        if not (mine or theirs):
            yield a[0], b[0], NAMELESS
        elif mine != theirs:
            yield (b[0], a[0], HALF) if mine else (a[0], b[0], HALF)
        # Two names in two scripts: nothing speaks against it, but nothing for it either.


@dataclass(slots=True)
class Forest:
    """Disjoint sets of records; the smallest record of a set represents it."""

    parent: dict[int, int] = field(default_factory=dict)

    def root(self, record: int) -> int:
        """Returns the representative of a record's set."""
        parent = self.parent
        above = parent.setdefault(record, record)
        while above != record:
            parent[record] = parent[above]
            record, above = above, parent[above]
        return record

    def join(self, a: int, b: int) -> None:
        """Makes one set of two."""
        a, b = self.root(a), self.root(b)
        if a < b:
            self.parent[b] = a
        elif b < a:
            self.parent[a] = b


@dataclass(slots=True)
class Clusters:
    """Which records are together: record -> representative, for records that have a link.

    `held` counts the links that were not followed because a person has to decide.
    """

    forest: Forest
    held: int = 0

    def root(self, record: int) -> int:
        """Returns the representative of the record's cluster."""
        return self.forest.root(record) if record in self.forest.parent else record


def cluster(
    edges: Iterable[Edge],
    *,
    uniques: Callable[[Mapping[int, int]], Iterable[tuple[int, int, bytes]]],
    order: Callable[[Sequence[int]], Mapping[int, int]],
    must: Sequence[tuple[int, int]] = (),
    cannot: Sequence[tuple[int, int]] = (),
) -> Clusters:
    """Joins records along links; no input order matters.

    `must` and `cannot` are decisions of people and hold above every rule. Records without a
    name follow last, and only to one place. Where a set would hold two different values of one
    unique kind of one source, a pair that must not be one, or too many records, its links are
    followed one by one, the best first, as long as that does not happen; a strong link is
    reason enough for two unique values. `uniques` gives (record, kind and source, hash) for the
    records asked for; `order` ranks records by their names, to break ties.
    """
    firm = [(a, b, DECIDED) for a, b in must]
    nameless: list[Edge] = []
    for edge in edges:
        (firm if edge[2] >= NORMAL else nameless).append(edge)
    forest = Forest()
    for a, b, _ in firm:
        forest.join(a, b)
    followed, held = _nameless_links(forest, nameless)
    for a, b, _ in followed:
        forest.join(a, b)
    doubtful = _doubtful(forest, uniques, cannot)
    if doubtful:
        held += _join_carefully(forest, firm + followed, doubtful, uniques, order, cannot)
    return Clusters(forest, held)


def _nameless_links(forest: Forest, edges: Sequence[Edge]) -> tuple[list[Edge], int]:
    """Returns the links of nameless records that lead to one place, and how many do not."""
    islands = Forest()
    for a, b, strength in edges:
        islands.root(a)
        if strength == NAMELESS:
            islands.join(a, b)
    places: dict[int, set[int]] = defaultdict(set)
    for record in list(islands.parent):
        if record in forest.parent:
            places[islands.root(record)].add(forest.root(record))
    for a, b, strength in edges:
        if strength == HALF:
            places[islands.root(a)].add(forest.root(b) if b in forest.parent else b)
    torn = {island for island, found in places.items() if len(found) > 1}
    return [edge for edge in edges if islands.root(edge[0]) not in torn], len(torn)


def _doubtful(
    forest: Forest,
    uniques: Callable[[Mapping[int, int]], Iterable[tuple[int, int, bytes]]],
    cannot: Sequence[tuple[int, int]],
) -> set[int]:
    """Returns the representatives of sets that hold what must not be together."""
    sizes: dict[int, int] = defaultdict(int)
    for record in forest.parent:
        sizes[forest.root(record)] += 1
    doubtful = {root for root, size in sizes.items() if size > _LARGEST}
    values: dict[tuple[int, int], bytes] = {}
    for record, kind, value in uniques(forest.parent):
        root = forest.root(record)
        if values.setdefault((root, kind), value) != value:
            doubtful.add(root)
    for a, b in cannot:
        if a in forest.parent and b in forest.parent and forest.root(a) == forest.root(b):
            doubtful.add(forest.root(a))
    return doubtful


def _join_carefully(
    forest: Forest,
    edges: Sequence[Edge],
    doubtful: set[int],
    uniques: Callable[[Mapping[int, int]], Iterable[tuple[int, int, bytes]]],
    order: Callable[[Sequence[int]], Mapping[int, int]],
    cannot: Sequence[tuple[int, int]],
) -> int:
    records = [record for record in forest.parent if forest.root(record) in doubtful]
    inside = set(records)
    own = [edge for edge in edges if edge[0] in inside]
    rank = order(records)
    values: dict[int, dict[int, set[bytes]]] = {record: {} for record in records}
    for record, kind, value in uniques(dict.fromkeys(records, 0)):
        values[record].setdefault(kind, set()).add(value)
    members = {record: {record} for record in records}
    apart: dict[int, set[int]] = defaultdict(set)
    for a, b in cannot:
        apart[a].add(b)
        apart[b].add(a)
    for record in records:
        forest.parent[record] = record
    held = 0
    best = sorted(own, key=lambda e: (-e[2], *sorted((rank[e[0]], rank[e[1]]))))
    for a, b, strength in best:
        low, high = sorted((forest.root(a), forest.root(b)))
        if low == high:
            continue
        if (
            any(apart[one] & members[low] for one in members[high] if one in apart)
            or (strength < DECIDED and len(members[low]) + len(members[high]) > _LARGEST)
            or (strength < STRONG and _two_values(values[low], values[high]))
        ):
            held += 1
            continue
        forest.parent[high] = low
        members[low] |= members.pop(high)
        for kind, found in values.pop(high).items():
            values[low].setdefault(kind, set()).update(found)
    return held


def _two_values(a: Mapping[int, set[bytes]], b: Mapping[int, set[bytes]]) -> bool:
    return any(kind in b and not found & b[kind] for kind, found in a.items())
