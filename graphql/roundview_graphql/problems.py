"""Decides which fields of a built answer are null because something failed, and says why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roundview_catalog.errors import RoundviewError
from roundview_federation.result import Result
from roundview_graphql.failures import MOST_ERRORS, Problem, shown
from roundview_graphql.outline import Path
from roundview_graphql.question import Asked


def problems_of(asked: Asked, result: Result, data: dict[str, Any]) -> list[Problem]:
    """Returns the errors of an answer: one for every field that a failure left null."""
    problems: list[Problem] = []
    for root in asked.outline.roots:
        for index, found in enumerate(result.found[root.name]):
            if found.error is not None:
                spot: list[str | int] = [root.selected.key]
                problems.append(shown(found.error, [*spot, index] if root.is_list else spot))
    for section, path in _sections(asked):
        error: RoundviewError | None = result.outputs[section].failed
        if error is None:
            continue
        for concrete in _nulls(data, path, []):
            problems.append(shown(error, concrete))
            if len(problems) >= MOST_ERRORS:
                return problems
    return problems


def _sections(asked: Asked) -> Iterator[tuple[str, Path]]:
    """Yields every section with the paths of the fields that are null where it failed."""
    for at, root in enumerate(asked.outline.roots):
        section = asked.customers[at]
        if not section:
            continue
        empty = {
            origins.path
            for origins, fields in zip(asked.outline.origins, asked.choices.origins, strict=True)
            if not fields
        }
        lists = {listed.path for listed in asked.outline.lists}
        for key, selected in root.selection.fields.items():
            path = (*root.path, key)
            own = selected.name in ("customerId", "linkState", "__typename")
            if not own and path not in lists and path not in empty:
                yield section, path
    for listed in asked.outline.lists:
        yield listed.name, listed.path


def _nulls(value: Any, path: Path, walked: list[str | int]) -> Iterator[list[str | int]]:
    if not path:
        if value is None:
            yield walked
        return
    if value is None:
        return
    if path[0] == "*":
        for index, one in enumerate(value):
            yield from _nulls(one, path[1:], [*walked, index])
    else:
        yield from _nulls(value[path[0]], path[1:], [*walked, path[0]])
