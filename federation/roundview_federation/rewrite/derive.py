"""Expands the derived relation `customer` into the record-grain reads it survives from."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_catalog.model import Catalog, SurvivorRule
from roundview_catalog.types import Kind, Type
from roundview_federation.plan import ROW_HEAD, Section
from roundview_federation.request import Decision

OWN_COLUMNS = ("customer_id", "link_state")
"""Columns of `customer` that come from the identity store, not from survivorship."""


@dataclass(frozen=True, slots=True)
class SurvivingField:
    """One customer field: the read it survives from, its place there, and its rule."""

    name: str
    section: str
    index: int
    updated_index: int
    primary_index: int
    rule: SurvivorRule
    type: Type


@dataclass(frozen=True, slots=True)
class CustomerPlan:
    """How rows of `customer` are made: columns in order, fields by name."""

    columns: tuple[str, ...]
    fields: dict[str, SurvivingField]
    provenance: tuple[str, ...]
    reads: tuple[str, ...]


def customer_types(catalog: Catalog) -> dict[str, Type]:
    """Returns the type of every column of the relation `customer`."""
    canonical = catalog.canonical
    types = {name: canonical.entities["individual"].types[name] for name in OWN_COLUMNS}
    for name, (entity, field) in canonical.customer_fields.items():
        types[name] = canonical.entities[entity].types[field]
    return types


def derive(
    section: Section, catalog: Catalog, decision: Decision
) -> tuple[CustomerPlan, tuple[Section, ...]]:
    """Returns how the section's customers survive and the sections to read for them.

    Survivorship runs over what the principal may see: masks and row filters hold in the
    reads themselves.
    """
    known = catalog.canonical.customer_fields
    readable = decision.fields.get("individual")
    if readable is None:
        raise RequestError("unknown relation customer", code="RV102")
    wanted = list(dict.fromkeys((*section.columns, *section.provenance)))
    by_entity: dict[str, list[str]] = {}
    for name in wanted:
        if name in OWN_COLUMNS:
            continue
        entity, field = known.get(name, ("", ""))
        if not entity or field not in decision.fields.get(entity, frozenset()):
            raise RequestError(f"unknown column {name} of customer", code="RV102")
        by_entity.setdefault(entity, []).append(field)
    by_entity.setdefault("individual", [])
    fields: dict[str, SurvivingField] = {}
    reads = []
    for entity, names in by_entity.items():
        types = catalog.canonical.entities[entity].types
        columns = list(dict.fromkeys([*names, "source_updated_at"]))
        if "is_primary" in types and "is_primary" in decision.fields[entity]:
            columns.append("is_primary")
        read = f"{section.name}#{entity}"
        tree = exp.select(*(exp.column(c) for c in columns)).from_(exp.to_table(entity))
        reads.append(Section(read, entity, tree, section.lookup))
        offset = len(ROW_HEAD)
        for name in wanted:
            if name in OWN_COLUMNS or known[name][0] != entity:
                continue
            fields[name] = SurvivingField(
                name=name,
                section=read,
                index=offset + columns.index(known[name][1]),
                updated_index=offset + columns.index("source_updated_at"),
                primary_index=offset + columns.index("is_primary")
                if "is_primary" in columns
                else -1,
                rule=catalog.survivor_rule(name),
                type=types[known[name][1]] if known[name][1] in types else Type(Kind.TEXT),
            )
    plan = CustomerPlan(
        columns=section.columns,
        fields=fields,
        provenance=section.provenance,
        reads=tuple(read.name for read in reads),
    )
    return plan, tuple(reads)
