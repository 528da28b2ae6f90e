"""Decides what a loaded catalog is: immutable data that every layer reads.

`loader.load` makes it from YAML; nothing here reads files, knows SQL dialects or sources.
Expressions are sqlglot trees in the canonical (PostgreSQL-flavoured) dialect, typed and
checked when the catalog was loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlglot import exp

from roundview_catalog.access_file import Access
from roundview_catalog.engines import Engines
from roundview_catalog.errors import Position
from roundview_catalog.mapped import (
    Child,
    FieldMapping,
    ListRows,
    Mirrors,
    ParentKey,
    PersonKey,
)
from roundview_catalog.policy import Policy, PolicyTest
from roundview_catalog.types import Kind, Type

COMMON_FIELDS: Mapping[str, Type] = MappingProxyType(
    {
        "customer_id": Type(Kind.TEXT),
        "link_state": Type(
            Kind.ENUM, values=("linked", "provisional", "mismatched", "anonymous", "unlinked")
        ),
        "source": Type(Kind.TEXT),
        "source_system": Type(Kind.TEXT),
        "source_instance": Type(Kind.TEXT),
        "source_key": Type(Kind.TEXT),
        "slot": Type(Kind.TEXT),
        "organization_key": Type(Kind.TEXT),
        "source_created_at": Type(Kind.TIMESTAMPTZ),
        "source_updated_at": Type(Kind.TIMESTAMPTZ),
        "as_of": Type(Kind.TIMESTAMPTZ),
        "fetched_at": Type(Kind.TIMESTAMPTZ),
        "business_unit": Type(Kind.TEXT),
        "region": Type(Kind.TEXT),
    }
)
"""Columns of every entity; mappings may set source_created_at, source_updated_at,
business_unit and region, everything else is ours."""

MAPPABLE_COMMON = ("source_created_at", "source_updated_at", "business_unit", "region")


# -- canonical schema ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a canonical entity.

    `derive` computes it from other fields of the row where a mapping leaves it out;
    `identifier` names the identifier kind its value is, `identifier_from` the field of the
    same row that names the kind; `match` says which part it plays in identity matching
    (given, family, full, birth_date, postal_code, street).
    """

    name: str
    type: Type
    comment: str = ""
    unit: str = ""
    derive: exp.Expr | None = None
    identifier: str = ""
    identifier_from: str = ""
    match: str = ""
    is_sensitive: bool = False


@dataclass(frozen=True)
class Entity:
    """One canonical entity at record grain.

    `bearing`: alternatives of field sets; a row in which no alternative is wholly present
    does not exist. `parents`: entity -> name of our foreign key field (`sales_order` ->
    `sales_order_key`). `has_person` tells whether rows belong to a customer.
    `order`: default order as (field, descending).
    """

    name: str
    comment: str
    fields: Mapping[str, Field]
    bearing: tuple[tuple[str, ...], ...] = ()
    parents: Mapping[str, str] = field(default_factory=dict)
    has_person: bool = True
    order: tuple[tuple[str, bool], ...] = ()

    @cached_property
    def types(self) -> Mapping[str, Type]:
        """Returns the type of every readable column: common, foreign keys, fields."""
        keys = {name: Type(Kind.TEXT) for name in self.parents.values()}
        return MappingProxyType(
            {**COMMON_FIELDS, **keys, **{name: f.type for name, f in self.fields.items()}}
        )


