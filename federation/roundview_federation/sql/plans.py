"""Decides which plan a text has: one of its own, or one that others with its shape made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from cachetools import LRUCache
from sqlglot import exp

from roundview_federation.dialect.gate import gate
from roundview_federation.request import Decision
from roundview_federation.snapshot import Snapshot
from roundview_federation.sql.arguments import (
    Arguments,
    Described,
    bind,
    describe,
    plan_with,
)
from roundview_federation.sql.derived import Relations
from roundview_federation.sql.fingerprint import Fingerprint, fingerprint
from roundview_federation.sql.planned import PlannedQuery
from roundview_federation.sql.planning import plan_tree
from roundview_federation.sql.point_questions import Point, found
from roundview_federation.sql.relations import visible
from roundview_federation.sql.sharing import Shared, bound, plan_shared
from roundview_federation.sql.witness import Witness

_MOST = 256
_MOST_HOLES = 32
"""Constants above which a statement of Trino is another for each text: a long list is one text."""
_VARIANTS = 4
"""Plans that are kept of one shape for values of which sources make something else."""

_Key = tuple[str, str, bool]
"""A text or its shape, the rules of the asker (see `_rules`), and whether scans are allowed."""


class Plans:
    """Makes and keeps the plans of SQL texts for one catalog snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._relations: LRUCache[str, Relations] = LRUCache(_MOST)
        self._plans: LRUCache[_Key, PlannedQuery] = LRUCache(_MOST)
        self._written: LRUCache[_Key, PlannedQuery] = LRUCache(_MOST)
        self._free: LRUCache[_Key, frozenset[int]] = LRUCache(_MOST)
        self._shared: LRUCache[tuple[_Key, tuple[str, ...]], list[PlannedQuery]] = LRUCache(_MOST)
        """plans that questions share, by their shape and the constants that name them"""
        self._described: LRUCache[tuple[str, tuple[str, ...], str], Described] = LRUCache(_MOST)
        self._open: LRUCache[tuple[_Key, tuple[object, ...]], list[Shared]] = LRUCache(_MOST)
        """plans of questions with parameters, by their types and what is NULL or a list"""

    def relations(self, decision: Decision) -> Relations:
        """Returns what everyone with the same rules can name; made once."""
        found = self._relations.get(decision.policy_shape)
        if found is None:
            found = self._relations[decision.policy_shape] = visible(
                self._snapshot.catalog, decision
            )
        return found

    async def prepare(
        self, text: str, decision: Decision, *, allow_scan: bool, is_for_trino: bool = False
    ) -> PlannedQuery:
        """Returns the plan of a text for everyone with the same rules.

        It is made in a thread, once for all texts that differ in constants on which it does not
        depend. Trino reads the tables itself: for it, nothing is left to what our connectors prove.
        """
        key = (text, _rules(decision, is_for_trino), allow_scan)
        planned = self._plans.get(key)
        if planned is None:
            known = fingerprint(text)
            if is_for_trino and known is not None and len(known.constants) > _MOST_HOLES:
                known = None
            own = None if is_for_trino else decision
            planned = await self._prepared(text, known, self.relations(decision), own, key)
        return planned

    async def begin(
        self,
        text: str,
        arguments: Arguments | None,
        decision: Decision,
        today: Callable[[str], str],
        *,
        allow_scan: bool,
        is_short: bool,
    ) -> tuple[PlannedQuery, Point | None]:
        """Returns the plan of a text, and how it is answered at once, if it can be and `is_short`.

        Then parameters of the plan may be open still.
        """
        key = (text, decision.policy_shape, allow_scan)
        planned = None if arguments is not None else self._plans.get(key)
        if arguments is not None:
            planned = await self.prepare_with(
                text, arguments, decision, today, allow_scan=allow_scan
            )
        elif planned is None:
            known = fingerprint(text)
            if known is not None and is_short:
                for shared in self._others(known, key):
                    point = found(shared, known.texts, decision)
                    if point is not None:
                        return shared, point
            relations = self.relations(decision)
            planned = await self._prepared(text, known, relations, decision, key)
        return planned, found(planned, (), decision) if is_short else None

    async def describe(self, text: str, types: tuple[str, ...], decision: Decision) -> Described:
        """Returns the columns and parameters of a text; `types` are those that are declared."""
        key = (text, types, decision.policy_shape)
        found = self._described.get(key)
        if found is None:
            found = await asyncio.to_thread(describe, text, types, self.relations(decision))
            self._described[key] = found
        return found

    async def prepare_with(
        self,
        text: str,
        arguments: Arguments,
        decision: Decision,
        today: Callable[[str], str],
        *,
        allow_scan: bool,
        is_for_trino: bool = False,
    ) -> PlannedQuery:
        """Returns the plan of a text with $1, $2 …, shared by all values that allow it."""
        planner, relations = self._snapshot.planner, self.relations(decision)
        rest = tuple(type(said) for said in arguments.texts)
        own = None if is_for_trino else decision
        key = ((text, _rules(decision, is_for_trino), allow_scan), (arguments.types, rest))
        for known in self._open.get(key, ()):
            found = bind(known, arguments, today, text)
            if found is not None:
                return found

        def plan(tree: exp.Query, witness: Witness) -> PlannedQuery:
            return plan_tree(
                text, tree, planner, relations, witness, allow_scan=allow_scan, decision=own
            )

        shared, planned = await asyncio.to_thread(plan_with, text, arguments, today, plan)
        if shared.planned is not None:
            self._open[key] = [shared, *self._open.get(key, ())][:_VARIANTS]
        return planned

    async def as_written(
        self,
        text: str,
        decision: Decision,
        *,
        allow_scan: bool,
        is_for_trino: bool = False,
    ) -> PlannedQuery:
        """Returns a plan of one text only: its residual has the constants, and no parameters."""
        planner, relations = self._snapshot.planner, self.relations(decision)

        def plan() -> PlannedQuery:
            return plan_tree(
                text,
                gate(text),
                planner,
                relations,
                Witness(),
                allow_scan=allow_scan,
                decision=None if is_for_trino else decision,
            )

        key = (text, _rules(decision, is_for_trino), allow_scan)
        planned = self._written.get(key)
        if planned is None:
            planned = self._written[key] = await asyncio.to_thread(plan)
        return planned

    def of_others(self, text: str, known: Fingerprint, key: _Key) -> PlannedQuery | None:
        """Returns the plan of a text that others made, None where there is none."""
        for shared in self._others(known, key):
            planned = bound(shared, known.texts, text)
            if planned is not None:
                return planned
        return None

    def _others(self, known: Fingerprint, key: _Key) -> Sequence[PlannedQuery]:
        shape = (known.shape, *key[1:])
        free = self._free.get(shape)
        return self._shared.get((shape, known.without(free)), ()) if free else ()

    async def _prepared(
        self,
        text: str,
        known: Fingerprint | None,
        relations: Relations,
        decision: Decision | None,
        key: _Key,
    ) -> PlannedQuery:
        planned = None if known is None else self.of_others(text, known, key)
        if planned is None:
            planned = await self._made(text, known, relations, decision, key)
        self._plans[key] = planned
        return planned

    async def _made(
        self,
        text: str,
        known: Fingerprint | None,
        relations: Relations,
        decision: Decision | None,
        key: _Key,
    ) -> PlannedQuery:
        planner, allow_scan = self._snapshot.planner, key[2]

        def plan(tree: exp.Query, witness: Witness) -> PlannedQuery:
            return plan_tree(
                text, tree, planner, relations, witness, allow_scan=allow_scan, decision=decision
            )

        shape = (known.shape if known is not None else "", *key[1:])
        free = self._free.get(shape)
        if known is None or free == frozenset():
            return await asyncio.to_thread(lambda: plan(gate(text), Witness()))
        shared, planned = await asyncio.to_thread(plan_shared, text, known, plan)
        if free is None:
            free = self._free[shape] = shared.free
        # Another plan of the same name needs other constants in its tree: nobody would find it.
        if shared.planned is not None and shared.free == free:
            name = (shape, known.without(free))
            self._shared[name] = [shared.planned, *self._shared.get(name, ())][:_VARIANTS]
        return planned


def _rules(decision: Decision, is_for_trino: bool) -> str:
    """Names the rules of an asker; a question for Trino is planned by other means."""
    return f"trino|{decision.policy_shape}" if is_for_trino else decision.policy_shape
