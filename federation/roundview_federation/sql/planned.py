"""Decides what a planned question is: reads in order, and what is left for the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from sqlglot import exp

from roundview_catalog.types import Type
from roundview_federation.dialect.translate import OutputColumn
from roundview_federation.dialect.types import PgType
from roundview_federation.plan import Fold, Plan, Question, Section
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.rewrite.query.conditions import Later, Plain
from roundview_federation.rewrite.query.sources import Read
from roundview_federation.sql.direct import Direct
from roundview_federation.sql.strategy import Choice
from roundview_federation.sql.witness import Decided


@dataclass(frozen=True, slots=True)
class World:
    """What a question is planned in where sources join: relations that they have, and for whom.

    `types` are those of all its relations' columns. `origins` has for columns of joined relations
    the relation and column that they come from, `parts` the entities that are joined.
    """

    planner: Planner
    decision: Decision
    types: Mapping[str, Mapping[str, Type]]
    origins: Mapping[str, Mapping[str, tuple[str, str]]]
    parts: Mapping[str, tuple[str, ...]]

    def decided(self, decision: Decision) -> Decision:
        """Returns the decision of an asker with the same rules, who sees joined relations too."""
        return replace(decision, fields=self.decision.fields)


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """How one read is answered: alone, and bound by the keys that `choice` waits for.

    `columns` are those of its table; with a `fold` they are made of the rows' `inputs`.
    `customers` are ids that the question itself names (None: any). `key` is the parameter of the
    keys; it is empty where they are customers. `is_point` tells whether an index finds the rows.
    `world` is there where sources join what the read is of.
    """

    read: Read
    columns: Mapping[str, Type]
    choice: Choice
    alone: Section
    bound: Section | None
    conditions: Plain
    customers: tuple[str | Later, ...] | None
    key: str = ""
    is_point: bool = False
    fold: Fold | None = None
    folded_inputs: Mapping[str, Type] = field(default_factory=dict)
    world: World | None = None
    questions: dict[bool, Question] = field(default_factory=dict, compare=False)
    """what the planner is asked, by whether the read is bound: made when it is first needed"""

    @property
    def inputs(self) -> Mapping[str, Type]:
        """Returns the columns of the rows that sources are asked for."""
        return self.columns if self.fold is None else self.folded_inputs

    @property
    def entities(self) -> Mapping[str, list[str]]:
        """Returns the relations of the catalog that are read, with the columns of each."""
        relation, world = self.read.relation, self.world
        if world is None:
            return {relation: list(self.inputs)}
        found: dict[str, list[str]] = {part: [] for part in world.parts[relation]}
        for column in self.inputs:
            part, own = world.origins[relation][column]
            found[part].append(own)
        return found

    def named(self, column: str) -> str:
        """Returns what messages call a column that is read."""
        relation = self.read.relation
        known = {} if self.world is None else self.world.origins[relation]
        return ".".join(known.get(column, (relation, column)))


@dataclass(frozen=True, slots=True)
class PointPlan:
    """The plan of the only read of a question: one fragment of one source, whose rows answer it.

    It serves all values that make the same of the conditions, which every row fulfils that
    arrives. `schema` is that of the rows, `finish` orders and cuts them; `told` is what the audit
    log is told: columns, sources, customers and whether of no others.
    """

    plan: Plan
    schema: pa.Schema
    finish: Direct
    told: tuple[list[tuple[str, Iterable[str]]], set[str], tuple[list[str], bool]]


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """A whole question: reads in an order in which nobody waits for a later one."""

    shape: str
    reads: Mapping[str, PlannedRead]
    residual: exp.Query
    text: str
    columns: tuple[OutputColumn, ...]
    uses_clock: bool
    direct: Direct | None = None
    parameters: Mapping[int, PgType] = field(default_factory=dict)
    """types of the asker's $1, $2 … in the residual"""
    values: Mapping[str, str] = field(default_factory=dict)
    """what they say, by their names in the residual"""
    decided: tuple[Decided, ...] = ()
    """what of their texts decided how the question is planned"""
    points: list[PointPlan] = field(default_factory=list, compare=False)
    """plans that answer it at once, whoever of those that share it asks: found as it is answered"""


def known_values(planned: PlannedRead) -> Mapping[str, Any]:
    """Returns the parameters of a read that are known before it runs, lists as dictionaries."""
    return as_parameters(planned.conditions.values)


def as_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of conditions as a plan takes them: lists as dictionaries."""
    return {
        name: dict.fromkeys(value) if isinstance(value, list) else value
        for name, value in values.items()
    }
