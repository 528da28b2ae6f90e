"""Decides which keys each file of a catalog has; what they mean together is the loader's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt

from roundview_catalog.durations import per_second, seconds, share, size_in_bytes
from roundview_catalog.engines import DeadlinesSection, EnginesSection
from roundview_catalog.tables import (
    AccessPath,
    BucketBy,
    Column,
    FailWhen,
    FieldSelection,
    FileTable,
    Filter,
    Page,
    PageSize,
    RestAnswers,
    RestTable,
    RetryAfter,
    Shape,
    TypeName,
)

__all__ = [
    "AccessPath",
    "BucketBy",
    "CanonicalIdentifiers",
    "CatalogFile",
    "Column",
    "DerivedDeclaration",
    "EntityDeclaration",
    "EntityFile",
    "FailWhen",
    "FieldDeclaration",
    "FieldSelection",
    "FileTable",
    "Filter",
    "IdentityFile",
    "Page",
    "PageSize",
    "RestAnswers",
    "RestTable",
    "RetryAfter",
    "SourceFile",
]

Duration = Annotated[float, BeforeValidator(seconds, json_schema_input_type=str)]
Size = Annotated[int, BeforeValidator(size_in_bytes, json_schema_input_type=str)]
Rate = Annotated[float, BeforeValidator(per_second, json_schema_input_type=str)]
Share = Annotated[float, BeforeValidator(share, json_schema_input_type=str)]
Count = Annotated[StrictInt, Field(ge=1)]

Usage = Literal["unique", "personal", "shared"]
Rule = Literal["most_recent", "most_frequent", "most_complete", "union"]
EntityName = str


# -- sources/NAME.yaml -----------------------------------------------------------------------


class LimitsSection(Shape):
    """What the source is asked at most."""

    timeout: Duration = 2.0
    """Longest wait for one answer."""
    concurrency: Count = 8
    """Most calls at the same time."""
    scan_rows: Count = 100_000
    """Most rows of a scan without `allow_scan`."""
    rows: Count = 10_000
    """Most rows of one answer."""
    bytes: Size = 8 * 1024 * 1024
    """Largest answer."""
    rate: Rate | None = None
    """Most calls in a time: 50/s."""
    reserve_for_views: Share = 0.5
    """Share of the rate that only live views may use."""
    pages: Count = 200
    """Most pages of one list."""
    calls: Count = 50
    """Most calls for one question."""


class DefaultsSection(Shape):
    """What holds for every row unless a field says otherwise."""

    time_zone: str = "UTC"
    """Zone of times that name none: Europe/Berlin."""
    phone_region: str = ""
    """Country of phone numbers that name none: DE."""
    currency: str = ""
    """Currency of amounts: EUR."""
    business_unit: str = ""
    """Unit that the rows belong to."""
    region: str = ""
    """Region of the rows, for policies."""


class FreshnessSection(Shape):
    """How the age of the data is seen."""

    column: str
    """table.column whose newest value is the age."""
    warn_after: Duration
    """Age that is worth a warning."""


class Claims(Shape):
    """What is true of a table or column and no machine can read."""

    normal_form: str = ""
    """Normal form that every value of the column has: lower, upper, email, phone, code."""
    unique: StrictBool | tuple[str, ...] | None = None
    """Column: true. Table: columns that together name one row."""
    search: str = ""
    """Column of the same table to search instead of this one."""
    references: str = ""
    """table.column that every value exists in."""
    time_zone: str = ""
    """Zone of the column's naive times."""
    collation: Literal["", "exact", "ci"] = ""
    """ci: the source compares this column without regard to case."""
    domain: tuple[str, ...] = ()
    """All values that occur."""
    index: StrictBool | tuple[str, ...] | None = None
    """Column: true. Table: columns of an index that introspection cannot see."""


class KeySection(Shape):
    """Columns that name a row, and whether they are kept encrypted."""

    value: str | tuple[str, ...]
    """Columns that name a row."""
    sealed: StrictBool = False
    """true for a key that is itself an identifier."""


