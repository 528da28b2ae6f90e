"""Decides which derived relations an asker can name, and the SELECT that each stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from roundview_catalog.model import Catalog, DerivedRelation
from roundview_catalog.types import Type
from roundview_federation.dialect.gate import gate
from roundview_federation.dialect.names import resolve
from roundview_federation.request import Decision
from roundview_federation.rewrite.derive import customer_types
from roundview_federation.sql.coverage import coverage_select
from roundview_federation.sql.customers import candidate_fields, customer_select
from roundview_federation.sql.hiding import without_hidden

CUSTOMER, COVERAGE = "customer", "identity_coverage"


@dataclass(frozen=True, slots=True)
class Template:
    """A derived relation for one kind of asker: its SELECT, names resolved, and its columns.

    `candidates`: column -> (entity, field) of which a value of the column is one of the values.
    """

    query: exp.Query
    columns: Mapping[str, Type]
    candidates: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Relations(Mapping[str, Mapping[str, Type]]):
    """What one kind of asker can name in SQL: entities and derived relations, column -> type.

    `entities` are the readable columns of entities. What a derived relation stands for is made
    when it is first asked for.
    """

    def __init__(
        self, catalog: Catalog, decision: Decision, entities: Mapping[str, Mapping[str, Type]]
    ) -> None:
        self.consent = decision.consent
        self._catalog = catalog
        self._fields = decision.fields
        self._entities = entities
        self._templates: dict[str, Template] = {}
        self._derived: dict[str, DerivedRelation] = {
            name: one
            for name, one in catalog.canonical.derived.items()
            if not one.over or any(entity in entities for entity in one.over)
        }

    def __getitem__(self, name: str) -> Mapping[str, Type]:
        if name in self._entities:
            return self._entities[name]
        known = self._derived[name]
        return self.template(name).columns if self.is_select(name) else _types(known)

    def __iter__(self) -> Iterator[str]:
        yield from self._entities
        yield from self._derived

    def __len__(self) -> int:
        return len(self._entities) + len(self._derived)

    def is_select(self, name: str) -> bool:
        """Tells whether a relation is a SELECT over others."""
        known = self._derived.get(name)
        return known is not None and (bool(known.sql) or name in (CUSTOMER, COVERAGE))

    def is_ours(self, name: str) -> bool:
        """Tells whether the rows of a relation are ours: no source is read for them."""
        return name in self._derived and not self.is_select(name)

    def template(self, name: str) -> Template:
        """Returns what a relation stands for, made once."""
        found = self._templates.get(name)
        if found is None:
            found = self._templates[name] = self._made(name)
        return found

    def _made(self, name: str) -> Template:
        if name == CUSTOMER:
            types = customer_types(self._catalog)
            chosen = customer_select(self._catalog, self._fields)
            columns = {column: types[column] for column in chosen.named_selects}
            return Template(chosen, columns, candidate_fields(self._catalog, self._fields))
        types = _types(self._derived[name])
        if name == COVERAGE:
            return Template(coverage_select(self._catalog, self._entities), types)
        tree = without_hidden(gate(self._derived[name].sql), self)
        if tree is None:
            raise KeyError(name)
        query = resolve(tree, self)
        return Template(query, {column: types[column] for column in query.named_selects})


def _types(relation: DerivedRelation) -> dict[str, Type]:
    return {name: column.type for name, column in relation.columns.items()}
