"""Decides where each canonical field of a mapping comes from and whether it can be that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.expressions.times import time_zone
from roundview_catalog.mapped import FieldMapping
from roundview_catalog.mapping.reader import Path, Reader, Scope, Wrong
from roundview_catalog.model import MAPPABLE_COMMON, Entity
from roundview_catalog.report import did_you_mean
from roundview_catalog.types import Kind, Type

Slots = Mapping[str, Mapping[str, FieldMapping]]

_VALUE_KEYS = ("value", "map", "else", "const", "time_zone")
_TIMES = (Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.DATE)
_NAMES = (Kind.COUNTRY, Kind.CURRENCY, Kind.LANGUAGE)


def read_slots(
    reader: Reader, entity: Entity, given: Mapping[str, Any], scope: Scope, path: Path
) -> Slots:
    """Returns slot -> field -> mapping; a slot's own fields win over those beside `each`."""
    shared = _fields(reader, entity, given.get("fields"), scope, (*path, "fields"))
    if "each" not in given:
        if shared:
            _check_bearing(reader, entity, shared, path)
        return {"": shared} if shared else {}
    at = (*path, "each")
    each = reader.as_map(given["each"], at, "each")
    if not each:
        raise reader.wrong(at, "RV220", "each needs slots", "{home: {phone_raw: c.phone}}")
    slots = {}
    for slot, own in each.items():
        fields = {**shared, **_fields(reader, entity, own, scope, (*at, slot))}
        _check_bearing(reader, entity, fields, (*at, slot))
        slots[str(slot)] = fields
    return slots


def fits(source: Type, target: Type) -> bool:
    """Tells whether values of a source type can become a canonical field."""
    if target.is_time or target.kind is Kind.DATE:
        return source.kind in _TIMES or source.is_text
    if target.is_number:
        return source.is_number or source.is_text
    if target.kind is Kind.BOOLEAN:
        return source.kind in (Kind.BOOLEAN, Kind.INTEGER, Kind.BIGINT) or source.is_text
    if target.kind is Kind.ENUM or target.kind in _NAMES or target.kind is Kind.UUID:
        return source.is_text
    return True


def _fields(
    reader: Reader, entity: Entity, given: Any, scope: Scope, path: Path
) -> dict[str, FieldMapping]:
    result: dict[str, FieldMapping] = {}
    try:
        declared = reader.as_map(given, path, "fields")
    except Wrong:
        return result
    for name in declared:
        at = (*path, name)
        if name not in entity.fields and name not in MAPPABLE_COMMON:
            hint = did_you_mean(name, [*entity.fields, *MAPPABLE_COMMON])
            reader.add_key(at, "RV218", f"unknown field {name} of {entity.name}", hint)
            continue
        try:
            result[name] = _field(reader, entity.types[name], declared[name], scope, at)
        except Wrong:
            # It counts as mapped, so that one mistake is not reported twice.
            result[name] = FieldMapping(exp.null(), Type(Kind.TEXT), reader.document.position(at))
    return result


def _field(reader: Reader, target: Type, given: Any, scope: Scope, path: Path) -> FieldMapping:
    if isinstance(given, dict):
        return _long_form(reader, target, given, scope, path)
    position = reader.document.position(path)
    if given is None or isinstance(given, bool | int | float):
        literal = exp.convert(given)
        type_ = expressions.infer(literal, _no_columns)
        _check_constant(reader, target, given, path)
        return FieldMapping(literal, type_, position)
    node, type_ = reader.expression(path, scope, aggregates=True, is_field=True)
    _check_texts(reader, target, node, path)
    _check_fit(reader, type_, target, node, path)
    return FieldMapping(node, type_, position, time_zone=_claimed_zone(reader, node, scope))


def _long_form(
    reader: Reader, target: Type, given: Mapping[str, Any], scope: Scope, path: Path
) -> FieldMapping:
    for key in given:
        if key not in _VALUE_KEYS:
            hint = did_you_mean(str(key), _VALUE_KEYS)
            reader.add_key((*path, key), "RV205", f"unknown key {key}", hint)
    position = reader.document.position(path)
    if "const" in given:
        if len(given) > 1:
            reader.add(path, "RV206", "const stands alone")
        text = given["const"]
        if isinstance(text, dict | list) or text is None:
            raise reader.wrong((*path, "const"), "RV206", "a constant is text")
        _check_constant(reader, target, text, (*path, "const"))
        return FieldMapping(exp.Literal.string(_plain(text)), Type(Kind.TEXT), position)
    if "value" not in given:
        raise reader.wrong(path, "RV220", "a field needs `value` or `const`")
    zone = _zone(reader, target, given, path)
    at = (*path, "value")
    node, type_ = reader.expression(at, scope, aggregates=True)
    zone = zone or _claimed_zone(reader, node, scope)
    if "map" not in given:
        if "else" in given:
            reader.add_key((*path, "else"), "RV206", "else stands beside map")
        _check_texts(reader, target, node, at)
        _check_fit(reader, type_, target, node, at)
        return FieldMapping(node, type_, position, time_zone=zone)
    codes = reader.as_map(given["map"], (*path, "map"), "map")
    if not codes:
        raise reader.wrong((*path, "map"), "RV220", "map needs codes", "{0: female, 1: male}")
    for code, value in codes.items():
        _check_constant(reader, target, value, (*path, "map", code))
    _check_constant(reader, target, given.get("else"), (*path, "else"))
    return FieldMapping(
        node,
        type_,
        position,
        codes={str(code): value for code, value in codes.items() if code != "null"},
        otherwise=given.get("else"),
        null_code=codes.get("null"),
        time_zone=zone,
    )


