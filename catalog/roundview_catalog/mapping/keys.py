"""Decides whose a row is: its person, and the row that it lies below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from roundview_catalog.mapping.reader import Path, Reader, Scope, Wrong
from roundview_catalog.model import Branch, Entity, FieldMapping, ParentKey, PersonKey
from roundview_catalog.report import did_you_mean
from roundview_catalog.types import Type


def read_person(
    reader: Reader,
    entity: Entity,
    name: str,
    given: Mapping[str, Any],
    key: tuple[exp.Column, ...],
    key_types: tuple[Type, ...],
    scope: Scope,
    path: Path,
) -> tuple[PersonKey, ...]:
    """Returns the alternatives of `person`; under `individual` it is the key itself."""
    at = (*path, "person")
    if entity.name == "individual":
        if "person" in given:
            reader.add_key(at, "RV206", "the person of an individual is its key")
        if len(key) > 1:
            raise reader.wrong(path, "RV209", "composite person keys are not supported yet")
        return (PersonKey(name, key[0], key_types[0]),)
    declared = given.get("person")
    if declared is None:
        return ()
    if not entity.has_person:
        reader.add_key(at, "RV206", f"rows of {entity.name} belong to nobody", "leave it out")
        raise Wrong
    if isinstance(declared, list):
        raise reader.wrong(at, "RV209", "composite person keys are not supported yet")
    alternatives: list[tuple[str, Path]] = [("", at)]
    if isinstance(declared, dict):
        alternatives = [("" if b == "main" else str(b), (*at, b)) for b in declared]
    if not alternatives:
        raise reader.wrong(at, "RV220", "person names no column")
    individuals = _individuals(reader)
    result = []
    for branch, place in alternatives:
        node, type_ = reader.expression(place, scope)
        if not is_invertible(node):
            raise reader.wrong(
                place,
                "RV231",
                f"person {_as_written(reader, place)} cannot be asked by key",
                "map a column, NULLIF, CASE … THEN column or a constant prefix",
            )
        if branch not in individuals and (branch or individuals):
            called = f"individual.{branch}" if branch else "individual"
            hint = did_you_mean(branch, [one for one in individuals if one])
            reader.add(place, "RV225", f"{called} is not mapped in this source", hint)
            raise Wrong
        result.append(PersonKey(branch, node, type_))
    return tuple(result)


def read_parent(
    reader: Reader, entity: Entity, given: Mapping[str, Any], scope: Scope, path: Path
) -> ParentKey | None:
    """Returns which row of another entity a row lies below: `{sales_order: i.sale_id}`."""
    declared = given.get("parent")
    if declared is None:
        return None
    at = (*path, "parent")
    if not isinstance(declared, dict) or len(declared) != 1:
        raise reader.wrong(at, "RV206", "parent names one entity", "{sales_order: i.sale_id}")
    name = next(iter(declared))
    parent, _, branch = str(name).partition(".")
    if parent not in entity.parents:
        hint = did_you_mean(parent, entity.parents) or _one_of(entity.parents)
        reader.add_key((*at, name), "RV217", f"{entity.name} does not lie below {parent}", hint)
        raise Wrong
    node, type_ = reader.expression((*at, name), scope)
    return ParentKey(parent, "" if branch == "main" else branch, node, type_)


def check_parents(reader: Reader, branches: list[tuple[Branch, Path]]) -> None:
    """Reports parents that are not mapped, have a composite key or a key of another type."""
    found = {(branch.entity, branch.name): branch for branch, _ in branches}
    entities = reader.document.data.get("entities") or {}
    for branch, path in branches:
        parent = branch.parent
        if parent is None or "parent" not in _given(reader, path):
            continue
        target = found.get((parent.entity, parent.branch))
        name = f"{parent.entity}.{parent.branch}" if parent.branch else parent.entity
        at = (*path, "parent")
        if target is None:
            # A mapping that is there but wrong was told at its own place.
            if not _is_declared(entities.get(parent.entity), parent.branch):
                reader.add(at, "RV225", f"{name} is not mapped in this source")
        elif len(target.key) > 1:
            reader.add(at, "RV209", f"{name} has a composite key: not supported yet")
        elif target.key_types[0].is_number != parent.type.is_number:
            reader.add(at, "RV215", f"{name} has a key of {target.key_types[0]}, not {parent.type}")
        elif reader.connector == "rest" and branch.person and target.scan.args.get("where"):
            # Asked by person, rows below a hidden record would come too.
            message = f"{name} has a where, so rows below it have no person of their own"
            reader.add(at, "RV206", message, "leave person out")
        # Rows of a source that cannot join are asked for with the keys of the rows above.
        if reader.connector == "rest" and not branch.person and not is_invertible(parent.key):
            reader.add(
                at,
                "RV231",
                f"parent {name} cannot be asked by key",
                "map a column, NULLIF, CASE … THEN column or a constant prefix, or write person",
            )


def check_sealed(
    reader: Reader,
    entity: Entity,
    key: tuple[exp.Column, ...],
    fields: Mapping[str, FieldMapping],
    path: Path,
) -> None:
    """Reports RV236 where a column of the key is mapped to an identifier of a person."""
    keys = {column.sql(dialect="postgres") for column in key}
    for name, mapping in fields.items():
        if not isinstance(mapping.expr, exp.Column) or not _is_personal(reader, entity, name):
            continue
        column = mapping.expr.sql(dialect="postgres")
        if column in keys:
            at, written = _key_place(reader, path, mapping.expr)
            message = f"key {written} is mapped to an identifier"
            reader.add(at, "RV236", message, f"write {{value: {written}, sealed: true}}")


def is_invertible(node: exp.Expr) -> bool:
    """Tells whether known persons can be asked for on the column itself."""
    if isinstance(node, exp.Column):
        return True
    if isinstance(node, exp.Paren):
        return is_invertible(node.this)
    if isinstance(node, exp.Nullif):
        return is_invertible(node.this) and node.expression.find(exp.Column) is None
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
        to = node.args["to"]
        is_text = to.this.value in ("TEXT", "VARCHAR") and not to.expressions
        return is_text and is_invertible(node.this)
    if isinstance(node, exp.DPipe):
        return isinstance(node.this, exp.Literal) and is_invertible(node.expression)
    if isinstance(node, exp.Case):
        ifs = node.args["ifs"]
        default = node.args.get("default")
        is_plain = node.this is None and len(ifs) == 1
        is_null = default is None or isinstance(default, exp.Null)
        return is_plain and is_null and is_invertible(ifs[0].args["true"])
    return False


def _individuals(reader: Reader) -> tuple[str, ...]:
    given = (reader.document.data.get("entities") or {}).get("individual")
    if not isinstance(given, dict):
        return ()
    if "from" in given or "fields" in given:
        return ("",)
    return tuple("" if name == "main" else str(name) for name in given)


def _is_declared(given: Any, branch: str) -> bool:
    if not isinstance(given, dict):
        return False
    if "from" in given or "fields" in given:
        return not branch
    return (branch or "main") in given


def _is_personal(reader: Reader, entity: Entity, name: str) -> bool:
    """Tells whether a field is an identifier of a person, or what one is derived from."""
    for field in entity.fields.values():
        inputs = field.derive.find_all(exp.Column) if field.derive is not None else ()
        if field.name == name or any(column.name == name for column in inputs):
            kind = reader.canonical.identifiers.get(field.identifier)
            if kind is not None and kind.usage == "personal" and not kind.is_live:
                return True
    return False


def _key_place(reader: Reader, path: Path, column: exp.Column) -> tuple[Path, str]:
    """Returns where a column of the key was written and how, as it is if it is the default."""
    owner = path
    while owner and "key" not in _given(reader, owner):
        owner = owner[:-1]
    if not owner:
        return path, column.sql(dialect="postgres")
    declared = _given(reader, owner)["key"]
    many = range(len(declared)) if isinstance(declared, list) else ()
    places: list[Path] = [(*owner, "key", at) for at in many] or [(*owner, "key")]
    for place in places:
        written = _as_written(reader, place)
        if written.rpartition(".")[2] == column.name:
            return place, written
    return places[0], column.sql(dialect="postgres")


def _as_written(reader: Reader, path: Path) -> str:
    return " ".join(reader.text(path).split())[:80]


def _given(reader: Reader, path: Path) -> Mapping[str, Any]:
    value: Any = reader.document.data
    for part in path:
        value = value[part]
    return value if isinstance(value, dict) else {}


def _one_of(names: Mapping[str, str]) -> str:
    return f"one of {', '.join(names)}" if names else ""
