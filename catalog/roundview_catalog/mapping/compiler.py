"""Compiles the `entities` of a source file into branches and collects every mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.document import Document
from roundview_catalog.mapping.fields import read_slots
from roundview_catalog.mapping.keys import (
    check_parents,
    check_persons,
    check_sealed,
    read_organization,
    read_parent,
    read_person,
    with_sealed,
)
from roundview_catalog.mapping.mirrors import read_mirrors
from roundview_catalog.mapping.reader import Path, Reader, Scope, Wrong
from roundview_catalog.mapping.rows import (
    check_unique,
    is_sealed,
    read_children,
    read_from,
    read_key,
)
from roundview_catalog.model import Branch, Canonical, SourceTable
from roundview_catalog.report import Report, did_you_mean

_KEYS = (
    "from",
    "where",
    "key",
    "person",
    "organization",
    "parent",
    "mirrors",
    "fields",
    "each",
    "also",
    "children",
)
_ALSO_KEYS = ("where", "parent", "fields", "each", "also")

_Placed = list[tuple[Branch, Path]]


def compile_branches(
    document: Document,
    source: str,
    tables: Mapping[str, SourceTable],
    connector: str,
    canonical: Canonical,
    report: Report,
) -> tuple[Branch, ...]:
    """Returns every branch of a source file; each mistake becomes a problem of the report.

    A mapping with a mistake gives no branch, the others are read all the same.
    """
    reader = Reader(document, source, tables, connector, canonical, report)
    found: _Placed = []
    entities = document.data.get("entities") if isinstance(document.data, dict) else None
    if entities is not None and not isinstance(entities, dict):
        reader.add(("entities",), "RV206", "entities is a map of names")
        return ()
    for entity, given in (entities or {}).items():
        path: Path = ("entities", entity)
        if not reader.entity_is_known(entity, path):
            continue
        if not isinstance(given, dict):
            reader.add(path, "RV206", f"{entity} needs a mapping")
            continue
        is_one = any(key in given for key in ("from", "fields", "where", "also", "each"))
        for name, one in ({"": given} if is_one else given).items():
            at = path if is_one else (*path, name)
            found += _mapping(reader, entity, "" if name == "main" else str(name), one, at)
    _check_names(reader, found)
    check_parents(reader, found)
    check_persons(reader, found)
    return tuple(with_sealed(branch, found) for branch, _ in found)


def _mapping(reader: Reader, entity: str, name: str, given: Any, path: Path) -> _Placed:
    if not isinstance(given, dict) or "from" not in given:
        reader.add(path, "RV220", "a mapping needs `from`", "from: table alias")
        return []
    _check_keys(reader, given, path, _KEYS)
    if ":" in name or "/" in name or "." in name:
        reader.add_key(path, "RV221", "a branch is named without : / .")
    try:
        scan, scope = read_from(reader, (*path, "from"))
    except Wrong:
        return []
    parts = _Parts(reader)
    children = parts.read(read_children, given, scope, path) or {}
    plain, scope = replace(scope, lists={}), replace(scope, children=children)
    condition = _where(parts, given, scope, path)
    key = parts.read(read_key, given, scan, plain, path) or ()
    if condition is not None:
        scan = scan.where(condition, copy=False)
    if key:
        check_unique(reader, scan, key, scope, path)
    key_types = tuple(reader.column_type(scope)(column) for column in key)
    target = reader.canonical.entities[entity]
    person = (
        parts.read(read_person, target, name, given, key, key_types, replace(scope, lists={}), path)
        if key
        else None
    )
    company = (
        parts.read(
            read_organization, target, name, given, key, key_types, replace(scope, lists={}), path
        )
        if key
        else None
    )
    parent = parts.read(read_parent, target, given, plain, path)
    slots = parts.read(read_slots, target, given, scope, path) or {}
    if not is_sealed(given):
        for fields in slots.values():
            check_sealed(reader, target, key, fields, path)
    outer = Branch(
        source=reader.source,
        entity=entity,
        name=name,
        position=reader.document.key_position(path),
        scan=scan,
        aliases=scope.aliases,
        key=key,
        key_types=key_types,
        slots=slots,
        person=person or (),
        parent=parent,
        children=children,
        lists=scope.lists,
        organization=company or (),
        mirrors=parts.read(read_mirrors, target, given, slots, path),
        is_sealed=is_sealed(given),
    )
    if not slots and not given.get("also"):
        reader.add_key(path, "RV220", f"{entity} maps no field", "write fields:")
    below = _also(parts, outer, scope, given, path)
    if parts.are_wrong:
        return []
    return [*([(outer, path)] if slots else []), *below]


def _also(
    parts: _Parts, outer: Branch, scope: Scope, given: Mapping[str, Any], path: Path
) -> _Placed:
    """Returns the entities made of the same rows, and those below them."""
    reader = parts.reader
    result: _Placed = []
    try:
        declared = reader.as_map(given.get("also"), (*path, "also"), "also")
    except Wrong:
        return result
    for entity, one in declared.items():
        at = (*path, "also", entity)
        if not reader.entity_is_known(entity, at):
            continue
        if not isinstance(one, dict):
            reader.add(at, "RV206", f"{entity} needs fields")
            continue
        if entity == "individual":
            reader.add_key(at, "RV206", "an individual is mapped by itself")
            continue
        result += _also_one(parts, outer, entity, one, scope, at)
    return result


def _also_one(
    parts: _Parts, outer: Branch, entity: str, given: Mapping[str, Any], scope: Scope, path: Path
) -> _Placed:
    reader = parts.reader
    own = _Parts(reader)
    _check_keys(reader, given, path, _ALSO_KEYS)
    target = reader.canonical.entities[entity]
    condition = _where(own, given, scope, path)
    parent = own.read(read_parent, target, given, Scope(scope.aliases), path)
    slots = own.read(read_slots, target, given, scope, path) or {}
    if not outer.is_sealed:
        for fields in slots.values():
            check_sealed(reader, target, outer.key, fields, path)
    if not slots and not given.get("also"):
        reader.add_key(path, "RV220", f"{entity} maps no field", "write fields:")
    has_own_name = outer.entity in ("individual", "organization")
    branch = replace(
        outer,
        entity=entity,
        # Below anything but a party the outer entity is the name, so that keys never collide.
        name=outer.name if has_own_name else outer.entity,
        position=reader.document.key_position(path),
        scan=outer.scan if condition is None else outer.scan.where(condition),
        # The person of rows that have none of their own is their parent's.
        mirrors=None,
        parent=parent if parent is not None or outer.person else outer.parent,
        person=outer.person if target.has_person else (),
        slots=slots,
    )
    below = _also(own, branch, scope, given, path)
    if own.are_wrong:
        return []
    return [*([(branch, path)] if slots else []), *below]


def _where(parts: _Parts, given: Mapping[str, Any], scope: Scope, path: Path) -> exp.Expr | None:
    if given.get("where") is None:
        return None
    reader = parts.reader
    condition: exp.Expr | None = parts.read(
        lambda _: reader.condition((*path, "where"), replace(scope, children={}), subqueries=True)
    )
    for one in expressions.conjuncts(condition):
        columns = one.find_all(exp.Column) if one.find(exp.Select) is not None else ()
        if any(column.table in scope.lists for column in columns):
            parts.are_wrong = True
            hint = "write two conditions, joined by AND"
            reader.add((*path, "where"), "RV209", "a sub-select beside an element of a list", hint)
    return condition


def _check_keys(reader: Reader, given: Mapping[str, Any], path: Path, known: Sequence[str]) -> None:
    for key in given:
        if key not in known:
            hint = did_you_mean(str(key), known)
            reader.add_key((*path, key), "RV205", f"unknown key {key}", hint)


def _check_names(reader: Reader, found: _Placed) -> None:
    seen: dict[tuple[str, str], Path] = {}
    for branch, path in found:
        name = (branch.entity, branch.name)
        if name in seen:
            hint = "give one a name: an entity without `from` is a map of names"
            reader.add_key(path, "RV226", f"two mappings named {branch.id}", hint)
        seen[name] = path


class _Parts:
    """Reads the parts of one mapping on after a mistake, so that all are told at once."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.are_wrong = False

    def read(self, part: Any, *arguments: Any) -> Any:
        """Returns what the part is, None if something is wrong with it."""
        try:
            return part(self.reader, *arguments)
        except Wrong:
            self.are_wrong = True
            return None
