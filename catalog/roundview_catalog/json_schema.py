"""Decides what editors are told about the files of a catalog: one JSON Schema per kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from roundview_catalog.connections import (
    FilesConnection,
    MysqlConnection,
    PostgresConnection,
    RestConnection,
    SqliteConnection,
)
from roundview_catalog.files import (
    CatalogFile,
    EntityFile,
    IdentityFile,
    MappingSection,
    PolicyFile,
    SourceFile,
)
from roundview_catalog.model import MAPPABLE_COMMON, Canonical, Entity
from roundview_catalog.schema_file import SchemaFile
from roundview_catalog.tables import FileTable, RestTable

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CONNECTIONS: tuple[type[BaseModel], ...] = (
    SqliteConnection,
    FilesConnection,
    RestConnection,
    PostgresConnection,
    MysqlConnection,
)
_PARTS: tuple[type[BaseModel], ...] = (
    *_CONNECTIONS,
    RestTable,
    FileTable,
    MappingSection,
)


def json_schemas(canonical: Canonical) -> Mapping[str, dict[str, Any]]:
    """Returns the JSON Schema of each kind of file: catalog, source, schema, entity, policy,
    identity.

    The source file's schema knows the canonical entities and fields, with their comments.
    """
    kinds: dict[str, type[BaseModel]] = {
        "catalog": CatalogFile,
        "source": SourceFile,
        "schema": SchemaFile,
        "entity": EntityFile,
        "policy": PolicyFile,
        "identity": IdentityFile,
    }
    found = {name: _schema(model, name) for name, model in kinds.items()}
    _refine_source(found["source"], canonical)
    return found


def _schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    parts: tuple[type[BaseModel], ...] = (model, *_PARTS) if model is SourceFile else (model,)
    refs, schema = models_json_schema([(part, "validation") for part in parts], by_alias=True)
    whole = refs[(model, "validation")]["$ref"].rpartition("/")[2]
    definitions = dict(sorted(schema["$defs"].items()))
    top = definitions.pop(whole)
    whole_schema = {**top, "title": f"Roundview {name} file", "$defs": definitions}
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
