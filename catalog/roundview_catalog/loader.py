"""Loads a catalog folder into one immutable snapshot, or says everything that is wrong."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from sqlglot import exp

from roundview_catalog import expressions, schema_file
from roundview_catalog.canonical_schema import canonical_schema
from roundview_catalog.document import Document, read
from roundview_catalog.errors import CatalogError, Position, Problem
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.mapping import compile_branches
from roundview_catalog.model import (
    Canonical,
    Catalog,
    Deadlines,
    Defaults,
    Limits,
    Role,
    Source,
    SourceTable,
    SurvivorRule,
)
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.secrets import literal_secrets

CONNECTORS = ("sqlite",)
_RULES = ("trusted", "most_recent", "most_frequent", "most_complete", "union")
_ROOT_KEYS = ("roundview", "name", "version", "deadlines", "engines", "survivorship")
_SOURCE_KEYS = ("source", "title", "owner", "connector", "connection", "limits", "defaults",
                "freshness", "facts", "entities")  # fmt: skip
_WAITING = ("use", "views", "tables", "table_defaults")
_ROLE_KEYS = ("purposes", "sees", "row_filter", "mask", "actions")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def load(root: Path, *, env: Mapping[str, str] | None = None) -> Catalog:
    """Returns the catalog of a folder; raises CatalogError with every problem.

    Nothing is asked of a source and no `${env:…}` is resolved here.
    """
    report = Report()
    catalog = _load(root, report)
    if report.problems or catalog is None:
        raise CatalogError(report.problems)
    return catalog


def check(root: Path) -> tuple[Problem, ...]:
    """Returns every problem of a catalog folder, sorted by place."""
    report = Report()
    _load(root, report)
    return tuple(sorted(set(report.problems)))


def _load(root: Path, report: Report) -> Catalog | None:
    texts = dict(_texts(root, report))
    documents = {name: read(text, name, report) for name, text in texts.items()}
    main = documents.get("roundview.yaml")
    if "roundview.yaml" not in texts:
        report.add(Position("roundview.yaml", 1, 1), "RV220", "the file is missing", "write one")
    if main is None or not _is_map(main, report):
        return None
    _known(main, (), main.data, _ROOT_KEYS, report)
    canonical = canonical_schema()
    sources: dict[str, Source] = {}
    for name, document in documents.items():
        if document is None or not name.startswith("sources/") or name.endswith(".schema.yaml"):
            continue
        if not _is_map(document, report):
            continue
        schema = documents.get(name.removesuffix(".yaml") + ".schema.yaml")
        source = _source(document, schema, root, canonical, report)
        if source is not None:
            sources[source.name] = source
    policy = documents.get("policy.yaml")
    return Catalog(
        name=str(main.data.get("name", root.name)),
        owner_version=main.data.get("version", 1),
        version=_version(texts),
        root=root,
        canonical=canonical,
        sources=sources,
        roles=_roles(policy, canonical, report) if policy is not None else {},
        survivorship=_survivorship(main, canonical, report),
        deadlines=_deadlines(main, report),
    )


def _texts(root: Path, report: Report) -> Iterable[tuple[str, str]]:
    paths = [
        root / "roundview.yaml",
        root / "policy.yaml",
        *sorted((root / "sources").glob("*.yaml")),
    ]
    for path in paths:
        if not path.is_file():
            continue
        name = path.relative_to(root).as_posix()
        try:
            yield name, path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            report.add(Position(name, 1, 1), "RV200", "the file cannot be read", "save it as UTF-8")


def _version(texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256(version("roundview").encode())
    for name in sorted(texts):
        digest.update(f"\x00{name}\x00{texts[name]}".encode())
    return digest.hexdigest()[:16]


def _source(
    document: Document,
    schema: Document | None,
    root: Path,
    canonical: Canonical,
    report: Report,
) -> Source | None:
    data = document.data
    _known(document, (), data, _SOURCE_KEYS, report)
    for path in literal_secrets(data.get("connection"), ("connection",)):
        report.add(document.position(path), "RV222", "a secret stands here", "write ${env:NAME}")
    connector = data.get("connector")
    if connector not in CONNECTORS:
        hint = did_you_mean(str(connector), CONNECTORS) or f"one of {', '.join(CONNECTORS)}"
        report.add(document.position(("connector",)), "RV206", "unknown connector", hint)
        return None
    name = data.get("source")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)?", name):
        report.add(document.position(("source",)), "RV221", "a source needs a name", "source: crm")
        return None
    if schema is None:
        report.add(
            document.position(("source",)), "RV220", "the schema file is missing",
            f"run roundview introspect {name}",
        )  # fmt: skip
        return None
    tables = _claims(document, schema_file.read(schema, report), report)
    branches = compile_branches(document, name, tables, connector, canonical, report)
    defaults = data.get("defaults") or {}
    _known(document, ("defaults",), defaults, Defaults.__dataclass_fields__, report)
    limits = data.get("limits") or {}
    _known(document, ("limits",), limits, Limits.__dataclass_fields__, report)
    if "timeout" in limits:
        limits = {**limits, "timeout": _duration(document, ("limits", "timeout"), report)}
    return Source(
        name=name,
        title=str(data.get("title", name)),
        owner=str(data.get("owner", "")),
        connector=connector,
        connection=data.get("connection") or {},
        limits=Limits(**{k: v for k, v in limits.items() if k in Limits.__dataclass_fields__}),
        defaults=Defaults(
            **{k: v for k, v in defaults.items() if k in Defaults.__dataclass_fields__}
        ),
        tables=tables,
        branches=branches,
        root=root,
        position=document.position(("source",)),
    )


def _claims(
    document: Document, tables: dict[str, SourceTable], report: Report
) -> dict[str, SourceTable]:
    """Adds what people claim under `facts` to what the source says of itself."""
    for place, claim in (document.data.get("facts") or {}).items():
        table, _, column = place.partition(".")
        known = tables.get(table)
        if known is None:
            report.add(document.key_position(("facts", place)), "RV213", f"unknown table {table}",
                       did_you_mean(table, tables))  # fmt: skip
            continue
        if not column:
            known = replace(known, unique=(*known.unique, tuple(claim.get("unique", ()))))
        elif column not in known.columns:
            report.add(document.key_position(("facts", place)), "RV214", f"unknown column {place}",
                       did_you_mean(column, known.columns))  # fmt: skip
            continue
        else:
            declared = replace(
                known.columns[column],
                normal_form=claim.get("normal_form", ""),
                time_zone=claim.get("time_zone", ""),
            )
            unique = (*known.unique, (column,)) if claim.get("unique") else known.unique
            known = replace(known, columns={**known.columns, column: declared}, unique=unique)
        tables[table] = known
    return tables


def _roles(document: Document, canonical: Canonical, report: Report) -> dict[str, Role]:
    roles: dict[str, Role] = {}
    if not _is_map(document, report):
        return roles
    _known(document, (), document.data, ("roles",), report)
    for name, given in (document.data.get("roles") or {}).items():
        path = ("roles", name)
        _known(document, path, given, _ROLE_KEYS, report)
        sees: dict[str, tuple[str, ...] | None] = {}
        for entity, fields in (given.get("sees") or {}).items():
            if entity != "*" and entity not in canonical.entities:
                report.add(
                    document.key_position((*path, "sees", entity)),
                    "RV240",
                    f"unknown entity {entity}",
                    did_you_mean(entity, canonical.entities),
                )
                continue
            sees[entity] = None if fields == "all" else tuple(fields)
            for field in sees[entity] or ():
                if entity != "*" and field not in canonical.entities[entity].types:
                    report.add(document.position((*path, "sees", entity)), "RV240",
                               f"unknown field {field} of {entity}",
                               did_you_mean(field, canonical.entities[entity].types))  # fmt: skip
        filters = {}
        for entity in given.get("row_filter") or {}:
            tree = _rule(document, (*path, "row_filter", entity), entity, canonical, report)
            if tree is not None:
                filters[entity] = tree
        masks = {}
        for place in given.get("mask") or {}:
            entity, _, field = place.partition(".")
            tree = _rule(document, (*path, "mask", place), entity, canonical, report, field)
            if tree is not None:
                masks[(entity, field)] = tree
        roles[name] = Role(
            name=name,
            purposes=tuple(given.get("purposes", ())),
            sees=sees,
            row_filter=filters,
            mask=masks,
            actions=frozenset(given.get("actions", ())),
        )
    return roles


def _rule(
    document: Document,
    path: tuple[str | int, ...],
    entity: str,
    canonical: Canonical,
    report: Report,
    field: str = "",
) -> Any:
    known = canonical.entities.get(entity)
    if known is None or (field and field not in known.types):
        report.add(document.key_position(path), "RV240", f"unknown {path[-1]}")
        return None
    text: Any = document.data
    for part in path:
        text = text[part]
    try:
        tree = expressions.parse(str(text))
    except ExpressionError as error:
        report.add(document.position(path, error.offset), error.code, error.message, error.hint)
        return None
    for column in tree.find_all(exp.Column):
        if column.table not in ("", "principal") or (
            not column.table and column.name not in known.types
        ):
            offset = expressions.offset_of(column, str(text))
            report.add(document.position(path, offset), "RV240", f"unknown column {column.name}",
                       did_you_mean(column.name, known.types))  # fmt: skip
            return None
    return tree


def _survivorship(
    document: Document, canonical: Canonical, report: Report
) -> dict[str, SurvivorRule]:
    rules = {"": SurvivorRule("most_recent")}
    for name, given in (document.data.get("survivorship") or {}).items():
        if name != "default" and name not in canonical.customer_fields:
            report.add(document.key_position(("survivorship", name)), "RV218",
                       f"unknown field {name} of customer",
                       did_you_mean(name, canonical.customer_fields))  # fmt: skip
            continue
        key = "" if name == "default" else name
        if isinstance(given, dict) and set(given) == {"trusted"}:
            rules[key] = SurvivorRule("trusted", tuple(given["trusted"]))
        elif given in _RULES:
            rules[key] = SurvivorRule(given)
        else:
            report.add(document.position(("survivorship", name)), "RV206", "not a rule",
                       f"one of {', '.join(_RULES)}")  # fmt: skip
    return rules


def _deadlines(document: Document, report: Report) -> Deadlines:
    given = document.data.get("deadlines") or {}
    _known(document, ("deadlines",), given, Deadlines.__dataclass_fields__, report)
    return Deadlines(
        **{
            name: _duration(document, ("deadlines", name), report)
            for name in given
            if name in Deadlines.__dataclass_fields__
        }
    )


def _duration(document: Document, path: tuple[str, ...], report: Report) -> float:
    value: Any = document.data
    for part in path:
        value = value[part]
    match = _DURATION.fullmatch(str(value))
    if match is None:
        report.add(document.position(path), "RV206", "not a duration", "write 800ms, 2s or 10m")
        return 1.0
    return float(match[1]) * _SECONDS[match[2]]


def _known(
    document: Document, path: tuple[str, ...], given: Any, known: Iterable[str], report: Report
) -> None:
    if not isinstance(given, dict):
        report.add(document.position(path), "RV206", "a map of names is needed here")
        return
    for key in given:
        if key in _WAITING and not path:
            report.add(document.key_position((*path, key)), "RV209", f"{key} is not supported yet")
        elif key not in known:
            report.add(document.key_position((*path, key)), "RV205", f"unknown key {key}",
                       did_you_mean(key, known))  # fmt: skip


def _is_map(document: Document, report: Report) -> bool:
    if isinstance(document.data, dict):
        return True
    report.add(document.position(), "RV206", "the file is not a map of names")
    return False
