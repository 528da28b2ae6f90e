"""Decides how a SQL text is answered: its reads, a plan for each, and the residual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from roundview_catalog.types import Type
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.dialect.gate import gate
from roundview_federation.dialect.names import resolve
from roundview_federation.dialect.translate import translate
from roundview_federation.key_sets import in_keys, keyset_of
from roundview_federation.plan import FirstRows, Lookup, Plan, Question, Section
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.rewrite.mirrors import lent
from roundview_federation.rewrite.query.conditions import Later, Plain, ValuesDecide, plain
from roundview_federation.rewrite.query.folds import Folding, foldings
from roundview_federation.rewrite.query.handing import hand_on
from roundview_federation.rewrite.query.merge import merge
from roundview_federation.rewrite.query.reads import LOOKUP, Reading, read
from roundview_federation.rewrite.query.sources import Bind, Read, text_of
from roundview_federation.rewrite.query.spare import spare
from roundview_federation.sql.consenting import AGREED, with_consent
from roundview_federation.sql.derived import Relations
from roundview_federation.sql.direct import LATE_COLUMNS, Direct, direct, without_lookup
from roundview_federation.sql.expansion import expand
from roundview_federation.sql.folding import partial_type
from roundview_federation.sql.joining import is_worth_it, joined_inside, with_world
from roundview_federation.sql.planned import PlannedQuery, PlannedRead
from roundview_federation.sql.points import is_point
from roundview_federation.sql.relations import is_ours, types_of
from roundview_federation.sql.shrinking import (
    Shrunk,
    exactness,
    folded_section,
    inputs_of,
    shrunk,
)
from roundview_federation.sql.strategy import Estimate, choose, estimate
from roundview_federation.sql.witness import Witness

_DUCKDB = DuckDB()
WHO, ROWS, KEYS = "who", "rows", "k"
"""Names of the customers, the section and the key values of every read: equal reads of different
questions share their plan."""


def plan_query(
    text: str,
    planner: Planner,
    schema: Relations,
    *,
    allow_scan: bool,
    decision: Decision | None = None,
) -> PlannedQuery:
    """Returns how a SQL text is answered; raises RequestError where it cannot be asked.

    `schema` is what the asker can name. Without the asker's `decision` nothing is left to sources
    that depends on rules.
    """
    return plan_tree(
        text, gate(text), planner, schema, Witness(), allow_scan=allow_scan, decision=decision
    )


def plan_tree(
    text: str,
    tree: exp.Query,
    planner: Planner,
    schema: Relations,
    witness: Witness,
    *,
    allow_scan: bool,
    decision: Decision | None = None,
) -> PlannedQuery:
    """Does what `plan_query` does with the tree of the text, in which there may be parameters.

    Where their texts decide, those of the witness do. Raises ValuesDecide where one of them has
    to stand in the tree itself.
    """
    tree = with_consent(expand(resolve(tree, schema), schema), schema.consent)
    # Names of our own are known from here on: nobody could have written them.
    reading = merge(read(tree, dict.fromkeys((*schema, AGREED))))
    hand_on(reading.reads)
    asked = (text, witness)
    if decision is None:
        return _read_apart(asked, reading, planner, schema, None, allow_scan=allow_scan)
    joined = joined_inside(reading, schema, planner, decision)
    planned = _read_apart(asked, reading, planner, schema, decision, allow_scan=allow_scan)
    if joined is None:
        return planned
    together, world = joined
    other = _read_apart(
        asked, together, world.planner, world.types, world.decision, allow_scan=allow_scan
    )
    return with_world(other, world) if is_worth_it(other, planned) else planned


def _read_apart(
    asked: tuple[str, Witness],
    reading: Reading,
    planner: Planner,
    schema: Mapping[str, Mapping[str, Type]],
    decision: Decision | None,
    *,
    allow_scan: bool,
) -> PlannedQuery:
    """Plans every read of a reading by itself, which changes it, and the residual over them."""
    text, witness = asked
    types = {
        one.name: _columns(one, types_of(one.relation, schema)) for one in reading.reads.values()
    }
    over, rest, lookup = without_lookup(reading.residual, reading.reads)
    only = types[next(iter(rest))] if rest else {}
    # What is said of our own rows is said by the residual alone.
    has_ours = any(is_ours(one.relation) for one in rest.values())
    finished = None if has_ours else direct(over, rest, only)
    if finished is None and decision is not None:
        spare(reading, exactness(schema, planner, decision, witness))
        types = {
            name: {column: types[name][column] for column in one.columns}
            for name, one in reading.reads.items()
        }
    reads = _planned(reading.reads, types, planner, schema, allow_scan=allow_scan)
    if finished is None and decision is not None:
        types = {**types, **_shrunk(reading, reads, types, planner, decision, witness)}
    translated = translate(reading.residual, types)
    if finished is not None and lookup and reads[finished.read].choice.bind != _found(lookup):
        finished = None
    if finished is not None and finished.limit is not None and _asks_all(finished, reads):
        one = reads[finished.read]
        first = FirstRows(finished.offset + finished.limit, finished.order)
        reads[finished.read] = replace(one, alone=replace(one.alone, first=first))
    return PlannedQuery(
        shape=text,
        reads=reads,
        residual=translated.tree,
        text=translated.tree.sql(dialect=_DUCKDB),
        columns=translated.columns,
        uses_clock=translated.uses_clock,
        direct=finished,
        parameters=translated.parameters,
        decided=tuple(witness.decided),
    )


def _shrunk(
    reading: Reading,
    reads: dict[str, PlannedRead],
    types: Mapping[str, Mapping[str, Type]],
    planner: Planner,
    decision: Decision,
    witness: Witness,
) -> dict[str, Mapping[str, Type]]:
    """Folds reads where that leaves few rows, in place; returns the types of what they bring."""
    best: dict[int, tuple[Folding, Shrunk]] = {}
    for one in foldings(reading, types):
        planned = reads[one.read.name]
        is_whole = planned.choice.bind is None and planned.customers is None
        if not is_whole or planned.is_point or is_ours(one.read.relation):
            continue
        waited_for = [
            column
            for other in reads.values()
            if other.choice.bind is not None
            for name, column in other.choice.bind.of
            if name == one.read.name
        ]
        found = shrunk(one, planned.alone, waited_for, planner, decision, witness)
        known = best.get(id(one.select))
        if found is not None and (
            known is None or found.rows - found.groups > known[1].rows - known[1].groups
        ):
            best[id(one.select)] = one, found
    made: dict[str, Mapping[str, Type]] = {}
    for one, found in best.values():
        one.apply()
        name, fold = one.read.name, found.fold
        inputs = {column: types[name][column] for column in inputs_of(fold)}
        partials = {partial.name: partial_type(partial, inputs) for partial in fold.partials}
        made[name] = {**{key: inputs[key] for key in fold.keys}, **partials}
        planned = reads[name]
        reads[name] = replace(
            planned,
            columns=made[name],
            fold=fold,
            folded_inputs=inputs,
            alone=folded_section(planned.alone, fold),
            choice=replace(
                planned.choice, estimate=found.groups, why=f"{planned.choice.why}, {found.why}"
            ),
        )
    return made


def _asks_all(finished: Direct, reads: Mapping[str, PlannedRead]) -> bool:
    """Tells whether a read is asked with every condition: only then may it be cut."""
    return len(reads[finished.read].conditions.trees) == len(finished.conditions)


async def plans_of(
    planned: PlannedRead,
    planner: Planner,
    decision: Decision,
    *,
    is_bound: bool,
    by_row: bool = False,
) -> Plan:
    """Returns the plan of a read's section, made once; `by_row` for rows that nobody folds."""
    if planned.world is not None:
        planner, decision = planned.world.planner, planned.world.decided(decision)
    question = planned.questions.get(is_bound)
    if by_row and planned.fold is not None:
        question = _question(replace(planned.alone, fold=None))
    elif question is None:
        section = planned.bound if is_bound and planned.bound is not None else planned.alone
        question = planned.questions[is_bound] = _question(section)
    return await planner.narrowed(question, decision, planned.conditions.values)