def _claimed_zone(reader: Reader, node: exp.Expr, scope: Scope) -> str:
    """Returns the zone that `facts` give the columns a time is made of, if they agree."""
    zones = set()
    for column in node.find_all(exp.Column):
        if column.table in scope.lists:
            continue
        found = reader.tables[scope.table_of(column.table) or ""].columns[column.name]
        if found.type.kind in _TIMES:
            zones.add(found.time_zone)
    return zones.pop() if len(zones) == 1 else ""


def _zone(reader: Reader, target: Type, given: Mapping[str, Any], path: Path) -> str:
    zone = given.get("time_zone", "")
    if not zone:
        return ""
    at = (*path, "time_zone")
    if not target.is_time:
        reader.add_key(at, "RV206", f"{target} has no time zone")
    try:
        time_zone(str(zone))
    except ValueError:
        reader.add(at, "RV215", f"unknown time zone {str(zone)[:40]}", "write Europe/Berlin")
    return str(zone)


def _check_fit(reader: Reader, type_: Type, target: Type, node: exp.Expr, path: Path) -> None:
    if isinstance(node, exp.Null) or fits(type_, target):
        return
    hint = "cast it"
    if target.kind is Kind.ENUM:
        hint = "write {value: x, map: {0: …}}"
    elif target.is_time and type_.is_number:
        hint = "write to_timestamp(x)"
    reader.add(path, "RV215", f"{type_} does not become {target.kind}", hint)


def _check_constant(reader: Reader, target: Type, value: Any, path: Path) -> None:
    """Reports a constant that is not of the field's type."""
    if value is None:
        return
    if isinstance(value, dict | list):
        reader.add(path, "RV206", "one value is needed here")
        return
    convert = coerce.converter(Type(Kind.TEXT), target, "UTC")
    if target.kind is Kind.ENUM and _plain(value) not in target.values:
        _not_in_enum(reader, target, _plain(value), path)
    elif target.kind is not Kind.TEXT and convert is not None:
        try:
            convert(_plain(value))
        except ValueError:
            reader.add(path, "RV215", f"{_plain(value)[:40]} is not of type {target.kind}")


def _check_texts(reader: Reader, target: Type, node: exp.Expr, path: Path) -> None:
    """Reports text constants that a CASE or COALESCE gives to an enum that lacks them."""
    if target.kind is not Kind.ENUM:
        return
    for literal in _results(node):
        if literal.is_string and str(literal.this) not in target.values:
            _not_in_enum(reader, target, str(literal.this), path, expressions.offset_of(literal))


def _not_in_enum(reader: Reader, target: Type, value: str, path: Path, offset: int = 0) -> None:
    hint = did_you_mean(value, target.values) or f"one of {', '.join(target.values)}"
    reader.add(path, "RV219", f"{value[:40]} is not in the canonical enum", hint, offset)


def _results(node: exp.Expr) -> Iterator[exp.Literal]:
    if isinstance(node, exp.Literal):
        yield node
    elif isinstance(node, exp.Paren):
        yield from _results(node.this)
    elif isinstance(node, exp.Case):
        for branch in node.args["ifs"]:
            yield from _results(branch.args["true"])
        if node.args.get("default") is not None:
            yield from _results(node.args["default"])
    elif isinstance(node, exp.Coalesce):
        for part in (node.this, *node.expressions):
            yield from _results(part)


def _check_bearing(
    reader: Reader, entity: Entity, fields: Mapping[str, FieldMapping], path: Path
) -> None:
    """Reports a mapping that can never give a row."""
    known = set(fields)
    for field in entity.fields.values():
        inputs = field.derive.find_all(exp.Column) if field.derive is not None else ()
        if any(column.name in known for column in inputs):
            known.add(field.name)
    if entity.bearing and not any(set(names) <= known for names in entity.bearing):
        needed = " or ".join(" and ".join(names) for names in entity.bearing)
        reader.add_key(path, "RV220", f"{entity.name} without {needed} gives no rows")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _no_columns(column: exp.Column) -> Type:
    raise ValueError(column.name)
