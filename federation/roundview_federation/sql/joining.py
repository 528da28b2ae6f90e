"""Decides which reads of a question are joined inside each source, so that joined rows travel.

Rows have all their partners in one source where that source alone has rows of both, or where the
question itself ties them by `source`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roundview_catalog.model import Branch, Catalog, Entity, Field
from roundview_catalog.types import Type
from roundview_federation.plan import Section, selecting
from roundview_federation.planner import Planner, unfoldings
from roundview_federation.request import Decision
from roundview_federation.rewrite.consents import needs_any
from roundview_federation.rewrite.joined import ApartError, Tie, is_parent_tie, joined_branch
from roundview_federation.rewrite.query.reads import Reading
from roundview_federation.rewrite.query.together import Pair, Side, copied, pairs, put_together
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.sql.planned import PlannedQuery, World
from roundview_federation.sql.relations import is_ours, types_of
from roundview_federation.sql.strategy import table_rows

_SOURCE = ("source", "source_system", "source_instance")
_PERSON = ("customer_id", "link_state", "organization_key")


WORTH = 2
"""Joined and folded rows are wanted where so many times more would come otherwise."""


def joined_inside(
    reading: Reading, types: Mapping[str, Mapping[str, Type]], planner: Planner, decision: Decision
) -> tuple[Reading, World] | None:
    """Returns a reading in which sources join what they can, None where they cannot.

    The given one stays as it is. `types` are those of the relations' columns.
    """
    if not any(_may_meet(pair, planner.catalog) for pair in pairs(reading)):
        return None
    reading = copied(reading)
    known = {one.relation: types_of(one.relation, types) for one in reading.reads.values()}
    world = World(planner, decision, known, {}, {})
    is_joined = False
    while (made := _next(reading, world)) is not None:
        world, is_joined = made, True
    return (reading, world) if is_joined else None


def is_worth_it(joined: PlannedQuery, apart: PlannedQuery) -> bool:
    """Tells whether sources that join send far fewer rows than those that do not."""
    return _rows(joined) * WORTH <= _rows(apart)


def with_world(planned: PlannedQuery, world: World) -> PlannedQuery:
    """Returns a planned question whose joined reads know what they are of."""
    reads = {
        name: replace(
            one,
            world=world,
            choice=replace(one.choice, why=f"{one.choice.why}, joined inside each source"),
        )
        if one.read.relation in world.parts
        else one
        for name, one in planned.reads.items()
    }
    return replace(planned, reads=reads)


def _rows(planned: PlannedQuery) -> float:
    reads = planned.reads.values()
    return sum(one.choice.estimate for one in reads if not is_ours(one.read.relation))


def _next(reading: Reading, world: World) -> World | None:
    """Joins the first pair that can be joined, in place; None where there is none."""
    for pair in pairs(reading):
        if not _may_meet(pair, world.planner.catalog):
            continue
        for first, second in _orders(pair, world.planner.catalog):
            try:
                relation = _Joining(pair, reading, world, first, second).made()
            except ApartError:
                continue
            put_together(reading, pair, relation.name, relation.names(pair))
            return relation.world
    return None


def _may_meet(pair: Pair, catalog: Catalog) -> bool:
    """Tells whether rows of a pair can have all their partners in their own source.

    Most pairs cannot, which is seen without unfolding their branches.
    """
    one, two = pair.sides
    if ("source", "source") in zip(one.ties, two.ties, strict=True):
        return True
    relations = (one.read.relation, two.read.relation)
    if any(is_ours(relation) for relation in relations):
        return False
    sources = {branch.source for name in relations for branch in catalog.branches(name)}
    return len(sources) == 1


def _orders(pair: Pair, catalog: Catalog) -> tuple[tuple[Side, Side], ...]:
    """Returns who may be first: whose rows lie below the other's, whose are more."""
    one, two = pair.sides
    if is_ours(one.read.relation) or is_ours(two.read.relation):
        return ()
    parents = catalog.canonical.entities[two.read.relation].parents
    is_above = one.read.relation in parents
    if is_above or _size(one, catalog) < _size(two, catalog):
        one, two = two, one
    return ((one, two), (two, one))


def _size(side: Side, catalog: Catalog) -> float:
    return sum(table_rows(branch, catalog) for branch in catalog.branches(side.read.relation))


@dataclass(frozen=True, slots=True)
class _Relation:
    """A joined relation, and what the columns of its sides are called in it."""

    name: str
    world: World
    first: Side
    mine: Mapping[str, str]
    theirs: Mapping[str, str]

    def names(self, pair: Pair) -> tuple[Mapping[str, str], Mapping[str, str]]:
        is_first = pair.sides[0] is self.first
        return (self.mine, self.theirs) if is_first else (self.theirs, self.mine)


