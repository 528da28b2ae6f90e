"""Adds up what each source did for one answer, and says it as one status per source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from roundview_catalog.errors import SourceError
from roundview_catalog.model import Catalog
from roundview_federation.plan import Answer, Origin
from roundview_federation.result import SourceStatus


@dataclass(slots=True)
class _Entry:
    seconds: float = 0.0
    rows: int = 0
    calls: int = 0
    as_of: datetime | None = None
    is_truncated: bool = False
    has_answered: bool = False
    error: SourceError | None = None
    problems: int = 0
    noted: set[str] = field(default_factory=set)
    origin: Origin | None = None


class Ledger:
    """Collects the outcomes of one question; `now` is when its rows were fetched."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self._catalog = catalog
        self._now = now
        self._entries: dict[str, _Entry] = {}

    def answered(self, source: str, answer: Answer, seconds: float) -> Origin:
        """Counts an answer and returns where its rows come from.

        Rows that the source sent though nobody asked for them count as problems.
        """
        entry = self._entry(source)
        as_of = answer.as_of or self._now
        entry.seconds = max(entry.seconds, seconds)
        entry.rows += len(answer.rows)
        entry.calls += answer.calls
        entry.as_of = as_of if entry.as_of is None else min(entry.as_of, as_of)
        entry.is_truncated |= answer.is_truncated
        entry.has_answered = True
        entry.problems += answer.dropped
        if entry.origin is None or entry.origin.as_of is not as_of:
            known = self._catalog.sources[source]
            entry.origin = Origin(source, known.system, known.instance, self._now, as_of)
        return entry.origin

    def streamed(self, source: str, rows: int, seconds: float) -> None:
        """Counts the rows of an answer that came in batches."""
        entry = self._entry(source)
        entry.rows += rows
        entry.seconds = max(entry.seconds, seconds)

    def failed(self, source: str, error: SourceError) -> None:
        """Keeps the first failure of a source: what waited for it failed for the same reason."""
        entry = self._entry(source)
        entry.error = entry.error or error

    def noter(self, source: str) -> Callable[[str], None]:
        """Returns what counts the problems of fields while rows arrive, and keeps their names."""
        entry = self._entry(source)

        def note(problem: str) -> None:
            entry.problems += 1
            entry.noted.add(problem)

        return note

    def statuses(self) -> tuple[SourceStatus, ...]:
        """Returns one status per source that was asked, by name."""
        return tuple(_status(name, self._entries[name]) for name in sorted(self._entries))

    def _entry(self, source: str) -> _Entry:
        entry = self._entries.get(source)
        if entry is None:
            entry = self._entries[source] = _Entry()
        return entry


def _status(name: str, entry: _Entry) -> SourceStatus:
    status = "ok"
    error = entry.error
    if error is None and entry.is_truncated:
        error = _cut(name)
    if error is not None:
        status = "partial" if entry.has_answered else "failed"
    return SourceStatus(
        name=name,
        status=status,
        as_of=entry.as_of,
        ms=round(entry.seconds * 1000, 3),
        rows=entry.rows,
        calls=entry.calls,
        code=error.row.graphql if error else "",
        rv_code=error.code if error else "",
        reason=error.message if error else "",
        hint=error.hint if error else "",
        is_truncated=entry.is_truncated,
        problems=entry.problems,
        noted=frozenset(entry.noted),
    )


def _cut(name: str) -> SourceError:
    text = f"{name} has more than one answer may hold"
    hint = "ask for less, or raise its limits.rows, limits.bytes or limits.calls"
    return SourceError(name, text, code="RV405", hint=hint)