def _found(lookup: str) -> Bind:
    return Bind("customer_id", ((lookup, "customer_id"),))


def _question(section: Section) -> Question:
    known = ",".join(sorted(section.values))
    cuts = f"{section.row_cap}|{section.first}|{','.join(sorted(section.spared))}"
    if section.fold is not None:
        fold = section.fold
        cuts += f"|{fold.keys}|{fold.partials}|{sorted(fold.branches)}"
    shape = f"{section.entity}|{cuts}|{text_of(section.tree)}|{section.lookup}|{known}"
    lookups = (Lookup(section.lookup),) if section.lookup else ()
    return Question(shape, lookups, (section,))


def _planned(
    reads: Mapping[str, Read],
    types: Mapping[str, Mapping[str, Type]],
    planner: Planner,
    schema: Mapping[str, Mapping[str, Type]],
    *,
    allow_scan: bool,
) -> dict[str, PlannedRead]:
    conditions: dict[str, Plain] = {}
    customers: dict[str, tuple[str | Later, ...] | None] = {}
    estimates = {}
    for name, one in reads.items():
        if is_ours(one.relation):
            conditions[name], customers[name] = Plain((), {}), None
            estimates[name] = _ours(one, planner)
            continue
        late = LATE_COLUMNS | lent(one.relation, planner.catalog)
        conditions[name], customers[name] = _asked(one, schema[one.relation], late)
        known = customers[name]
        limited = None if known is None else len(known)
        estimates[name] = estimate(one, conditions[name], planner.catalog, limited)
    for name, one in reads.items():
        one.binds = [bind for bind in one.binds if _is_like(bind, types[name], types)]
    bindable = {
        name: _bindable(one, planner) if customers[name] is None else frozenset()
        for name, one in reads.items()
    }
    choices = choose(reads, estimates, bindable)
    planned = {}
    for name, choice in choices.items():
        one = reads[name]
        alone = _section(one, types[name], conditions[name], planner, allow_scan=allow_scan)
        key = ""
        bound = None
        if customers[name] is not None:
            alone = _with_lookup(alone)
        elif choice.bind is not None and choice.bind.column == "customer_id":
            bound = _with_lookup(alone)
        elif choice.bind is not None:
            key = KEYS
            bound = _with_key(alone, choice.bind, key)
        planned[name] = PlannedRead(
            one, types[name], choice, alone, bound, conditions[name], customers[name], key,
            is_point=is_point(one, conditions[name], types[name], planner.catalog),
        )  # fmt: skip
    return planned


