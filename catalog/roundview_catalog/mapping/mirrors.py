"""Decides which branches repeat facts that another source owns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from roundview_catalog.mapped import Mirrors
from roundview_catalog.mapping.fields import Slots
from roundview_catalog.mapping.reader import Path, Reader
from roundview_catalog.model import Entity, Source
from roundview_catalog.report import Report, did_you_mean

_KEYS = ("of", "by")


def read_mirrors(
    reader: Reader, entity: Entity, given: Mapping[str, Any], slots: Slots, path: Path
) -> Mirrors | None:
    """Returns whose facts the rows of a mapping repeat, None where they are its own."""
    if given.get("mirrors") is None:
        return None
    at = (*path, "mirrors")
    example = f"{{of: shop.{entity.name}, by: FIELD}}"
    declared = reader.as_map(given["mirrors"], at, "mirrors")
    for key in declared:
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS)
            raise reader.wrong((*at, key), "RV205", f"unknown key {key}", hint)
    if any(not isinstance(declared.get(key), str) for key in _KEYS):
        raise reader.wrong(at, "RV220", "mirrors needs `of` and `by`", example)
    if entity.name == "individual":
        raise reader.wrong(at, "RV206", "a person is not mirrored", "persons are linked instead")
    source, _, owner = declared["of"].rpartition(".")
    if not source or owner != entity.name:
        message = f"{declared['of']} is no {entity.name} of a source"
        raise reader.wrong((*at, "of"), "RV206", message, example)
    if source == reader.source:
        raise reader.wrong((*at, "of"), "RV206", "a source does not mirror itself", "use where")
    by = declared["by"]
    if by not in entity.fields:
        hint = did_you_mean(by, entity.fields)
        raise reader.wrong((*at, "by"), "RV218", f"unknown field {by} of {entity.name}", hint)
    if not all(by in fields for fields in slots.values()):
        raise reader.wrong((*at, "by"), "RV220", f"{by} is not mapped here", "map it under fields")
    return Mirrors(source, by)


def check_mirrors(sources: Mapping[str, Source], names: Collection[str], report: Report) -> None:
    """Reports owners that are not there; `names` are all sources, wrong ones included."""
    for source in sources.values():
        for branch in source.branches:
            if branch.mirrors is None:
                continue
            owner = branch.mirrors.source
            if owner not in names:
                hint = did_you_mean(owner, names)
                report.add(branch.position, "RV227", f"mirrors of unknown source {owner}", hint)
            elif (
                owner in sources
                and sources[owner].branches
                and not any(
                    b.entity == branch.entity and b.mirrors is None for b in sources[owner].branches
                )
            ):
                message = f"{owner} maps no {branch.entity} of its own"
                report.add(branch.position, "RV225", message, "name the source that owns it")
