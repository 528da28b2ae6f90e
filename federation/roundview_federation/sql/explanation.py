"""Says how a SQL question is answered: what is asked of whom, why so, and what it brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from roundview_catalog.model import Catalog
from roundview_federation.connectors.port import Connector
from roundview_federation.plan import Plan
from roundview_federation.request import Decision
from roundview_federation.sql.planned import PlannedQuery, PlannedRead
from roundview_federation.sql.running import Fetched, ReadRun

if TYPE_CHECKING:
    from roundview_federation.sql.trino.statement import Statement


ASKED_FOR = "asked for"
"""The reason of an engine that the asker chose."""


@dataclass(frozen=True, slots=True)
class FragmentExplained:
    """One statement or call that a source gets; `keys` names what it is bound by."""

    source: str
    branches: tuple[str, ...]
    statement: str
    keys: str
    round: int


@dataclass(slots=True)
class ReadExplained:
    """One relation of the question: what is wanted of it, how it is asked, what came.

    `strategy` is customers, keys, lookup or scan; `why` has the numbers that chose it;
    `waits_for` names the reads whose keys it is asked by. The last fields are None where the
    question did not run.
    """

    name: str
    relation: str
    columns: tuple[str, ...]
    conditions: tuple[str, ...]
    strategy: str
    why: str
    fragments: tuple[FragmentExplained, ...]
    pruned: tuple[str, ...]
    waits_for: tuple[str, ...] = ()
    keys: int | None = None
    rows_fetched: int | None = None
    rows: int | None = None
    milliseconds: float | None = None
    is_streamed: bool | None = None


@dataclass(slots=True)
class Explanation:
    """A whole question; `as_dict` is the JSON form.

    `measured`: source -> seconds since the sizes of its tables were noted, where that is known.
    `statement` is what Trino gets, with what its `session` says, the branches that are `pruned`
    from it and those that are read in their source's `own` SQL; `bytes_fetched` is what Trino says
    that it read. They are empty without Trino.
    """

    question: str
    engine: str
    reason: str
    reads: tuple[ReadExplained, ...]
    residual: str
    policy: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    rows_fetched: int | None = None
    rows_needed: int | None = None
    measured: dict[str, float] = field(default_factory=dict)
    statement: str = ""
    session: dict[str, str] = field(default_factory=dict)
    pruned: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    bytes_fetched: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns plain dictionaries and lists."""
        return asdict(self)


def explain(
    planned: PlannedQuery,
    plans: Mapping[str, Plan],
    connectors: Mapping[str, Connector],
    decision: Decision,
    fetched: Fetched | None = None,
) -> Explanation:
    """Explains a plan, with what it brought where it ran; `plans` are those of its reads."""
    reads = tuple(
        _read(one, plans.get(name), connectors, fetched.runs.get(name) if fetched else None)
        for name, one in sorted(planned.reads.items())
    )
    entities = {entity for one in planned.reads.values() for entity in one.entities}
    is_direct = planned.direct is not None
    return Explanation(
        question=planned.shape,
        engine="direct" if is_direct else "embedded",
        reason="columns of one relation, filtered, ordered and cut in process"
        if is_direct
        else "joins, groups or expressions are finished by DuckDB",
        reads=reads,
        residual=planned.residual.sql(dialect="postgres", pretty=True),
        policy=tuple(_policy(decision, entities)),
        rows_fetched=fetched.rows if fetched else None,
    )


def explain_statement(explained: Explanation, statement: Statement) -> None:
    """Puts what Trino gets into an explanation."""
    explained.statement = statement.text(pretty=True)
    explained.session = dict(statement.properties)
    explained.pruned = statement.pruned
    explained.own = statement.notes


def _read(
    planned: PlannedRead,
    plan: Plan | None,
    connectors: Mapping[str, Connector],
    run: ReadRun | None,
) -> ReadExplained:
    one, bind = planned.read, planned.choice.bind
    if planned.customers is not None:
        strategy = "customers"
    elif bind is not None:
        strategy = "keys" if planned.key else "customers"
    else:
        strategy = "lookup" if one.arguments else "scan"
    explained = ReadExplained(
        name=one.name,
        relation=one.relation,
        columns=tuple(planned.columns),
        conditions=tuple(_written(tree) for tree in planned.conditions.trees),
        strategy=strategy,
        why=planned.choice.why,
        fragments=tuple(_fragments(plan, connectors)) if plan is not None else (),
        pruned=tuple(note for note in plan.notes if note.endswith("can match")) if plan else (),
        waits_for=tuple(dict.fromkeys(name for name, _ in bind.of)) if bind is not None else (),
    )
    if run is not None:
        explained.keys = run.keys
        explained.rows_fetched = sum(status.rows for status in run.statuses)
        explained.rows = run.count
        explained.milliseconds = max((status.ms for status in run.statuses), default=0.0)
        explained.is_streamed = run.is_streamed
    return explained


def _fragments(plan: Plan, connectors: Mapping[str, Connector]) -> list[FragmentExplained]:
    return [
        FragmentExplained(
            source=one.fragment.source,
            branches=tuple(dict.fromkeys(arrival.branch for arrival in one.arrivals)),
            statement=connectors[one.fragment.source].explain(one.call),
            keys=", ".join(one.fragment.keysets),
            round=one.round,
        )
        for one in plan.fragments
    ]


def _policy(decision: Decision, entities: set[str]) -> list[str]:
    masks = [f"mask of {e}.{f}" for e, f in sorted(decision.masks) if e in entities]
    filters = [f"row filter of {e}" for e in sorted(decision.row_filters) if e in entities]
    return [*filters, *masks]


def _written(tree: exp.Expr) -> str:
    """Writes a condition with the name of its value."""
    return tree.sql(dialect="duckdb").replace("$", ":")


def ages_of(planned: PlannedQuery, catalog: Catalog, now: datetime) -> dict[str, float]:
    """Returns how old the numbers are that chose the strategies, in seconds, by source."""
    relations = {entity for one in planned.reads.values() for entity in one.entities}
    asked = sorted({b.source for name in relations for b in catalog.branches(name)})
    times = {name: catalog.sources[name].measured_at for name in asked}
    return {
        name: max(0.0, (now - time).total_seconds())
        for name, time in times.items()
        if time is not None
    }
