"""Decides whether a policy amounts to what policy_tests.yaml says, and how that is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from roundview.view import plain
from roundview_catalog.errors import RoundviewError
from roundview_catalog.model import Catalog
from roundview_catalog.policy import LiveQuestion, Place, PolicyTest, Sample
from roundview_federation.access.policy import decide
from roundview_federation.access.samples import shown_of
from roundview_federation.federation import Federation
from roundview_federation.request import Decision, Principal, Request

_NAME = "policy test"


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one test: how much was looked at, and what does not hold."""

    name: str
    looks: int
    failures: tuple[str, ...]
    not_asked: int = 0

    @property
    def holds(self) -> bool:
        """Tells whether everything that was looked at holds."""
        return not self.failures


def judged_offline(catalog: Catalog, test: PolicyTest) -> Judged:
    """Tests names, masks and sample rows; no source is asked."""
    decision = decide(
        catalog, _principal(test, catalog), test.purpose, is_emergency=test.is_emergency
    )
    failures = [
        *_places(test, decision),
        *(
            f"row {at}, {failure}"
            for at, sample in enumerate(test.samples, 1)
            for failure in _sample(sample, decision, catalog)
        ),
    ]
    looks = len(test.sees) + len(test.hides) + len(test.masks) + len(test.samples)
    return Judged(test.name, looks, tuple(failures), len(test.questions))


async def judged_live(federation: Federation, test: PolicyTest) -> Judged:
    """Tests all of it: the questions are asked, and on record as any others."""
    found = judged_offline(federation.catalog, test)
    failures = list(found.failures)
    for at, question in enumerate(test.questions, 1):
        failures += [
            f"question {at}, {failure}" for failure in await _asked(federation, test, question)
        ]
    return Judged(test.name, found.looks + len(test.questions), tuple(failures))


def _principal(test: PolicyTest, catalog: Catalog) -> Principal:
    known = tuple(one for one in test.roles if one in catalog.policy.roles)
    purposes = (test.purpose,)
    return Principal(_NAME, known, test.attributes, purposes, test.purpose)


def _places(test: PolicyTest, decision: Decision) -> Iterator[str]:
    for place in test.sees:
        if not _is_readable(place, decision):
            yield f"{_named(place)} is not seen"
    for place in test.hides:
        if _is_readable(place, decision):
            yield f"{_named(place)} is not hidden"
    for place in test.masks:
        if not _is_readable(place, decision):
            yield f"{_named(place)} is not seen"
        elif place not in decision.masks:
            yield f"{_named(place)} is not masked"


def _is_readable(place: Place, decision: Decision) -> bool:
    entity, field = place
    fields = decision.fields.get(entity)
    return fields is not None and (not field or field in fields)


def _named(place: Place) -> str:
    return ".".join(part for part in place if part)


def _sample(sample: Sample, decision: Decision, catalog: Catalog) -> Iterator[str]:
    shown = shown_of(sample, decision, catalog)
    where = f"of {sample.entity}: "
    if sample.shows is None:
        if shown is not None:
            yield f"{where}it is shown"
        return
    if shown is None:
        yield f"{where}it is hidden"
        return
    for name, wanted in sample.shows.items():
        if name not in shown:
            yield f"{where}{name} does not exist"
        elif not _is_same(shown[name], wanted):
            yield f"{where}{name} is {plain(shown[name])!r}, not {plain(wanted)!r}"


def _is_same(shown: Any, wanted: Any) -> bool:
    if (
        isinstance(shown, datetime)
        and not isinstance(wanted, datetime)
        and isinstance(wanted, date)
    ):
        shown = shown.date()
    return bool(shown == wanted)


async def _asked(federation: Federation, test: PolicyTest, question: LiveQuestion) -> list[str]:
    """Returns what does not hold of an answer; values of sources are not repeated."""
    try:
        rows, values = await _answer(federation, test, question)
    except RoundviewError as error:
        return [] if error.code == question.error else [f"it is refused: {error.code} {error}"]
    if question.error:
        return [f"it is answered, not refused with {question.error}"]
    failures = []
    if question.rows is not None and rows != question.rows:
        failures.append(f"{rows} rows, not {question.rows}")
    failures += [f"{one!r} is not shown" for one in question.shows if one not in values]
    failures += [f"{one!r} is shown" for one in question.never if one in values]
    return failures


async def _answer(
    federation: Federation, test: PolicyTest, question: LiveQuestion
) -> tuple[int, Mapping[str, None]]:
    from roundview.sql.texts import text_columns

    principal = _principal(test, federation.catalog)
    decision = decide(federation.catalog, principal, test.purpose, is_emergency=test.is_emergency)
    request = Request(
        principal,
        test.purpose,
        reason=f"{_NAME}: {test.name}",
        is_emergency=test.is_emergency,
        allow_scan="allow_scan" in decision.actions,
    )
    result = await federation.sql(question.sql, request)
    rows, values = 0, dict[str, None]()
    async for batch in result.batches():
        rows += batch.num_rows
        for column in text_columns(batch, result.columns):
            values.update(dict.fromkeys(one for one in column.to_pylist() if one is not None))
    return rows, values