@dataclass(frozen=True, slots=True)
class IdentifierKind:
    """One way to name a customer.

    `usage`: unique | personal | shared (facts: identity §5.2); `is_live`: not in the xref,
    the owning source is asked by its index (order numbers, ticket numbers).
    """

    name: str
    comment: str
    normalizer: str
    usage: str = "personal"
    is_live: bool = False
    max_records: int = 30
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DerivedRelation:
    """A relation that is computed from entities when SQL asks for it.

    `columns` have types and comments, in order; they are empty for `customer`, whose columns are
    those of the entities it survives from. `over`: without any of these entities it does not
    exist. `sql` is its SELECT in users' own dialect; empty where we make its rows or its SELECT.
    """

    name: str
    comment: str
    columns: Mapping[str, Field]
    over: tuple[str, ...] = ()
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Canonical:
    """The schema that every question is asked in."""

    entities: Mapping[str, Entity]
    identifiers: Mapping[str, IdentifierKind]
    customer_fields: Mapping[str, tuple[str, str]]
    """Fields of the derived relation `customer`: name -> (entity, field) it survives from."""
    derived: Mapping[str, DerivedRelation] = field(default_factory=dict)
    """Relations of SQL beside the entities."""

    def identifier_fields(self, kind: str) -> tuple[tuple[str, str], ...]:
        """Returns the (entity, field) pairs whose values are identifiers of this kind."""
        return tuple(
            (entity.name, f.name)
            for entity in self.entities.values()
            for f in entity.fields.values()
            if f.identifier == kind or f.identifier_from
        )

    def children(self, entity: str) -> tuple[Entity, ...]:
        """Returns the entities whose rows lie below rows of this one."""
        return tuple(e for e in self.entities.values() if entity in e.parents)


# -- sources ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column as the source has it.

    `normal_form` names the form its values already have (lower, upper or a normalizer);
    `search` the column of the same table to search instead; `references` the table.column in
    which every value exists; `native` the source's own type where the canonical one does not
    say all (`character(36)`).
    """

    name: str
    type: Type
    is_nullable: bool = True
    collation: str = "exact"  # exact | ci
    normal_form: str = ""
    time_zone: str = ""
    domain: tuple[str, ...] = ()
    search: str = ""
    references: str = ""
    native: str = ""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table of a source; `access` is the REST or file declaration, None for databases.

    `view` is the SELECT of a named view of the catalog, over tables `v0`, `v1` … of the source.
    `distinct` tells of some columns about how many values they have.
    """

    name: str
    physical: str
    columns: Mapping[str, SourceColumn]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    rows_estimate: int | None = None
    access: Any = None
    view: exp.Query | None = None
    distinct: Mapping[str, int] = field(default_factory=dict, compare=False)

    def is_unique(self, columns: frozenset[str]) -> bool:
        """Tells whether values of these columns name at most one row."""
        keys = (self.primary_key, *self.unique) if self.primary_key else self.unique
        return any(key and frozenset(key) <= columns for key in keys)

    def searched(self, name: str) -> tuple[SourceColumn, str]:
        """Returns the column to search for a column's values, and the form of its own.

        Where a column names another one to search, its declared form is that of the other.
        """
        column = self.columns[name]
        copy = self.columns.get(column.search) if column.search else None
        if copy is None:
            return column, column.normal_form
        return copy, column.normal_form or copy.normal_form


@dataclass(frozen=True, slots=True)
class Branch:
    """One mapping of one source into one entity: `SELECT K, P, f FROM F WHERE W`.

    `name` is "" for an unnamed mapping and for `main`; otherwise it prefixes source keys
    (`guest:17`). `scan` holds FROM and WHERE without projections; branches made by `also`
    share it (the same object). `aliases`: alias -> table of the source. `slots`: slot name
    ("" without `each`) -> field -> mapping. `person` is K itself under `individual`; it is
    empty where the parent's person counts or where rows have none; `organization` likewise. With
    `lists` a row of the scan is one row for every combination of their elements, whose positions
    are part of the slot.
    """

    source: str
    entity: str
    name: str
    position: Position
    scan: exp.Select
    aliases: Mapping[str, str]
    key: tuple[exp.Column, ...]
    key_types: tuple[Type, ...]
    slots: Mapping[str, Mapping[str, FieldMapping]]
    person: tuple[PersonKey, ...] = ()
    parent: ParentKey | None = None
    children: Mapping[str, Child] = field(default_factory=dict)
    lists: Mapping[str, ListRows] = field(default_factory=dict)
    organization: tuple[PersonKey, ...] = ()
    mirrors: Mirrors | None = None
    is_sealed: bool = False
    """whether the key is an identifier, which we keep encrypted only"""

    @property
    def id(self) -> str:
        """Returns a name that is unique in the catalog: `crm.individual` or `shop.x/guest`."""
        return f"{self.source}.{self.entity}" + (f"/{self.name}" if self.name else "")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one source is asked at most; durations in seconds, sizes in bytes."""

    timeout: float = 2.0
    concurrency: int = 8
    scan_rows: int = 100_000
    rows: int = 10_000
    bytes: int = 8 * 1024 * 1024
    rate_per_second: float | None = None
    reserve_for_views: float = 0.5
    pages: int = 200
    calls: int = 50


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for every row of a source unless a field says otherwise."""

    time_zone: str = "UTC"
    phone_region: str = ""
    currency: str = ""
    business_unit: str = ""
    region: str = ""

    def of(self, field: str) -> str:
        """Returns what rows have in a canonical field where they say nothing, "" for nothing.

        >>> Defaults(currency="EUR").of("currency")
        'EUR'
        """
        value: str = getattr(self, field) if field in _DEFAULTED else ""
        return value


