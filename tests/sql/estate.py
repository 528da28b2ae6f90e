"""Decides how rows of canonical tables are spread over sources, and the catalog that maps them.

The truth is a DuckDB with one plain table per entity. A Part says which rows of which entity lie
where, under which names and in which form; from it come the source's table and its mapping, so
that both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
from ruamel.yaml import YAML
from tests.sql import stores
from tests.sql.stores import Servers, Stored

from roundview.client import AsyncConnection, connect_async
from roundview.introspection import introspect_source
from roundview_catalog import schema_file
from roundview_catalog.types import Kind, parse_type

SECONDS = "120s"


@dataclass(frozen=True, slots=True)
class Form:
    """How a source holds a field: `encode` is DuckDB SQL over `{c}`, `decode` SQL of the catalog.

    `decode` may be what a mapping writes under a field, such as `{value, map}`. `types` names the
    column's type by technology, where it is not the field's own.
    """

    encode: str = "{c}"
    decode: str | Callable[[str], Any] = "{c}"
    types: Mapping[str, str] = field(default_factory=dict)

    def mapped(self, column: str) -> Any:
        """Returns what a mapping writes for the field."""
        return self.decode(column) if callable(self.decode) else self.decode.format(c=column)


PLAIN = Form()


def as_text(type_: str) -> Form:
    """Returns the form of a value that is stored as text."""
    return Form("CAST({c} AS VARCHAR)", f"CAST({{c}} AS {type_})", _everywhere("text"))


def in_cents() -> Form:
    """Returns the form of an amount that is stored as whole cents."""
    return Form("CAST({c} * 100 AS BIGINT)", "{c} / 100.00", _everywhere("bigint"))


def by_code(codes: Mapping[str, str]) -> Form:
    """Returns the form of an enum or boolean that is stored as codes: value -> code."""
    cases = " ".join(f"WHEN '{value}' THEN '{code}'" for value, code in codes.items())
    back = {code: _plain(value) for value, code in codes.items()}
    return Form(
        f"CASE CAST({{c}} AS VARCHAR) {cases} END",
        lambda column: {"value": column, "map": back},
        _everywhere("text"),
    )


def _plain(value: str) -> Any:
    return {"true": True, "false": False}.get(value, value)


def _everywhere(type_: str) -> dict[str, str]:
    return dict.fromkeys(stores.TECHNOLOGIES, type_)


@dataclass(frozen=True, slots=True)
class Entity:
    """A canonical entity: fields with their canonical types, and those that make a row unique."""

    name: str
    fields: Mapping[str, str]
    key: tuple[str, ...]
    links: tuple[str, ...] = ()
    """fields that joins use: sources have an index on each"""
    parents: Mapping[str, str] = field(default_factory=dict)
    """entity that rows lie below -> the field that has its key"""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of an entity that lie in one table of one source.

    `where` is DuckDB SQL over the entity's fields; `rename` gives the column of a field.
    """

    entity: str
    source: str
    table: str
    where: str = "TRUE"
    rename: Callable[[str], str] = str
    forms: Mapping[str, Form] = field(default_factory=dict)
    natives: Mapping[str, str] = field(default_factory=dict)
    """field -> the source's own column type, where it is not the usual one"""


@dataclass(frozen=True, slots=True)
class Split:
    """One way to spread entities: source -> technology, and the parts that lie there."""

    name: str
    sources: Mapping[str, str]
    parts: tuple[Part, ...]
    zones: Mapping[str, str] = field(default_factory=dict)
    """source -> zone of its local times, where that is not UTC"""

    def named(self, name: str) -> Split:
        """Returns the same split under another name, which its databases bear."""
        return replace(self, name=name)


async def build(
    folder: Path,
    entities: Sequence[Entity],
    split: Split,
    truth: duckdb.DuckDBPyConnection,
    servers: Servers,
) -> AsyncConnection:
    """Writes the sources and the catalog of a split into a folder and opens it."""
    catalog, env = await written(folder, entities, split, truth, servers)
    return connect_async(catalog, env=env)


async def written(
    folder: Path,
    entities: Sequence[Entity],
    split: Split,
    truth: duckdb.DuckDBPyConnection,
    servers: Servers,
) -> tuple[Path, dict[str, str]]:
    """Writes a split into a folder; returns its catalog and the environment that it needs."""
    by_name = {entity.name: entity for entity in entities}
    for source, technology in split.sources.items():
        tables = [
            _stored(part, by_name[part.entity], technology, split.zones.get(source, "UTC"))
            for part in split.parts
            if part.source == source
        ]
        place = stores.Place(f"{split.name}_{source}", folder / "data")
        await stores.WRITERS[technology](place, tables, truth, servers)
    catalog = folder / "catalog"
    env = _write_catalog(catalog, entities, split, folder / "data", servers)
    for source in split.sources:
        schema_file.write(
            catalog / f"sources/{source}.schema.yaml",
            await introspect_source(catalog, source, env),
        )
    return catalog, env


