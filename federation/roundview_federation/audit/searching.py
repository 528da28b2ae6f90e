"""Decides which records say that somebody may have seen a customer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roundview_federation.audit.reading import Progress, records


@dataclass(frozen=True, slots=True)
class Sighting:
    """One question that was, or may have been, about a customer; `reveals` is a masked field.

    `is_certain` tells whether it named the customer; otherwise it read of many people. `status` is
    empty where nothing was noted of its end.
    """

    chain: int
    number: int
    at: str
    actor: str
    roles: tuple[str, ...]
    purpose: str
    reason: str
    question: str
    is_certain: bool
    is_emergency: bool
    reveals: str
    fields: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    policy: str
    status: str


def who_saw(
    folder: Path, names: Collection[str], progress: Progress | None = None
) -> tuple[Sighting, ...]:
    """Returns the questions about a customer of these pseudonyms, the oldest first.

    A SQL question that looked the customer up is one of them, and so is every question that read
    of many people. The log is read twice.
    """
    asked = set(names)
    traces: set[str] = set()
    ended: dict[str, str] = {}
    for told in records(folder, progress):
        if told["is"] == "outcome":
            ended[told["id"]] = told["status"]
        elif told["is"] == "intent" and "trace" in told and asked.intersection(told.get("who", ())):
            traces.add(told["trace"])
    shapes: dict[str, dict[str, Any]] = {}
    found = []
    for told in records(folder, progress):
        if told["is"] == "shape":
            shapes[told["shape"]] = told
        if told["is"] != "intent":
            continue
        is_named = bool(asked.intersection(told.get("who", ())))
        is_certain = is_named or (told["question"] == "sql" and told.get("trace") in traces)
        if is_certain or told.get("many"):
            shape = shapes.get(told["shape"], {"fields": {}, "sources": []})
            found.append(_sighting(told, shape, ended.get(told["id"], ""), is_certain=is_certain))
    return tuple(found)


def _sighting(
    told: Mapping[str, Any], shape: Mapping[str, Any], status: str, *, is_certain: bool
) -> Sighting:
    return Sighting(
        chain=told["chain"],
        number=told["number"],
        at=told["at"],
        actor=told["actor"],
        roles=tuple(told["roles"]),
        purpose=told["purpose"],
        reason=told.get("reason", ""),
        question=told["question"],
        is_certain=is_certain,
        is_emergency=told.get("emergency", False),
        reveals=told.get("reveals", ""),
        fields={entity: tuple(names) for entity, names in shape["fields"].items()},
        sources=tuple(shape["sources"]),
        policy=told["policy"],
        status=status,
    )