_DEFAULTED = frozenset({"business_unit", "region", "currency", "phone_region"})


@dataclass(frozen=True, slots=True)
class Source:
    """One system that holds data. `connection` still has its `${env:…}` references."""

    name: str
    title: str
    owner: str
    connector: str
    connection: Mapping[str, Any]
    limits: Limits
    defaults: Defaults
    tables: Mapping[str, SourceTable]
    branches: tuple[Branch, ...]
    root: Path
    position: Position
    freshness: tuple[str, float] | None = None
    """(table.column, warn after seconds)"""
    measured_at: datetime | None = None
    """when the sizes of the tables were last looked at; None: when the schema file was written"""
    trino_catalog: str = ""
    """Trino's catalog, perhaps with a schema, that reads the source too; "" for none."""

    @property
    def system(self) -> str:
        """Returns `pos` for `pos.north`."""
        return self.name.partition(".")[0]

    @property
    def instance(self) -> str:
        """Returns `north` for `pos.north`, else an empty text."""
        return self.name.partition(".")[2]

    def names(self, field: str) -> str | None:
        """Returns what names the source in all of its rows, None where the field does not."""
        named = {"source": self.name, "source_system": self.system}
        return self.instance if field == "source_instance" else named.get(field)


# -- catalog ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SurvivorRule:
    """How one field of `customer` is chosen; `trusted` lists sources, best first."""

    rule: str  # trusted | most_recent | most_frequent | most_complete | union
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Default time for each kind of question, in seconds."""

    view: float = 2.0
    probe: float = 0.3
    sql: float = 30.0


@dataclass(frozen=True, slots=True)
class Catalog:
    """One immutable snapshot; `version` is the hash of all its files and ours."""

    name: str
    owner_version: int
    version: str
    root: Path
    canonical: Canonical
    sources: Mapping[str, Source]
    survivorship: Mapping[str, SurvivorRule]
    """customer field -> rule; "" holds the default."""
    policy: Policy = field(default_factory=Policy)
    policy_tests: tuple[PolicyTest, ...] = ()
    deadlines: Deadlines = Deadlines()
    engines: Engines = field(default_factory=Engines)
    access: Access = field(default_factory=Access)
    identity: Mapping[str, Any] = field(default_factory=dict)

    def branches(self, entity: str) -> tuple[Branch, ...]:
        """Returns every branch of an entity that is no mirror, in source order."""
        return tuple(b for b in self._branches(entity) if b.mirrors is None)

    def mirrors(self, entity: str) -> tuple[Branch, ...]:
        """Returns the branches that only repeat facts of other sources."""
        return tuple(b for b in self._branches(entity) if b.mirrors is not None)

    def survivor_rule(self, customer_field: str) -> SurvivorRule:
        """Returns the rule of a customer field."""
        return self.survivorship.get(customer_field) or self.survivorship[""]

    def _branches(self, entity: str) -> Iterator[Branch]:
        return (b for s in self.sources.values() for b in s.branches if b.entity == entity)