def _stored(part: Part, entity: Entity, technology: str, zone: str) -> Stored:
    columns = []
    for name, type_ in entity.fields.items():
        form = part.forms.get(name, PLAIN)
        stored = form.types.get(technology, type_)
        column = stores.Column(
            part.rename(name),
            _localised(form.encode.format(c=name), stored, technology, zone),
            part.natives.get(name) or stores.native(technology, stored, in_key=name in entity.key),
        )
        columns.append(column)
    return Stored(
        table=part.table,
        query=f"FROM {entity.name} WHERE {part.where}",
        columns=tuple(columns),
        key=tuple(part.rename(name) for name in entity.key),
        indexes=tuple(part.rename(name) for name in entity.links),
    )


def _localised(sql: str, type_: str, technology: str, zone: str) -> str:
    if parse_type(type_).kind is not Kind.TIMESTAMPTZ or technology in stores.KNOWS_INSTANTS:
        return sql
    return f"timezone('{zone}', {sql})"


def _write_catalog(
    root: Path, entities: Sequence[Entity], split: Split, data: Path, servers: Servers
) -> dict[str, str]:
    (root / "sources").mkdir(parents=True)
    (root / "entities").mkdir()
    _dump(
        root / "roundview.yaml",
        {"roundview": 1, "name": split.name, "deadlines": {"view": SECONDS, "sql": SECONDS}},
    )
    _dump(
        root / "policy.yaml",
        {
            "roles": {
                "demo": {"purposes": ["service"], "sees": {"*": "all"}, "actions": ["allow_scan"]}
            }
        },
    )
    for entity in entities:
        fields = {name: {"type": t, "comment": f"{name}."} for name, t in entity.fields.items()}
        above = {parent: {"by": "parent"} for parent in entity.parents}
        _dump(
            root / f"entities/{entity.name}.yaml",
            {"entity": entity.name, "comment": f"One {entity.name}.", "person": False,
             "fields": fields, **({"relations": above} if above else {})},
        )  # fmt: skip
    env: dict[str, str] = {}
    for source, technology in split.sources.items():
        place = stores.Place(f"{split.name}_{source}", data)
        head, own = stores.connection(place, technology, servers, f"{source.upper()}_PLACE")
        env |= own
        _dump(root / f"sources/{source}.yaml", {**head, **_mapped(source, entities, split)})
    return env


def _mapped(source: str, entities: Sequence[Entity], split: Split) -> dict[str, Any]:
    technology = split.sources[source]
    by_name = {entity.name: entity for entity in entities}
    parts = [part for part in split.parts if part.source == source]
    file: dict[str, Any] = {
        "source": source,
        "limits": {"timeout": SECONDS, "scan_rows": 100_000_000, "rows": 100_000_000,
                   "bytes": "1GiB"},
        "defaults": {"time_zone": split.zones.get(source, "UTC")},
    }  # fmt: skip
    if technology in stores.FILE_FORMATS:
        file["tables"] = {
            part.table: stores.declared(
                technology,
                _stored(part, by_name[part.entity], technology, split.zones.get(source, "UTC")),
            )
            for part in parts
        }
    file["entities"] = {}
    for entity in {part.entity: None for part in parts}:
        own = [part for part in parts if part.entity == entity]
        branches = {f"part_{at}": _mapping(part, by_name[entity]) for at, part in enumerate(own, 1)}
        file["entities"][entity] = branches if len(own) > 1 else branches["part_1"]
    return file


def _mapping(part: Part, entity: Entity) -> dict[str, Any]:
    fields = {
        name: part.forms.get(name, PLAIN).mapped(f"t.{part.rename(name)}") for name in entity.fields
    }
    above = {parent: f"t.{part.rename(name)}" for parent, name in entity.parents.items()}
    key = {"key": f"t.{part.rename(entity.key[0])}"} if above else {}
    return {
        "from": f"{part.table} t",
        **key,
        "fields": fields,
        **({"parent": above} if above else {}),
    }


def _dump(path: Path, data: Mapping[str, Any]) -> None:
    yaml = YAML()
    yaml.width = 10_000
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(dict(data), file)