class _Joining:
    """Joins one pair in one order; raises ApartError where the sources would not."""

    def __init__(
        self, pair: Pair, reading: Reading, world: World, first: Side, second: Side
    ) -> None:
        self._world = world
        self._first, self._second = first, second
        self._ties: list[Tie] = list(zip(first.ties, second.ties, strict=True))
        self._wanted = pair.needed(first, reading)
        self._theirs = pair.needed(second, reading)
        self._entities = [
            world.planner.catalog.canonical.entities[side.read.relation] for side in (first, second)
        ]

    def made(self) -> _Relation:
        """Returns the relation of the joined rows."""
        first, second = self._entities
        if not self._is_open(first.name) or not self._is_open(second.name):
            raise ApartError
        rows, others = self._rows(self._first), self._rows(self._second)
        sources = {one.source.name for one in (*rows, *others)}
        if len(sources) > 1 and ("source", "source") not in self._ties:
            raise ApartError
        name = _free(f"{first.name}_with_{second.name}", self._world)
        is_below = all(
            is_parent_tie(one, other, self._ties) and not one.branch.person
            for one in rows
            for other in others
            if one.source.name == other.source.name
        )
        fields = self._fields(is_below=is_below)
        connectors = self._world.planner.connectors
        branches: list[Branch] = []
        for one in rows:
            for other in others:
                if one.source.name != other.source.name:
                    continue
                dialect = connectors[one.source.name].capabilities.dialect
                made = joined_branch(name, one, other, self._ties, fields, dialect)
                if made is not None:
                    branches.append(made)
        if not branches or len({branch.id for branch in branches}) < len(branches):
            raise ApartError
        called = self._called(fields, is_below=is_below)
        entity = self._entity(name, fields)
        world = self._in_world(entity, branches, fields)
        return _Relation(name, world, self._first, {own: own for own in self._wanted}, called)

    def _is_open(self, entity: str) -> bool:
        """Tells whether everyone with these rules sees rows of an entity as sources have them."""
        decision, catalog = self._world.decision, self._world.planner.catalog
        if decision.row_filters.get(entity) or any(name == entity for name, _ in decision.masks):
            return False
        return not needs_any(decision, entity) and not catalog.mirrors(entity)

    def _rows(self, side: Side) -> list[Unfolded]:
        planner, relation = self._world.planner, side.read.relation
        section = Section("", relation, selecting(relation, side.ties), "")
        branches = planner.catalog.branches(relation)
        return list(unfoldings(section, self._world.decision, planner, branches, side.ties))

    def _fields(self, *, is_below: bool) -> dict[str, str]:
        """Returns the second's fields that joined rows have, by new names."""
        first, second = self._entities
        found = {}
        for own in sorted(self._theirs):
            if self._same(own, is_below=is_below) is not None:
                continue
            if own not in second.fields:
                raise ApartError
            name = f"{second.name}_{own}"
            while name in first.types or name in found:
                name += "_"
            found[name] = own
        return found

    def _called(self, fields: Mapping[str, str], *, is_below: bool) -> dict[str, str]:
        called = {own: name for name, own in fields.items()}
        for own in self._theirs:
            same = self._same(own, is_below=is_below)
            if same is not None:
                called[own] = same
        return called

    def _same(self, own: str, *, is_below: bool) -> str | None:
        """Returns the first's column that has the same values in joined rows."""
        if own in _SOURCE or (own in _PERSON and is_below):
            return own
        mine, theirs = (one.types for one in self._entities)
        return next(
            (one for one, other in self._ties if other == own and mine[one] == theirs[own]), None
        )

    def _entity(self, name: str, fields: Mapping[str, str]) -> Entity:
        first, second = self._entities
        added = {new: Field(new, second.fields[own].type) for new, own in fields.items()}
        # What rows must bear is known to be there.
        return replace(first, name=name, fields={**first.fields, **added}, bearing=(), order=())

    def _in_world(self, entity: Entity, branches: list[Branch], fields: Mapping[str, str]) -> World:
        world, (first, second) = self._world, self._entities
        old = world.planner
        canonical = old.catalog.canonical
        catalog = replace(
            old.catalog,
            canonical=replace(canonical, entities={**canonical.entities, entity.name: entity}),
            sources={
                name: replace(
                    source,
                    branches=(*source.branches, *(b for b in branches if b.source == name)),
                )
                for name, source in old.catalog.sources.items()
            },
        )
        planner = Planner(catalog, old.connectors, old.sealing)
        planner.rows |= old.rows
        types = {
            **world.types[first.name],
            **{new: second.fields[own].type for new, own in fields.items()},
        }
        decision = replace(
            world.decision, fields={**world.decision.fields, entity.name: frozenset(types)}
        )
        origins = {
            **{own: self._origin(first.name, own) for own in types if own not in fields},
            **{new: self._origin(second.name, own) for new, own in fields.items()},
        }
        return World(
            planner,
            decision,
            {**world.types, entity.name: types},
            {**world.origins, entity.name: origins},
            {**world.parts, entity.name: (*self._parts(first.name), *self._parts(second.name))},
        )

    def _parts(self, relation: str) -> tuple[str, ...]:
        return self._world.parts.get(relation, (relation,))

    def _origin(self, relation: str, column: str) -> tuple[str, str]:
        return self._world.origins.get(relation, {}).get(column, (relation, column))


def _free(name: str, world: World) -> str:
    while name in world.planner.catalog.canonical.entities:
        name += "_"
    return name
