"""Decides what editors are told about the files of a catalog: one JSON Schema per kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from roundview_catalog.access_file import AccessFile
from roundview_catalog.connections import (
    FilesConnection,
    MysqlConnection,
    PostgresConnection,
    RestConnection,
    SqliteConnection,
    TrinoConnection,
)
from roundview_catalog.files import (
    CatalogFile,
    EntityFile,
    IdentityFile,
    MappingSection,
    SourceFile,
)
from roundview_catalog.model import MAPPABLE_COMMON, Canonical, Entity
from roundview_catalog.policy_sections import PolicyFile
from roundview_catalog.policy_tests import PolicyTestsFile
from roundview_catalog.schema_file import SchemaFile
from roundview_catalog.tables import FileTable, RestTable

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CONNECTIONS: tuple[type[BaseModel], ...] = (
    SqliteConnection,
    FilesConnection,
    RestConnection,
    PostgresConnection,
    MysqlConnection,
    TrinoConnection,
)
_PARTS: tuple[type[BaseModel], ...] = (
    *_CONNECTIONS,
    RestTable,
    FileTable,
    MappingSection,
)


def json_schemas(canonical: Canonical) -> Mapping[str, dict[str, Any]]:
    """Returns the JSON Schema of each kind of file: catalog, source, template, schema, entity,
    policy, policy_tests, identity, access.

    Those of sources and templates know the canonical entities and fields, with their comments.
    As a file may say only what differs from a template, nothing inside them is required, and
    null is allowed wherever it would remove something.
    """
    kinds: dict[str, type[BaseModel]] = {
        "catalog": CatalogFile,
        "source": SourceFile,
        "schema": SchemaFile,
        "entity": EntityFile,
        "policy": PolicyFile,
        "policy_tests": PolicyTestsFile,
        "identity": IdentityFile,
        "access": AccessFile,
    }
    found = {name: _schema(model, name) for name, model in kinds.items()}
    _refine_source(found["source"], canonical)
    source = _removable({key: value for key, value in found["source"].items() if key != "required"})
    alone = {"anyOf": [{"required": ["use"]}, {"required": ["connector", "connection"]}]}
    own = {key: value for key, value in source["properties"].items() if key != "source"}
    template = {**source, "title": "Roundview template file", "properties": own}
    return {**found, "source": {**source, "required": ["source"], **alone}, "template": template}


def _schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    parts: tuple[type[BaseModel], ...] = (model, *_PARTS) if model is SourceFile else (model,)
    refs, schema = models_json_schema([(part, "validation") for part in parts], by_alias=True)
    whole = refs[(model, "validation")]["$ref"].rpartition("/")[2]
    definitions = dict(sorted(schema["$defs"].items()))
    top = definitions.pop(whole)
    whole_schema = {
        **top,
        "title": f"Roundview {name.replace('_', ' ')} file",
        "$defs": definitions,
    }
    return {"$schema": _DIALECT, **_without_read_defaults(whole_schema)}


def _without_read_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Drops defaults in the form that reading gives them: 2.0 where a file says 2s."""
    result = {}
    for key, value in schema.items():
        if key == "default" and (
            isinstance(value, dict) or (schema.get("type") == "string" and value != "")
        ):
            continue
        result[key] = _without_read_defaults(value) if isinstance(value, dict) else value
    return result


def _refine_source(schema: dict[str, Any], canonical: Canonical) -> None:
    """Puts the parts that the loader reads by connector where they stand in the file."""
    properties = schema["properties"]
    properties["connection"] = {
        **_described(properties["connection"]),
        "anyOf": [_ref(part) for part in _CONNECTIONS],
    }
    properties["tables"] = {
        **_described(properties["tables"]),
        "type": "object",
        "additionalProperties": {"anyOf": [_ref(RestTable), _ref(FileTable)]},
    }
    branches = {"type": "object", "additionalProperties": _ref(MappingSection)}
    properties["entities"] = {
        **_described(properties["entities"]),
        "type": "object",
        "properties": {name: _entity(entity) for name, entity in canonical.entities.items()},
        "additionalProperties": {"anyOf": [_ref(MappingSection), branches]},
    }


def _removable(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a schema whose objects require nothing and may hold null instead of any value."""
    found = {key: value for key, value in schema.items() if key != "required"}
    for key in ("properties", "$defs"):
        if key in schema:
            parts = {name: _removable(part) for name, part in schema[key].items()}
            found[key] = {
                name: _or_null(part) if key == "properties" else part
                for name, part in parts.items()
            }
    if "anyOf" in schema:
        found["anyOf"] = [_removable(part) for part in schema["anyOf"]]
    if isinstance(schema.get("additionalProperties"), dict):
        found["additionalProperties"] = _or_null(_removable(schema["additionalProperties"]))
    return found


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a schema that allows null too; what an editor shows of it stays at its top."""
    null = {"type": "null"}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], null]}
    if "$ref" in schema or "enum" in schema or "const" in schema:
        said = _described(schema)
        rest = {key: value for key, value in schema.items() if key not in said}
        return {**said, "anyOf": [rest, null]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return schema


def _entity(entity: Entity) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: {"description": f"{field.comment} ({field.type})"}
        for name, field in entity.fields.items()
    }
    fields |= {name: {"description": "A column of every entity."} for name in MAPPABLE_COMMON}
    mapping = {**_ref(MappingSection), "properties": {"fields": {"properties": fields}}}
    branches = {"type": "object", "additionalProperties": mapping}
    return {"description": entity.comment, "anyOf": [mapping, branches]}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{model.__name__}"}


def _described(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key in ("title", "description")}
