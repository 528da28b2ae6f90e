"""Decides the keys, types, comments and OIDs that canonical relations have in the catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from roundview_catalog.model import Catalog, Entity
from roundview_catalog.types import Kind, Type
from roundview_federation.dialect.types import of_column
from roundview_sql.type_codes import oid_of

KEY: Final = ("source", "source_key", "slot")
CUSTOMER: Final = "customer"
_FIRST_OID: Final = 32_768


def pg_type(type_: Type) -> tuple[int, int]:
    """Returns OID and modifier of a canonical column's type."""
    found = of_column(type_)
    typmod = -1
    if type_.kind is Kind.DECIMAL and type_.precision:
        typmod = ((type_.precision << 16) | (type_.scale or 0)) + 4
    return oid_of(found), typmod


def oids(catalog: Catalog) -> Mapping[str, int]:
    """Returns the OIDs of all objects, made of their names alone."""
    names = ["schema"]
    for relation in (*catalog.canonical.entities, *catalog.canonical.derived):
        names += [f"{kind} {relation}" for kind in ("relation", "type", "array")]
        for suffix, _, _ in keys(catalog, relation):
            names += [f"{kind} {relation}_{suffix}" for kind in ("index", "constraint")]
        for columns, _, _ in references(catalog, relation):
            names.append(f"constraint {relation}_{'_'.join(columns)}_fkey")
    found: dict[str, int] = {}
    taken: set[int] = set()
    for name in sorted(names):
        salt = 0
        while (oid := _hashed(f"{name}{salt or ''}")) in taken:
            salt += 1
        taken.add(oid)
        found[name] = oid
    return found


def keys(catalog: Catalog, relation: str) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    """Yields the keys of a relation: the end of its name, p or u, and its columns."""
    entity = catalog.canonical.entities.get(relation)
    if entity is not None:
        yield "pkey", "p", KEY
        if _is_one_per_record(catalog, entity):
            yield "source_source_key_key", "u", KEY[:2]
    elif relation in (CUSTOMER, "customer_360"):
        yield "pkey", "p", ("customer_id",)


def references(
    catalog: Catalog, relation: str
) -> Iterable[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Yields what a relation refers to: its columns, the other relation, and columns of that."""
    canonical = catalog.canonical
    entity = canonical.entities.get(relation)
    derived = canonical.derived.get(relation)
    columns = entity.types if entity is not None else derived.columns if derived else {}
    if relation != CUSTOMER and "customer_id" in columns and CUSTOMER in canonical.derived:
        yield ("customer_id",), CUSTOMER, ("customer_id",)
    for parent, column in (entity.parents if entity is not None else {}).items():
        other = canonical.entities.get(parent)
        if other is not None and _is_one_per_record(catalog, other):
            yield ("source", column), parent, KEY[:2]


def comment(catalog: Catalog, relation: str) -> str:
    """Returns what a relation is said to be."""
    canonical = catalog.canonical
    known = canonical.entities.get(relation) or canonical.derived.get(relation)
    return known.comment if known is not None else ""


def comments(catalog: Catalog, relation: str) -> Mapping[str, str]:
    """Returns what columns are said to be."""
    canonical = catalog.canonical
    if relation == CUSTOMER:
        return {
            name: canonical.entities[entity].fields[field].comment
            for name, (entity, field) in canonical.customer_fields.items()
            if field in canonical.entities[entity].fields
        }
    entity = canonical.entities.get(relation)
    known = entity.fields if entity is not None else canonical.derived[relation].columns
    return {name: one.comment for name, one in known.items()}


def _is_one_per_record(catalog: Catalog, entity: Entity) -> bool:
    """Tells whether a record of a source is one row at most."""
    return all(
        set(one.slots) <= {""} and not one.lists
        for one in (*catalog.branches(entity.name), *catalog.mirrors(entity.name))
    )


def _hashed(name: str) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return _FIRST_OID + int.from_bytes(digest, "big") % (2**31 - _FIRST_OID)
