"""Decides how a question is answered: passes per section, merged fragments, cached plans."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cachetools import LRUCache
from sqlglot import exp

from roundview_catalog.model import Branch, Catalog
from roundview_federation.connectors.port import Connector
from roundview_federation.drafts import Drafts, fold_up, ways
from roundview_federation.plan import (
    ROW_HEAD,
    HiddenRead,
    KeySet,
    Mirror,
    Plan,
    PlanKey,
    PlannedFragment,
    PlannedSection,
    Question,
    Section,
)
from roundview_federation.request import Decision
from roundview_federation.rewrite import PASSES
from roundview_federation.rewrite.arrive import arrive
from roundview_federation.rewrite.consents import needs_any
from roundview_federation.rewrite.context import RewriteContext
from roundview_federation.rewrite.derive import CustomerPlan, derive
from roundview_federation.rewrite.first_rows import FIRST, first_rows
from roundview_federation.rewrite.mirrors import mirrored
from roundview_federation.rewrite.narrow import (
    Narrowed,
    alike,
    compared,
    judged,
    narrow,
    turned,
)
from roundview_federation.rewrite.push import push
from roundview_federation.rewrite.sealing import KeySealing
from roundview_federation.rewrite.top_rows import top_rows
from roundview_federation.rewrite.unfold import POSTGRES, KnownRows, Unfolded, asked_of, unfold
from roundview_federation.rewrite.verdict import Turned
from roundview_federation.top_rows import MOST, with_most

_PLANS = 512


class Planner:
    """Prepares plans for one catalog snapshot and keeps them by PlanKey."""

    def __init__(
        self,
        catalog: Catalog,
        connectors: Mapping[str, Connector],
        sealing: KeySealing | None = None,
    ) -> None:
        self.catalog = catalog
        self.sealing = sealing
        self.connectors = connectors
        self._plans: LRUCache[PlanKey, Plan] = LRUCache(_PLANS)
        self._turned: LRUCache[PlanKey, tuple[tuple[Turned, ...], ...]] = LRUCache(_PLANS)
        self.rows: KnownRows = {}
        """what the rows of branches are made of, found out once"""
        self._making: dict[PlanKey, asyncio.Future[Plan]] = {}

    def plans(self) -> tuple[Plan, ...]:
        """Returns the plans that are kept."""
        return tuple(self._plans.values())

    async def prepare(
        self,
        question: Question,
        decision: Decision,
        *,
        hidden: Callable[[], tuple[Section, ...]] = tuple,
        variant: str = "",
        sources: frozenset[str] | None = None,
    ) -> Plan:
        """Returns the plan of a question for everyone with the same rules.

        `hidden` gives sections that we read for ourselves (re-checks of identifiers), and
        `variant` names them in the key; `sources` limits the plan to some sources. A plan that
        is not known yet is made once, in a thread, however many wait for it.
        """
        key = self._key(f"{question.shape}|{variant}", decision)
        plan = self._plans.get(key)
        if plan is not None:
            return plan
        return await self._made(
            key, lambda: _plan(key, question.sections, hidden(), decision, self, sources)
        )

    async def narrowed(
        self, question: Question, decision: Decision, values: Mapping[str, Any]
    ) -> Plan:
        """Returns the plan of a question of one section for values that narrow it.

        Values that narrow alike share all of the plan but its constants.
        """
        shape = self._key(question.shape, decision)
        turned = self._turned.get(shape)
        if turned is not None:
            verdicts = [judged(one, values) for one in turned]
            plan = self._plans.get(replace(shape, narrowing=alike(verdicts)))
            if plan is not None:
                return replace(plan, constants={**plan.constants, **compared(turned, verdicts)})
        (section,) = question.sections
        asked = (replace(section, values=values),)
        plan = await self._made(
            replace(shape, narrowing=(repr(values),)),
            lambda: _plan(shape, asked, (), decision, self, None),
        )
        self._turned[shape] = plan.turned
        return plan

    def _key(self, shape: str, decision: Decision) -> PlanKey:
        return PlanKey(shape, self.catalog.version, decision.policy_shape, "direct")

    async def _made(self, key: PlanKey, make: Callable[[], Plan]) -> Plan:
        """Returns what is made in a thread, once however many wait for it."""
        making = self._making.get(key)
        if making is None:
            making = asyncio.ensure_future(asyncio.to_thread(make))
            self._making[key] = making
            making.add_done_callback(lambda done: self._keep(key, done))
        return await asyncio.shield(making)

    def _keep(self, key: PlanKey, done: asyncio.Future[Plan]) -> None:
        del self._making[key]
        if not done.cancelled() and done.exception() is None:
            plan = done.result()
            self._plans[plan.key] = plan


def unfoldings(
    section: Section,
    decision: Decision,
    planner: Planner,
    branches: Sequence[Branch],
    columns: Sequence[str],
    *,
    joins: bool = False,
) -> Iterator[Unfolded]:
    """Yields every slot of some branches, rules at the leaf; `joins`: who reads them can join."""
    context = RewriteContext(planner.catalog.canonical, decision, section)
    tree = section.tree
    for rewrite in PASSES:
        tree = rewrite(tree, context)
    asked = asked_of(tree)
    for branch in branches:
        yield from unfold(
            asked,
            branch,
            planner.catalog,
            tuple(columns),
            joins=joins or planner.connectors[branch.source].capabilities.joins,
            sealing=planner.sealing,
            known=planner.rows,
        )


def _plan(
    key: PlanKey,
    asked: tuple[Section, ...],
    hidden: tuple[Section, ...],
    decision: Decision,
    planner: Planner,
    sources: frozenset[str] | None,
) -> Plan:
    drafts = Drafts(sources)
    planned: dict[str, PlannedSection] = {}
    customers: dict[str, CustomerPlan] = {}
    whole: list[PlannedSection] = []
    entities = {section.name: section.entity for section in asked}
    for section in asked:
        if section.entity == "customer":
            customer, needed = derive(section, planner.catalog, decision)
            customers[section.name] = customer
            for part in needed:
                planned |= _with_mirrors(part, decision, planner, drafts)
                whole.append(planned[part.name])
        else:
            above = entities.get(section.parent, "")
            planned |= _with_mirrors(section, decision, planner, drafts, above)
    reads: dict[str, HiddenRead] = {}
    everything = own_decision(planner.catalog, decision) if hidden else decision
    for section in hidden:
        known = next((one for one in whole if _has_rows_of(one, section, decision)), None)
        if known is None:
            branches = planner.catalog.branches(section.entity)
            known = _section(section, everything, planner, drafts, branches)
            planned[section.name] = known
        columns = section.columns
        at = tuple(len(ROW_HEAD) + known.columns.index(name) for name in columns)
        reads[section.name] = HiddenRead(known.section.name, columns, at)
    fragments = _fragments(drafts, planner)
    return Plan(
        key=replace(key, narrowing=alike(drafts.verdicts)),
        keysets=drafts.keysets,
        fragments=fragments,
        sections=planned,
        outputs=tuple(s.name for s in asked if s.entity != "customer"),
        customer=customers,
        constants=drafts.constants,
        turned=tuple(drafts.turned),
        notes=(
            *_notes(fragments, drafts.keysets),
            *(f"{branch} is not asked: no row of it can match" for branch in drafts.pruned),
        ),
        hidden=reads,
    )


def _has_rows_of(known: PlannedSection, hidden: Section, decision: Decision) -> bool:
    """Tells whether a whole list shows what a hidden section would read, as sources have it."""
    section, entity = known.section, hidden.entity
    if (section.entity, section.lookup) != (entity, hidden.lookup) or known.mirrors:
        return False
    is_ruled = decision.row_filters.get(entity) or needs_any(decision, entity)
    if is_ruled or any(name == entity for name, _ in decision.masks):
        return False
    return set(hidden.columns) <= set(known.columns)


def _fragments(drafts: Drafts, planner: Planner) -> tuple[PlannedFragment, ...]:
    rounds: dict[str, int] = {}
    fragments = []
    for draft in drafts.fragments.values():
        fragment = draft.fragment()
        connector = planner.connectors[draft.source]
        top = draft.top() if connector.capabilities.top_rows else None
        top_call = None
        if top is not None:
            top_call = connector.compile(replace(fragment, top=top))
            few = with_most(fragment.tree)
            fragment = replace(fragment, tree=few, params=(*fragment.params, MOST))
        call = connector.compile(fragment)
        waits_for = [drafts.keysets[name].fragment for name in fragment.keysets]
        rounds[draft.id] = 1 + max((rounds[name] for name in waits_for if name), default=0)
        fragments.append(
            PlannedFragment(
                fragment=fragment,
                call=call,
                arrivals=tuple(compiled() for compiled in drafts.arrivals[draft.id]),
                handovers=tuple(compiled() for compiled in drafts.handovers[draft.id]),
                round=rounds[draft.id],
                keys_per_call=getattr(call, "keys_per_call", 0),
                top_call=top_call,
                pages=tuple(page for _, page in draft.tops) if top else (),
            )
        )
    return tuple(fragments)


def _notes(fragments: tuple[PlannedFragment, ...], keysets: Mapping[str, KeySet]) -> Iterator[str]:
    tables = {p.fragment.id: p.fragment.tree.args["from_"].this.name for p in fragments}
    for planned in fragments:
        for name in planned.fragment.keysets:
            above = keysets[name].fragment
            if above:
                own = tables[planned.fragment.id]
                yield (
                    f"{planned.fragment.source}: {own} is asked in round {planned.round}, "
                    f"with the keys that {tables[above]} gave"
                )


def _with_mirrors(
    section: Section, decision: Decision, planner: Planner, drafts: Drafts, above: str = ""
) -> dict[str, PlannedSection]:
    """Plans one list and what its rows take from mirrors of them."""
    catalog = planner.catalog
    columns = _columns(section)
    reads = tuple(mirrored(section, columns, catalog, decision))
    columns += [name for name in dict.fromkeys(read.by for read in reads) if name not in columns]
    branches = catalog.branches(section.entity)
    planned = {}
    mirrors = []
    offset = len(ROW_HEAD)
    for read in reads:
        part = read.section
        planned[part.name] = _section(part, decision, planner, drafts, (read.branch,))
        pairs = [(columns.index(name), at) for at, name in enumerate(part.columns) if at]
        mirrors.append(
            Mirror(
                section=part.name,
                owner=read.owner,
                by_here=offset + columns.index(read.by),
                by_there=offset,
                columns=tuple((offset + here, offset + there) for here, there in pairs),
            )
        )
    own = _section(section, decision, planner, drafts, branches, columns, above)
    return {section.name: replace(own, mirrors=tuple(mirrors)), **planned}


def _columns(section: Section) -> list[str]:
    """Returns the columns of a section's rows: those asked for, then those of its order."""
    columns = list(section.columns)
    order = section.tree.args.get("order")
    names = [term.this.name for term in order.expressions] if order else []
    return columns + [name for name in dict.fromkeys(names) if name not in columns]


