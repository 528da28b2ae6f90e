"""Decides how a question is answered: passes per section, merged fragments, cached plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from cachetools import LRUCache
from sqlglot import exp

from roundview_catalog.model import Catalog
from roundview_federation.connectors.port import Connector
from roundview_federation.plan import (
    ROW_HEAD,
    Arrival,
    KeySet,
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
from roundview_federation.rewrite.context import RewriteContext
from roundview_federation.rewrite.derive import CustomerPlan, derive
from roundview_federation.rewrite.push import Bound, FragmentDraft, bounds, push
from roundview_federation.rewrite.unfold import unfold

_PLANS = 512


class Planner:
    """Prepares plans for one catalog snapshot and keeps them by PlanKey."""

    def __init__(self, catalog: Catalog, connectors: Mapping[str, Connector]) -> None:
        self.catalog = catalog
        self.connectors = connectors
        self._plans: LRUCache[PlanKey, Plan] = LRUCache(_PLANS)

    def prepare(
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
        `variant` names them in the key; `sources` limits the plan to some sources.
        """
        key = PlanKey(
            f"{question.shape}|{variant}", self.catalog.version, decision.policy_shape, "direct"
        )
        plan = self._plans.get(key)
        if plan is None:
            plan = _plan(key, question.sections, hidden(), decision, self, sources)
            self._plans[key] = plan
        return plan


@dataclass(slots=True)
class _Drafts:
    sources: frozenset[str] | None
    fragments: dict[str, FragmentDraft] = field(default_factory=dict)
    arrivals: dict[str, list[Callable[[], Arrival]]] = field(default_factory=dict)
    keysets: dict[str, KeySet] = field(default_factory=dict)


def _plan(
    key: PlanKey,
    asked: tuple[Section, ...],
    hidden: tuple[Section, ...],
    decision: Decision,
    planner: Planner,
    sources: frozenset[str] | None,
) -> Plan:
    drafts = _Drafts(sources)
    planned: dict[str, PlannedSection] = {}
    customers: dict[str, CustomerPlan] = {}
    for section in asked:
        if section.entity == "customer":
            customer, needed = derive(section, planner.catalog, decision)
            customers[section.name] = customer
            for part in needed:
                planned[part.name] = _section(part, decision, planner, drafts)
        else:
            planned[section.name] = _section(section, decision, planner, drafts)
    everything = _own_decision(planner.catalog, decision)
    for section in hidden:
        planned[section.name] = _section(section, everything, planner, drafts)
    fragments = []
    for at, (identity, draft) in enumerate(drafts.fragments.items()):
        fragment = draft.fragment(f"f{at}")
        call = planner.connectors[draft.source].compile(fragment)
        arrivals = tuple(compiled() for compiled in drafts.arrivals[identity])
        fragments.append(PlannedFragment(fragment, call, arrivals))
    return Plan(
        key=key,
        keysets=drafts.keysets,
        fragments=tuple(fragments),
        sections=planned,
        outputs=tuple(s.name for s in asked if s.entity != "customer"),
        customer=customers,
    )


def _section(
    section: Section, decision: Decision, planner: Planner, drafts: _Drafts
) -> PlannedSection:
    catalog = planner.catalog
    context = RewriteContext(catalog.canonical, decision, section)
    tree = section.tree
    for rewrite in PASSES:
        tree = rewrite(tree, context)
    order = tree.args.get("order")
    terms = [
        (term.this.name, bool(term.args.get("desc")))
        for term in (order.expressions if order else ())
    ]
    columns = list(section.columns)
    columns += [name for name, _ in terms if name not in columns]
    sources = []
    for branch in catalog.branches(section.entity):
        if drafts.sources is not None and branch.source not in drafts.sources:
            continue
        capabilities = planner.connectors[branch.source].capabilities
        unfolded_slots = unfold(tree, branch, catalog, tuple(columns), joins=capabilities.joins)
        for unfolded in unfolded_slots:
            ways: tuple[Bound | None, ...] = (None,)
            if section.lookup:
                ways = tuple(bounds(unfolded))
            for bound in ways:
                pushed = push(
                    unfolded,
                    bound,
                    capabilities,
                    drafts.fragments,
                    keyset=_keysets(section.lookup, branch.source, drafts),
                )
                identity = next(
                    name for name, draft in drafts.fragments.items() if draft is pushed.draft
                )
                compiled = arrive(unfolded, pushed, section.name)
                drafts.arrivals.setdefault(identity, []).append(compiled)
        sources.append(branch.source)
    offset = len(ROW_HEAD)
    return PlannedSection(
        section=section,
        columns=tuple(columns),
        order=tuple((offset + columns.index(name), descending) for name, descending in terms),
        sources=tuple(dict.fromkeys(sources)),
    )


def _keysets(lookup: str, source: str, drafts: _Drafts) -> Callable[[Bound], KeySet]:
    def keyset(bound: Bound) -> KeySet:
        parts = (lookup, source, bound.person.branch, bound.type.kind.value, bound.prefix)
        name = "_".join(part for part in parts if part)
        name = "".join(c if c.isalnum() else "_" for c in name)
        known = drafts.keysets.get(name)
        if known is None:
            known = KeySet(
                name=name,
                source=source,
                branch=bound.person.branch,
                type=bound.type,
                prefix=bound.prefix,
                lookup=lookup,
            )
            drafts.keysets[name] = known
        return known

    return keyset


def _own_decision(catalog: Catalog, decision: Decision) -> Decision:
    """Returns the decision under which we read for ourselves: everything, unmasked."""
    return replace(
        decision,
        fields={name: frozenset(e.types) for name, e in catalog.canonical.entities.items()},
        row_filters={},
        masks={},
    )


def selecting(entity: str, columns: tuple[str, ...]) -> exp.Select:
    """Returns `SELECT columns FROM entity`."""
    return exp.select(*(exp.column(c) for c in columns)).from_(exp.to_table(entity))
