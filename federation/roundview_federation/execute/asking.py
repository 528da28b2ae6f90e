"""Decides when each fragment of a question is asked, and with which keys."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from roundview_catalog.model import Source
from roundview_federation.connectors.port import Connector
from roundview_federation.key_sets import part_of_keyset
from roundview_federation.plan import Answer, KeySet, Page, PlannedFragment
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.top_rows import MOST, TOP

_FEW_ROWS: Final = 100
_SPARE: Final = 2

Outcome = tuple[Answer, float]
"""An answer and the seconds that it took."""


@dataclass(slots=True)
class Run:
    """One fragment of one question: the keys it asks for and whose they are.

    `owners` is key -> customer; where `above` runs first, its rows fill it. `otherwise` are the
    owners that it has where there would be none, if it is to run all the same.
    """

    planned: PlannedFragment
    keyset: KeySet | None
    owners: dict[Any, Any]
    above: Run | None = None
    task: asyncio.Task[Outcome] | None = None
    otherwise: Mapping[Any, Any] | None = None


class Asking:
    """Asks the sources for one question.

    The rounds after the first make at most `limits.calls` calls to a source together with
    those before them; keys for which no call is left are not asked for, and the answer says
    that it is truncated.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        deadline: Deadline,
        sources: Mapping[str, Source],
        connectors: Mapping[str, Connector],
        *,
        is_patient: bool = False,
    ) -> None:
        self._is_patient = is_patient
        self._params = params
        self._deadline = deadline
        self._sources = sources
        self._connectors = connectors
        self._calls: Counter[str] = Counter()
        self._bound: dict[str, Mapping[str, Any]] = {}

    def start(self, run: Run, loop: asyncio.AbstractEventLoop) -> asyncio.Task[Outcome]:
        """Starts a run, which waits for the one above it, and returns its task."""
        if run.above is None or run.above.task is None:
            work = self._ask(run, self._reserve(run))
        else:
            work = self._ask_below(run, run.above, run.above.task)
        run.task = loop.create_task(work)
        return run.task

    async def _ask(self, run: Run, reserved: int) -> Outcome:
        """Asks with the keys that are known; the calls made take the place of those reserved."""
        planned = run.planned
        source = planned.fragment.source
        bound = self._params if run.keyset is None else self._with_keys(run.keyset, run.owners)
        started = time.perf_counter()
        limit = self._deadline
        if not self._is_patient:
            limit = limit.sooner(self._sources[source].limits.timeout)
        if planned.top_call is None:
            answer = await self._connectors[source].rows(planned.call, bound, limit)
        else:
            answer = await self._first_rows(run, planned.top_call, bound, limit)
        if answer.calls != reserved:
            self._calls[source] += answer.calls - reserved
        seconds = time.perf_counter() - started
        planned.pace.took(seconds)
        return answer, seconds

    async def _first_rows(
        self, run: Run, top_call: Any, bound: Mapping[str, Any], limit: Deadline
    ) -> Answer:
        """Asks for all rows of the keys; where these are many, for the first of each alone.

        Few people have more than a page shows, and counting is dearer than a few rows more.
        """
        planned = run.planned
        connector = self._connectors[planned.fragment.source]
        shown = _most_shown(planned.pages, self._params)
        if shown is None:
            return await connector.rows(planned.call, {**bound, MOST: None}, limit)
        wanted = max(_FEW_ROWS, _SPARE * len(run.owners) * (shown + 1))
        most = min(planned.fragment.row_cap, wanted)
        answer = await connector.rows(planned.call, {**bound, MOST: most}, limit)
        if len(answer.rows) < most and not answer.is_truncated:
            return answer
        first = await connector.rows(top_call, {**bound, TOP: shown}, limit)
        return replace(first, calls=answer.calls + first.calls)

    def _with_keys(self, keyset: KeySet, owners: Mapping[Any, Any]) -> Mapping[str, Any]:
        """Returns the parameters with the keys of a set, made once for all that ask by it."""
        bound = self._bound.get(keyset.name)
        if bound is None:
            bound = {**self._params, **bound_keys(keyset, owners)}
            # Keys of rows above are those of one run: others may have been left fewer.
            if not keyset.fragment:
                self._bound[keyset.name] = bound
        return bound

    async def _ask_below(self, run: Run, above: Run, task: asyncio.Future[Outcome]) -> Outcome:
        """Asks with the keys of the rows above; raises what these failed with."""
        await asyncio.wait([task])
        answered, _ = task.result()
        for handover in above.planned.handovers:
            if run.keyset is not None and handover.keyset == run.keyset.name:
                handover.convert(answered.rows, run.owners, above.owners, self._params)
        if not run.owners and run.otherwise is not None:
            run.owners.update(run.otherwise)
        is_cut = self._cut(run)
        answer, seconds = Answer([], calls=0), 0.0
        if run.owners:
            answer, seconds = await self._ask(run, self._reserve(run))
        if is_cut or answered.is_truncated:
            answer = replace(answer, is_truncated=True)
        return answer, seconds

    def _cut(self, run: Run) -> bool:
        """Forgets keys for which no call is left, those that came last; tells if any were."""
        source, per_call = run.planned.fragment.source, run.planned.keys_per_call
        left = max(0, self._sources[source].limits.calls - self._calls[source])
        keys = list(run.owners)
        most = left * per_call if per_call or not left else len(keys)
        for key in keys[most:]:
            del run.owners[key]
        return len(keys) > most

    def _reserve(self, run: Run) -> int:
        """Counts the calls that a run needs at least; returns how many."""
        per_call = run.planned.keys_per_call
        reserved = max(1, -(-len(run.owners) // per_call)) if per_call else 1
        self._calls[run.planned.fragment.source] += reserved
        return reserved


def _most_shown(pages: Sequence[Page], params: Mapping[str, Any]) -> int | None:
    """Returns how many rows the largest page shows, None where what lies behind is needed too.

    A page behind a cursor is cut out of all rows.
    """
    sizes = [params.get(page.first) for page in pages]
    if any(page.after and params.get(page.after) is not None for page in pages):
        return None
    valid = [size for size in sizes if isinstance(size, int) and size >= 0]
    return max(valid, default=None) if len(valid) == len(sizes) else None


def bound_keys(keyset: KeySet, keys: Mapping[Any, Any]) -> dict[str, Any]:
    """Returns the keys, and of keys of several columns each part on its own, in their order."""
    bound: dict[str, Any] = {keyset.name: list(keys)}
    if len(keyset.types) > 1:
        for at, part in enumerate(zip(*keys, strict=True)):
            bound[part_of_keyset(keyset.name, at)] = list(part)
    return bound
