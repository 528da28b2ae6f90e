"""Decides which sources can say by an index whose an identifier is, and asks them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlglot import exp

from roundview_catalog import normalizers
from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import Branch, Catalog, IdentifierKind, SourceTable
from roundview_catalog.types import Kind
from roundview_federation.connectors.port import Connector
from roundview_federation.plan import (
    ROW_HEAD,
    ArrivalContext,
    Origin,
    PlannedFragment,
    Section,
    selecting,
)
from roundview_federation.planner import Planner
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.arrive import arrive
from roundview_federation.rewrite.push import FragmentDraft, push
from roundview_federation.rewrite.unfold import asked_of, unfold

_VALUE = "value"


@dataclass(frozen=True, slots=True)
class Locator:
    """Asks one source for the records that carry an identifier, by the source's index."""

    planned: PlannedFragment
    entity: str
    form: str
    column_kind: Kind
    normalizer: str


@dataclass(frozen=True, slots=True)
class Located:
    """A live record of an entity with the identifier; `person` is its individual's source key."""

    source: str
    source_key: str
    entity: str
    person: str | None


class Locating:
    """Looks for identifiers in the sources of one catalog snapshot."""

    def __init__(
        self,
        planner: Planner,
        connectors: Mapping[str, Connector],
        clock: Callable[[], datetime],
    ) -> None:
        self._planner = planner
        self._connectors = connectors
        self._clock = clock
        self._locators: dict[str, tuple[Locator, ...]] = {}

    async def locate(
        self, kind: IdentifierKind, forms: Sequence[str], deadline: Deadline
    ) -> tuple[list[Located], list[SourceError]]:
        """Returns the live records that carry an identifier in one of its normal forms.

        Beside them the failures of the sources that could not say.
        """
        locators = self._locators.get(kind.name)
        if locators is None:
            found = locators_of(kind, self._planner)
            locators = self._locators[kind.name] = tuple(found)
        asked = [
            (locator, value)
            for locator in locators
            for value in dict.fromkeys(_as_source(form, locator) for form in forms)
            if value is not None
        ]
        answers = await asyncio.gather(
            *(self._ask(locator, value, deadline) for locator, value in asked),
            return_exceptions=True,
        )
        located: list[Located] = []
        failures: list[SourceError] = []
        for (locator, _), answer in zip(asked, answers, strict=True):
            if isinstance(answer, SourceError):
                failures.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                located += self._matching(locator, answer, forms)
        return list(dict.fromkeys(located)), failures

    async def _ask(self, locator: Locator, value: Any, deadline: Deadline) -> list[tuple[Any, ...]]:
        source = locator.planned.fragment.source
        limit = deadline.sooner(self._planner.catalog.sources[source].limits.timeout)
        try:
            async with asyncio.timeout(limit.left + 0.02):
                answer = await self._connectors[source].rows(
                    locator.planned.call, {_VALUE: value}, limit
                )
        except TimeoutError:
            raise SourceError(source, f"{source} did not answer in time", code="RV401") from None
        return answer.rows

    def _matching(
        self, locator: Locator, rows: list[tuple[Any, ...]], forms: Sequence[str]
    ) -> Iterator[Located]:
        source = locator.planned.fragment.source
        now = self._clock()
        known = self._planner.catalog.sources[source]
        origin = Origin(source, known.system, known.instance, now, now)
        context = ArrivalContext(origin, {}, (), (), {}, lambda _: None)
        for arrival in locator.planned.arrivals:
            out: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
            arrival.convert(rows, out, context)
            for person, found in out.items():
                for row in found:
                    value = normalizers.normalize(locator.normalizer, str(row[len(ROW_HEAD)]))
                    if value in forms:
                        yield Located(source, row[1], locator.entity, person)


def locators_of(kind: IdentifierKind, planner: Planner) -> Iterator[Locator]:
    """Yields every way to ask a source, by its index, for records that carry an identifier."""
    for entity, field in planner.catalog.canonical.identifier_fields(kind.name):
        if planner.catalog.canonical.entities[entity].fields[field].identifier_from:
            continue
        for branch in planner.catalog.branches(entity):
            yield from _branch_locators(kind, branch, field, planner)


def _branch_locators(
    kind: IdentifierKind, branch: Branch, field: str, planner: Planner
) -> Iterator[Locator]:
    connector = planner.connectors[branch.source]
    capabilities = connector.capabilities
    section = Section("locate", branch.entity, selecting(branch.entity, (field,)), "")
    leaf, sealing = _leaf(section), planner.sealing
    joins = capabilities.joins
    for unfolded in unfold(
        asked_of(leaf), branch, planner.catalog, (field,), joins=joins, sealing=sealing
    ):
        column = _base_column(branch, unfolded.slot, field, planner.catalog)
        if column is None or column.table not in unfolded.aliases:
            continue
        table = unfolded.source.tables[unfolded.aliases[column.table]]
        declared, form = table.searched(column.name)
        form = form or ("text" if kind.is_live else "")
        if not form or not _is_indexed(table, declared.name):
            continue
        drafts: dict[str, FragmentDraft] = {}
        asked = exp.column(declared.name, table=column.table)
        condition = exp.EQ(this=asked, expression=exp.Placeholder(this=_VALUE))
        pushed = push(
            unfolded, None, capabilities, drafts, conditions=(condition,), params=(_VALUE,)
        )
        compiled = arrive(unfolded, pushed, "locate")
        fragment = pushed.draft.fragment()
        try:
            call = connector.compile(fragment)
        except RequestError:
            continue
        yield Locator(
            planned=PlannedFragment(fragment, call, (compiled(),)),
            entity=branch.entity,
            form=form,
            column_kind=declared.type.kind,
            normalizer=kind.normalizer,
        )


def _leaf(section: Section) -> exp.Select:
    name = section.entity
    inner = section.tree.copy()
    tree = section.tree.copy()
    tree.set(
        "from_",
        exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(name)))),
    )
    return tree


def _base_column(branch: Branch, slot: str, field: str, catalog: Catalog) -> exp.Column | None:
    """Returns the plain source column that an identifier field is, or is derived from."""
    mapping = branch.slots[slot].get(field)
    if mapping is not None:
        return mapping.expr if isinstance(mapping.expr, exp.Column) else None
    derive = catalog.canonical.entities[branch.entity].fields[field].derive
    if derive is None:
        return None
    for column in derive.find_all(exp.Column):
        return _base_column(branch, slot, column.name, catalog)
    return None


def _is_indexed(table: SourceTable, column: str) -> bool:
    if table.access is not None:
        return True
    keys = (table.primary_key, *table.unique, *table.indexes)
    return any(key and key[0] == column for key in keys)


def _as_source(form: str, locator: Locator) -> Any:
    """Returns a normal form as the source's column holds it, None where it cannot."""
    if locator.column_kind in (Kind.INTEGER, Kind.BIGINT):
        return int(form) if form.isdigit() and len(form) < 19 else None
    if locator.form == "lower":
        return form.lower()
    if locator.form == "upper":
        return form.upper()
    return form
