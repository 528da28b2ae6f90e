"""Loads the canonical schema that ships with Roundview."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from roundview_catalog import expressions
from roundview_catalog.document import read
from roundview_catalog.errors import CatalogError, Position
from roundview_catalog.model import Canonical, Entity, Field, IdentifierKind
from roundview_catalog.report import Report
from roundview_catalog.types import parse_type


@lru_cache(maxsize=1)
def canonical_schema() -> Canonical:
    """Returns the shipped schema: entities, identifier kinds and the fields of `customer`."""
    report = Report()
    entities: dict[str, Entity] = {}
    kinds: dict[str, IdentifierKind] = {}
    customer: dict[str, tuple[str, str]] = {}
    folder = resources.files("roundview_catalog") / "canonical"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        document = read(file.read_text(encoding="utf-8"), file.name, report)
        if document is None:
            raise CatalogError(report.problems)
        if file.name == "identifiers.yaml":
            kinds = {name: _kind(name, row) for name, row in document.data["identifiers"].items()}
            for name, place in document.data["customer"].items():
                entity, _, field = place.partition(".")
                customer[name] = (entity, field)
            continue
        for name, row in document.data.items():
            entities[name] = entity_of(name, row, Position(file.name, 1, 1))
    return Canonical(entities, kinds, customer)


def entity_of(name: str, row: Mapping[str, Any], position: Position) -> Entity:
    """Returns the entity that a YAML mapping declares."""
    fields = {field: _field(field, given) for field, given in row["fields"].items()}
    parents = {
        parent: f"{parent}_key"
        for parent, how in (row.get("relations") or {}).items()
        if how.get("by") == "parent"
    }
    order = row.get("order") or ""
    terms = tuple(
        (term.strip().removeprefix("-"), term.strip().startswith("-"))
        for term in str(order).split(",")
        if term.strip()
    )
    return Entity(
        name=name,
        comment=row.get("comment", ""),
        fields=fields,
        bearing=tuple((f,) for f, given in row["fields"].items() if given.get("bearing")),
        parents=parents,
        has_person=row.get("person", True),
        order=terms,
    )


def _field(name: str, given: Mapping[str, Any]) -> Field:
    derive = given.get("derive")
    return Field(
        name=name,
        type=parse_type(given["type"]),
        comment=given.get("comment", ""),
        unit=given.get("unit", ""),
        derive=expressions.parse(derive) if derive else None,
        identifier=given.get("identifier", ""),
        identifier_from=given.get("identifier_from", ""),
        match=given.get("match", ""),
        is_sensitive=given.get("sensitive", False),
    )


def _kind(name: str, given: Mapping[str, Any]) -> IdentifierKind:
    return IdentifierKind(
        name=name,
        comment=given.get("comment", ""),
        normalizer=given["normalizer"],
        usage=given.get("usage", "personal"),
        is_live=given.get("live", False),
    )