class MirrorsSection(Shape):
    """The mapping in another source that owns the facts which a mapping repeats."""

    of: str
    """source.entity that owns them."""
    by: str
    """Field that has the same value in both."""


class MappingSection(Shape):
    """One mapping of this source into one entity; a string is SQL."""

    from_: str = Field(alias="from")
    """Tables and joins, with aliases."""
    where: str | StrictBool | None = None
    """Rows that count."""
    key: str | tuple[str, ...] | KeySection | None = None
    """Columns that name a row; default: the primary key of the first table."""
    person: str | tuple[str, ...] | Mapping[str, str | tuple[str, ...]] | None = None
    """Which individual of this source the row belongs to; a list for a key of several columns."""
    organization: str | tuple[str, ...] | Mapping[str, str | tuple[str, ...]] | None = None
    """Which organization of this source the row is about."""
    parent: Mapping[str, str | tuple[str, ...]] | None = None
    """Which row of another entity the row lies below."""
    mirrors: MirrorsSection | None = None
    """Whose facts the rows repeat: they are no rows of their own."""
    fields: Mapping[str, Any] = Field(default_factory=dict)
    """Where each canonical field comes from."""
    each: Mapping[str, Any] | None = None
    """Several values in one row: slot -> fields."""
    also: Mapping[str, Any] | None = None
    """Other entities made of the same rows."""
    children: Mapping[str, Any] | None = None
    """Rows below each row: alias -> from and where; with `first` the first of them only."""


class SourceFile(Shape):
    """One source: connection, limits and mappings."""

    source: str
    """Name of the source, like the file: pos, or pos.north for one system in several places."""
    title: str = ""
    """Name for people."""
    owner: str = ""
    """Unit that answers for this file."""
    use: str = ""
    """Template below this file: vendor/ospos or ./NAME.template.yaml; null removes an entry."""
    connector: Literal["sqlite", "files", "rest", "postgres", "mysql", "trino"]
    """Technology of the source."""
    connection: Mapping[str, Any]
    """Where it is and how we get in; secrets only as ${env:…} or ${file:…}."""
    trino_catalog: str = ""
    """Trino's catalog that reads it too: NAME, or NAME.SCHEMA where the schema is another."""
    limits: LimitsSection = LimitsSection()
    """What it is asked at most."""
    defaults: DefaultsSection = DefaultsSection()
    """What holds for every row."""
    freshness: FreshnessSection | None = None
    """How the age of its data is seen."""
    table_defaults: RestAnswers | None = None
    """REST: what all tables have in common."""
    tables: Mapping[str, Any] = Field(default_factory=dict)
    """REST and files: tables that have no schema of their own."""
    views: Mapping[str, str] = Field(default_factory=dict)
    """Named SELECTs over tables of this source, used under `from` like tables."""
    facts: Mapping[str, Claims] = Field(default_factory=dict)
    """Claims about tables and columns: `contacts.email: {normal_form: lower, unique: true}`."""
    entities: Mapping[str, Any] = Field(default_factory=dict)
    """Mappings into canonical entities."""


# -- roundview.yaml --------------------------------------------------------------------------


