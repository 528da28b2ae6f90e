"""Decides whose a row is: its person, its organization, and the row that it lies below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from roundview_catalog.mapped import FieldMapping, ParentKey, PersonKey
from roundview_catalog.mapping.reader import Path, Reader, Scope, Wrong
from roundview_catalog.model import Branch, Entity
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
        if len(key) > 1 and reader.connector == "rest":
            raise reader.wrong(path, "RV209", "keys of several columns in REST sources")
        return (PersonKey(name, key, key_types),)
    declared = given.get("person")
    if declared is None:
        return ()
    if not entity.has_person:
        reader.add_key(at, "RV206", f"rows of {entity.name} belong to nobody", "leave it out")
        raise Wrong
    result = []
    for branch, place in _alternatives(reader, declared, at):
        parts = [_part(reader, scope, one) for one in _parts(reader, place)]
        _check_one_row(reader, [node for node, _ in parts], scope, place)
        _check_mapped(reader, "individual", branch, place)
        result.append(PersonKey(branch, tuple(n for n, _ in parts), tuple(t for _, t in parts)))
    return tuple(result)


def read_organization(
    reader: Reader,
    entity: Entity,
    name: str,
    given: Mapping[str, Any],
    key: tuple[exp.Column, ...],
    key_types: tuple[Type, ...],
    scope: Scope,
    path: Path,
) -> tuple[PersonKey, ...]:
    """Returns the alternatives of `organization`; under that entity it is the key itself."""
    at = (*path, "organization")
    if entity.name == "organization":
        if "organization" in given:
            reader.add_key(at, "RV206", "the organization of an organization is its key")
        return (PersonKey(name, key, key_types),)
    if given.get("organization") is None:
        return ()
    result = []
    for branch, place in _alternatives(reader, given["organization"], at):
        parts = [reader.expression(one, scope) for one in _parts(reader, place)]
        _check_mapped(reader, "organization", branch, place)
        result.append(PersonKey(branch, tuple(n for n, _ in parts), tuple(t for _, t in parts)))
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
    parts = [reader.expression(one, scope) for one in _parts(reader, (*at, name))]
    keys, types = tuple(node for node, _ in parts), tuple(type_ for _, type_ in parts)
    return ParentKey(parent, "" if branch == "main" else branch, keys, types)


def check_persons(reader: Reader, branches: list[tuple[Branch, Path]]) -> None:
    """Reports persons and organizations with more or fewer columns than the key they name."""
    found = {(b.entity, b.name): b for b, _ in branches}
    for branch, path in branches:
        named = {"person": branch.person, "organization": branch.organization}
        for word, entity in (("person", "individual"), ("organization", "organization")):
            for owner in named[word] if word in _given(reader, path) else ():
                target = found.get((entity, owner.branch))
                if target is not None and len(target.key) != len(owner.keys):
                    names = ", ".join(column.name for column in target.key)
                    message = f"{word} has {len(owner.keys)} parts, its key {len(target.key)}"
                    reader.add((*path, word), "RV215", message, f"the key is {names}")


def check_parents(reader: Reader, branches: list[tuple[Branch, Path]]) -> None:
    """Reports parents that are not mapped or have a key of other columns or types."""
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
        elif len(target.key) != len(parent.keys):
            names = ", ".join(column.name for column in target.key)
            message = f"parent has {len(parent.keys)} parts, its key {len(target.key)}"
            reader.add(at, "RV215", message, f"the key is {names}")
        elif target.lists:
            reader.add(at, "RV224", f"rows of {name} repeat their key", "it has lists in from")
        elif _differs(target.key_types, parent.types):
            theirs, ours = (", ".join(map(str, t)) for t in (target.key_types, parent.types))
            reader.add(at, "RV215", f"{name} has a key of {theirs}, not {ours}")
        elif reader.connector == "rest" and branch.person and target.scan.args.get("where"):
            # Asked by person, rows below a hidden record would come too.
            message = f"{name} has a where, so rows below it have no person of their own"
            reader.add(at, "RV206", message, "leave person out")
        # Rows of a source that cannot join are asked for with the keys of the rows above.
        is_bound = branch.person or all(map(is_invertible, parent.keys))
        if reader.connector == "rest" and not is_bound:
            reader.add(
                at,
                "RV231",
                f"parent {name} cannot be asked by key",
                "map a column, NULLIF, CASE … THEN column or a constant prefix, or write person",
            )


def _differs(theirs: tuple[Type, ...], ours: tuple[Type, ...]) -> bool:
    return any(a.is_number != b.is_number for a, b in zip(theirs, ours, strict=True))


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


def with_sealed(branch: Branch, branches: list[tuple[Branch, Path]]) -> Branch:
    """Returns a branch in which the keys of others are sealed where those seal them."""
    sealed = {(b.entity, b.name) for b, _ in branches if b.is_sealed}
    if not sealed:
        return branch

    def owners(entity: str, keys: tuple[PersonKey, ...]) -> tuple[PersonKey, ...]:
        return tuple(replace(k, is_sealed=(entity, k.branch) in sealed) for k in keys)

    parent = branch.parent
    if parent is not None:
        parent = replace(parent, is_sealed=(parent.entity, parent.branch) in sealed)
    return replace(
        branch,
        person=owners("individual", branch.person),
        organization=owners("organization", branch.organization),
        parent=parent,
    )


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


def _alternatives(reader: Reader, declared: Any, at: Path) -> list[tuple[str, Path]]:
    """Returns the branch and place of each alternative."""
    if not isinstance(declared, dict):
        return [("", at)]
    if not declared:
        raise reader.wrong(at, "RV220", f"{at[-1]} names no column")
    return [("" if branch == "main" else str(branch), (*at, branch)) for branch in declared]


def _check_mapped(reader: Reader, entity: str, branch: str, place: Path) -> None:
    known = _branches(reader, entity)
    if branch not in known and (branch or known):
        called = f"{entity}.{branch}" if branch else entity
        hint = did_you_mean(branch, [one for one in known if one])
        reader.add(place, "RV225", f"{called} is not mapped in this source", hint)
        raise Wrong


def _parts(reader: Reader, place: Path) -> list[Path]:
    """Returns where each part of a key stands: a list for a composite key."""
    value: Any = reader.document.data
    for part in place:
        value = value[part]
    if not isinstance(value, list):
        return [place]
    if not value:
        raise reader.wrong(place, "RV220", "a key needs a column")
    if reader.connector == "rest" and len(value) > 1:
        raise reader.wrong(place, "RV209", "keys of several columns in REST sources")
    return [(*place, at) for at in range(len(value))]


def _part(reader: Reader, scope: Scope, place: Path) -> tuple[exp.Expr, Type]:
    node, type_ = reader.expression(place, scope)
    if not is_invertible(node):
        raise reader.wrong(
            place,
            "RV231",
            f"person {_as_written(reader, place)} cannot be asked by key",
            "map a column, NULLIF, CASE … THEN column or a constant prefix",
        )
    return node, type_


def _check_one_row(reader: Reader, nodes: list[exp.Expr], scope: Scope, place: Path) -> None:
    """Refuses a person behind `first` that its child's own columns do not lead to."""
    owners = [scope.child_of(inverted(node).table) for node in nodes]
    child = owners[0]
    if child is None and all(owner is None for owner in owners):
        return
    if child is None or any(owner is not child for owner in owners):
        raise reader.wrong(place, "RV231", "a person comes from one row", "take it from one child")
    if not any(outer.table in scope.aliases for _, outer in child.links):
        message = f"person behind {child.alias} cannot be asked by key"
        raise reader.wrong(place, "RV231", message, "link it by equal columns: x.id = s.id")


def inverted(node: exp.Expr) -> exp.Column:
    """Returns the column that known keys are compared with."""
    if isinstance(node, exp.Column):
        return node
    if isinstance(node, exp.DPipe):
        return inverted(node.expression)
    if isinstance(node, exp.Case):
        return inverted(node.args["ifs"][0].args["true"])
    return inverted(node.this)


def _branches(reader: Reader, entity: str) -> tuple[str, ...]:
    given = (reader.document.data.get("entities") or {}).get(entity)
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
    declared, key = _given(reader, owner)["key"], (*owner, "key")
    if isinstance(declared, dict):
        declared, key = declared["value"], (*key, "value")
    many = range(len(declared)) if isinstance(declared, list) else ()
    places: list[Path] = [(*key, at) for at in many] or [key]
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