def _section(
    section: Section,
    decision: Decision,
    planner: Planner,
    drafts: Drafts,
    branches: tuple[Branch, ...],
    columns: Sequence[str] = (),
    above: str = "",
) -> PlannedSection:
    """Plans one list of rows of some branches.

    `columns` are those of the rows where they are more than the section needs itself; `above` is
    the entity that its rows must lie below ("" for any or none).
    """
    order = section.tree.args.get("order")
    terms = [
        (term.this.name, bool(term.args.get("desc")))
        for term in (order.expressions if order else ())
    ]
    columns = list(columns) or _columns(section)
    if drafts.sources is not None:
        branches = tuple(one for one in branches if one.source in drafts.sources)
    if above:
        branches = tuple(one for one in branches if one.parent and one.parent.entity == above)
    for unfolded in unfoldings(section, decision, planner, branches, columns):
        capabilities = planner.connectors[unfolded.branch.source].capabilities
        narrowed = Narrowed()
        if section.narrows:
            conditions = turned(unfolded, frozenset(section.values), capabilities)
            verdicts = judged(conditions, section.values)
            drafts.turned.append(conditions)
            drafts.verdicts.append(verdicts)
            if verdicts is None:
                drafts.pruned.append(unfolded.branch.id)
                continue
            narrowed = narrow(conditions, verdicts, drafts.names)
        drafts.constants |= narrowed.constants
        if fold_up(unfolded, narrowed, section, capabilities, drafts):
            continue
        for bound, keys in ways(unfolded, section, planner.connectors, drafts, narrowed):
            pushed = push(
                unfolded,
                bound,
                capabilities,
                drafts.fragments,
                keyset=keys,
                conditions=tuple(narrowed.conditions),
                params=tuple(narrowed.constants),
                row_cap=section.row_cap,
            )
            if keys is not None and keys.param:
                # Found by values of the row itself: whose it is, is for the row to say.
                pushed = replace(pushed, bound=None)
            if section.first is not None and first_rows(unfolded, pushed, narrowed, section.first):
                drafts.constants[FIRST] = section.first.count
            top = top_rows(unfolded, pushed, section, terms)
            if top is not None and section.page is not None:
                pushed.draft.tops.append((top, section.page))
            arriving = arrive(
                unfolded, pushed, section.name,
                is_headless=section.narrows, spared=section.spared,
            )  # fmt: skip
            drafts.arrivals[pushed.draft.id].append(arriving)
    offset = len(ROW_HEAD)
    return PlannedSection(
        section=section,
        columns=tuple(columns),
        order=tuple((offset + columns.index(name), descending) for name, descending in terms),
        sources=tuple(dict.fromkeys(one.source for one in branches)),
        text=section.tree.sql(dialect=POSTGRES, copy=False) if section.page is not None else "",
        parameters=tuple(sorted({p.name for p in section.tree.find_all(exp.Placeholder)})),
    )


def own_decision(catalog: Catalog, decision: Decision) -> Decision:
    """Returns the decision under which we read for ourselves: everything, unmasked."""
    return replace(
        decision,
        fields={name: frozenset(e.types) for name, e in catalog.canonical.entities.items()},
        row_filters={},
        masks={},
        consent=None,
    )