class Trusted(Shape):
    """Sources whose value wins, best first."""

    trusted: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of sources."""


class CatalogFile(Shape):
    """The catalog as a whole."""

    roundview: Literal[1]
    """Version of the language."""
    name: Annotated[str, Field(min_length=1)] = "catalog"
    """Name of the catalog."""
    version: Count = 1
    """Version that the owner counts."""
    deadlines: DeadlinesSection = DeadlinesSection()
    """Time for each kind of question."""
    engines: EnginesSection = EnginesSection()
    """What finishes questions in SQL."""
    survivorship: Mapping[str, Rule | Trusted] = Field(default_factory=dict)
    """Which value of several a customer field has; `default` holds for the rest."""


# -- entities/*.yaml -------------------------------------------------------------------------


class FieldDeclaration(Shape):
    """One field of an entity."""

    type: TypeName
    """Its type: text, decimal, timestamptz, enum(a, b), country, currency, language …"""
    comment: Annotated[str, Field(min_length=1)]
    """What it holds, in one sentence."""
    unit: str = ""
    """Unit of the number: currency, points, people."""
    derive: str = ""
    """Expression over the row's other fields, where a mapping leaves this one out."""
    identifier: str = ""
    """Kind of identifier that the value is."""
    identifier_from: str = ""
    """Field of the same row that names the kind of identifier."""
    match: Literal["", "given", "family", "full", "birth_date", "postal_code", "street"] = ""
    """Part that it plays in telling people apart."""
    sensitive: StrictBool = False
    """Whether it is masked for those who need not see it."""
    bearing: StrictBool = False
    """A row in which all bearing fields are NULL does not exist."""
    filter: StrictBool = True
    """Whether questions may filter by it."""


class Relation(Shape):
    """How rows of this entity belong to another entity."""

    by: Literal["person", "parent"]
    """person: to the individual they are about; parent: to the row they lie below."""


class EntityDeclaration(Shape):
    """One canonical entity at record grain."""

    comment: str = ""
    """What one row is, in one sentence."""
    fields: Mapping[str, FieldDeclaration]
    """Its fields."""
    relations: Mapping[str, Relation] = Field(default_factory=dict)
    """individual: {by: person} and rows it lies below."""
    order: str = ""
    """Order of lists: `-ordered_at` for newest first."""
    person: StrictBool = True
    """Whether rows may belong to a customer."""


class EntityFile(EntityDeclaration):
    """An entity of your own, or extra fields of a canonical one."""

    entity: EntityName
    """Name of the entity."""


class DerivedColumn(Shape):
    """One column of a derived relation."""

    type: TypeName
    """Its type."""
    comment: str
    """What it holds, in one sentence."""


class DerivedDeclaration(Shape):
    """A relation of SQL that is computed from entities."""

    comment: str
    """What one row is, in one sentence."""
    columns: Mapping[str, DerivedColumn] = Field(default_factory=dict)
    """Its columns, in order."""
    over: tuple[EntityName, ...] = ()
    """Entities of which one must be visible."""
    sql: str = ""
    """Its SELECT, every column with the alias of its table."""


# -- identity.yaml and policy.yaml -----------------------------------------------------------


class IdentifierSection(Shape):
    """How one kind of identifier links records."""

    usage: Usage | None = Field(default=None, alias="class")
    """unique links alone, personal links with a guard, shared never links alone."""
    max_records: Annotated[StrictInt, Field(ge=2)] | None = None
    """More records than this make a value shared by too many."""
    blocked: tuple[str, ...] = ()
    """Patterns of values that mean nothing: `noemail@*`."""
    normalizer: str = ""
    """A kind of your own: how its values are normalised."""
    comment: str = ""
    """A kind of your own: what it is."""


class CanonicalIdentifier(Shape):
    """One kind of identifier that ships with Roundview."""

    normalizer: str
    """How its values are normalised."""
    usage: Usage = "personal"
    """unique links alone, personal links with a guard, shared never links alone."""
    live: StrictBool = False
    """Whether the owning source is asked instead of the cross-reference."""
    max_records: Annotated[StrictInt, Field(ge=2)] = 30
    """More records than this make a value shared by too many."""
    blocked: tuple[str, ...] = ()
    """Patterns of values that mean nothing."""
    comment: Annotated[str, Field(min_length=1)]
    """What it is."""


class CanonicalIdentifiers(Shape):
    """The shipped kinds of identifiers and the fields of `customer`."""

    identifiers: Mapping[str, CanonicalIdentifier]
    """Kind -> how its values are treated."""
    customer: Mapping[str, str]
    """Field of `customer` -> entity.field it survives from."""


class IdentityFile(Shape):
    """What differs from the canonical defaults of identity."""

    identifiers: Mapping[str, IdentifierSection] = Field(default_factory=dict)
    """Kinds of identifiers."""
