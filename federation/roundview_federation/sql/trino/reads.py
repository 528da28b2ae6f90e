"""Decides the rows of one read inside a statement of Trino: a union of branches of sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from sqlglot import exp

from roundview_catalog.model import Catalog
from roundview_catalog.types import Type
from roundview_federation.connectors.port import Capabilities
from roundview_federation.dialect.trino_types import not_on_trino, trino_type
from roundview_federation.dialect.types import PgType, duck
from roundview_federation.dialect.values import is_null
from roundview_federation.drafts import Drafts, ways
from roundview_federation.execute.customers import Customers, bind, values_of
from roundview_federation.plan import KeySet, Section
from roundview_federation.planner import Planner, unfoldings
from roundview_federation.request import Decision
from roundview_federation.result import Found
from roundview_federation.rewrite.bounds import Bound
from roundview_federation.rewrite.mirrors import mirrored
from roundview_federation.rewrite.narrow import Narrowed, judged, narrow, turned
from roundview_federation.rewrite.trino.asked import Asked, Keys
from roundview_federation.rewrite.trino.branch import rows_of
from roundview_federation.rewrite.trino.convert import canonical_type, cast_to, literal
from roundview_federation.rewrite.trino.lists import MANY, split_list
from roundview_federation.rewrite.trino.place import Place
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.sql.trino.templates import (
    Open,
    keys_by_name,
    may_be_open,
    open_names,
    opened,
)
from roundview_identity.store import Xref

_CAPABILITIES = Capabilities(dialect="postgres", filters=frozenset(), joins=True)
"""Of a column of any connector of Trino: it has its declared type, and takes lists of keys."""


@dataclass(slots=True)
class Reading:
    """What all reads of one statement share, and what they ask for.

    `keys` counts the most keys that a list of one source has; `pruned` names branches of which no
    row can match, `notes` those that are read in their source's own SQL. `absent` are sources that
    are left out. `open` is what stands open in the statement, with `values`; `is_open` tells
    whether all values of the question do.
    """

    catalog: Catalog
    planner: Planner
    decision: Decision
    places: Mapping[str, Place]
    xref: Xref
    attributes: Mapping[str, Any]
    links: exp.Table | None = None
    absent: tuple[str, ...] = ()
    keys: dict[str, int] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)
    pruned: list[str] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    open: list[Open] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    is_open: bool = True


def relation_rows(
    section: Section,
    outputs: Mapping[str, Type],
    customers: Sequence[str] | None,
    reading: Reading,
    keys: Mapping[str, Any] = MappingProxyType({}),
) -> exp.Query:
    """Returns the rows of an entity, those of some customers only where these are known.

    `keys` are values by which it is asked, by the section's parameter. Raises RequestError RV103
    where Trino would not have them alike.
    """
    catalog, decision = reading.catalog, reading.decision
    if any(mirrored(section, list(outputs), catalog, decision)):
        raise not_on_trino("rows that a mirror in another system completes")
    known = None
    if customers is not None:
        known = Customers.of([Found(one) for one in customers], reading.xref.members)
    asked = replace(section, values={**section.values, **keys})
    arms = []
    branches = catalog.branches(section.entity)
    for unfolded in unfoldings(
        section, decision, reading.planner, branches, list(outputs), joins=True
    ):
        conditions = turned(unfolded, frozenset(section.values), _CAPABILITIES)
        verdicts = judged(conditions, section.values)
        branch = opened(f"b{len(reading.open)}", section.name, conditions, verdicts)
        reading.open.append(branch)
        if verdicts is None:
            reading.pruned.append(unfolded.branch.id)
            continue
        narrowed = narrow(conditions, verdicts, {})
        arms += list(_arms(unfolded, narrowed, asked, outputs, known, reading))
    return united(arms, outputs)


def constant_rows(rows: Sequence[Sequence[Any]], outputs: Mapping[str, Type]) -> exp.Query:
    """Returns rows that are known already."""
    types = [canonical_type(type_) for type_ in outputs.values()]
    arms = [
        exp.Select(
            expressions=[
                exp.alias_(cast_to(literal(value, type_), type_), name, quoted=True)
                for value, type_, name in zip(row, types, outputs, strict=True)
            ]
        )
        for row in rows
    ]  # fmt: skip
    return united(arms, outputs)


def among(
    rows: exp.Query, outputs: Mapping[str, Type], known: Mapping[str, Sequence[Any]]
) -> exp.Query:
    """Returns the rows whose columns have the values that are `known` of them, or none.

    Others are rows that came after those values were read: what they lead to is not asked for.
    """
    conditions = []
    for name, values in known.items():
        column, type_ = exp.column(name, table="k", quoted=True), canonical_type(outputs[name])
        query = _as_query(values, type_)
        listed = [] if query is not None else [literal(value, type_) for value in values]
        is_known = exp.In(this=column, expressions=listed, query=query) if values else exp.false()
        conditions.append(exp.paren(exp.or_(is_null(column), is_known, copy=False)))
    if not conditions:
        return rows
    columns = [exp.column(name, table="k", quoted=True) for name in outputs]
    alias = exp.TableAlias(this=exp.to_identifier("k", quoted=True))
    kept = exp.Select(expressions=columns).from_(exp.Subquery(this=rows, alias=alias), copy=False)
    return kept.where(*conditions, copy=False)


def _as_query(values: Sequence[Any], type_: PgType) -> exp.Subquery | None:
    if len(values) <= MANY or not all(type(one) in (int, str) for one in values):
        return None
    to = None if type_.category == "S" else trino_type(duck(type_))
    return split_list([str(one) for one in values], to)


def united(arms: Sequence[exp.Select], outputs: Mapping[str, Type]) -> exp.Query:
    """Returns all rows of several SELECTs; of none, no row of the same columns."""
    if not arms:
        columns = [
            exp.alias_(literal(None, canonical_type(type_)), name, quoted=True)
            for name, type_ in outputs.items()
        ]
        empty = columns or [exp.alias_(exp.Null(), "_", quoted=True)]
        return exp.Select(expressions=empty).where(exp.false(), copy=False)
    made: exp.Query = arms[0]
    for arm in arms[1:]:
        made = exp.Union(this=made, expression=arm, distinct=False)
    return made


def _arms(
    unfolded: Unfolded,
    narrowed: Narrowed,
    section: Section,
    outputs: Mapping[str, Type],
    customers: Customers | None,
    reading: Reading,
) -> Iterator[exp.Select]:
    source = unfolded.source.name
    place = reading.places.get(source)
    if place is None:
        raise not_on_trino(f"{source} has no trino_catalog")
    if source in reading.absent:
        return
    reading.sources[source] = None
    for condition in narrowed.conditions:
        _count_keys(source, len(condition.expressions), reading)
    drafts = Drafts(None)
    constants = _opened(narrowed.constants, reading)
    for bound, keyset in ways(unfolded, section, reading.planner.connectors, drafts, narrowed):
        keys = None
        if bound is not None and keyset is not None:
            keys = _keys(bound, keyset, section, customers)
            _count_keys(source, len(keys.values), reading)
            if customers is None:
                keys = _open_keys(keys, keyset, reading)
        asked = Asked(
            outputs,
            tuple(narrowed.conditions),
            narrowed.constants,
            keys,
            reading.attributes,
            reading.links,
            constants,
        )
        rows, why = rows_of(unfolded, place, asked)
        if why:
            # There keys are one list.
            reading.is_open &= keys is None or not keys.open
            reading.notes[f"{unfolded.branch.id} in {source}'s own SQL: {why}"] = None
        yield rows


def _opened(values: Mapping[str, Any], reading: Reading) -> dict[str, str]:
    """Lets values of the last branch stand open, all or none; returns their names there."""
    branch = reading.open[-1].name
    if not may_be_open(values):
        reading.is_open = False
        return {}
    reading.values |= open_names(branch, values)
    return dict(zip(values, open_names(branch, values), strict=True))


def _open_keys(keys: Keys, keyset: KeySet, reading: Reading) -> Keys:
    """Lets keys of the last branch stand open, where they are few of one column."""
    named = keys_by_name(keys.values)
    if len(keys.bound.columns) != 1 or reading.open[-1].keyset is not None:
        reading.is_open = False
        return keys
    names = _opened(named, reading)
    reading.open[-1] = replace(reading.open[-1], keyset=keyset, keys=len(named))
    told = {value: names[name] for name, value in named.items()} if names else {}
    return replace(keys, open=told)


def _count_keys(source: str, count: int, reading: Reading) -> None:
    reading.keys[source] = max(reading.keys.get(source, 0), count)


def _keys(bound: Bound, keyset: KeySet, section: Section, customers: Customers | None) -> Keys:
    if bound.through is not None:
        raise not_on_trino("persons that stand in a row below")
    if customers is None:
        return Keys(bound, list(values_of(keyset, section.values)))
    owners = bind(keyset, customers)
    told = {key: (str(customers.ids[at]), customers.link_states[at]) for key, at in owners.items()}
    return Keys(bound, list(owners), told)