def _ours(one: Read, planner: Planner) -> Estimate:
    """Estimates our own rows: a lookup finds one customer of all."""
    if one.relation != LOOKUP:
        return Estimate(*[float(len(planner.catalog.sources))] * 2)
    everybody = estimate(Read("", "individual"), Plain((), {}), planner.catalog, None)
    return Estimate(1.0, max(2.0, everybody.total))


def _columns(one: Read, known: Mapping[str, Type]) -> Mapping[str, Type]:
    return {name: known[name] for name in one.columns}


def _is_like(bind: Bind, own: Mapping[str, Type], types: Mapping[str, Mapping[str, Type]]) -> bool:
    """Tells whether equal values of both sides are equal keys: a day is not its midnight."""
    column = own[bind.column]
    others = [types[name][other] for name, other in bind.of]
    if column.is_text or column.is_number or column.is_time:
        return all(
            (one.is_text, one.is_number, one.is_time)
            == (column.is_text, column.is_number, column.is_time)
            for one in others
        )
    return all(one.kind is column.kind for one in others)


def _asked(
    one: Read, types: Mapping[str, Type], late: frozenset[str]
) -> tuple[Plain, tuple[str | Later, ...] | None]:
    """Splits the plain conditions of a read into those on the customer and the others.

    Nobody can be asked by `late` columns: they are known when rows are there.
    """
    found = plain(one.where, types)
    customers: tuple[str | Later, ...] | None = None
    kept = []
    for tree in found.trees:
        if isinstance(tree, exp.EQ) and tree.this.name == "customer_id":
            keyset = keyset_of(tree)
            values = found.values[keyset[1]] if keyset else [found.values[tree.expression.name]]
            known = tuple(one if isinstance(one, Later) else str(one) for one in values)
            if customers is not None:
                unknown = [one.number for one in (*customers, *known) if isinstance(one, Later)]
                if unknown:
                    raise ValuesDecide(*unknown)
                known = tuple(one for one in customers if one in known)
            customers = known
        elif tree.this.name not in late:
            kept.append(tree)
    return Plain(tuple(kept), found.values), customers


def _bindable(one: Read, planner: Planner) -> frozenset[str]:
    """Returns the columns by whose values every branch that has them may be asked."""
    if is_ours(one.relation):
        return frozenset()
    entity = planner.catalog.canonical.entities[one.relation]
    keys = {"source_key", *entity.parents.values()}
    fields = {name for name, declared in entity.fields.items() if declared.derive is None}
    known = keys | fields | ({"customer_id"} if entity.has_person else set())
    return frozenset(known - lent(one.relation, planner.catalog))


def _section(
    one: Read,
    types: Mapping[str, Type],
    conditions: Plain,
    planner: Planner,
    *,
    allow_scan: bool,
) -> Section:
    tree = exp.Select(expressions=[exp.column(name) for name in types]).from_(
        exp.Table(this=exp.to_identifier(one.relation)), copy=False
    )
    if conditions.trees:
        tree = tree.where(*(condition.copy() for condition in conditions.trees), copy=False)
    return Section(
        name=ROWS,
        entity=one.relation,
        tree=tree,
        lookup="",
        narrows=True,
        values=conditions.values,
        row_cap=NO_CAP if allow_scan else _most_rows(one, planner),
        spared=frozenset(one.spared),
    )


def _most_rows(one: Read, planner: Planner) -> int:
    if is_ours(one.relation):
        return 1
    branches = planner.catalog.branches(one.relation)
    limits = [planner.catalog.sources[branch.source].limits.scan_rows for branch in branches]
    return min(limits, default=1)


def _with_lookup(section: Section) -> Section:
    return replace(section, lookup=WHO)


def _with_key(section: Section, bind: Bind, key: str) -> Section:
    tree = section.tree.copy()
    return replace(section, tree=tree.where(in_keys(exp.column(bind.column), key), copy=False))
