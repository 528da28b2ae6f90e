"""Decides without which sources a statement must do: those that are known not to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from dataclasses import dataclass, field
from typing import Final

from roundview_catalog.errors import SourceError
from roundview_federation.sql.running import Asked, Fetched

_MOST_SECONDS: Final = 2.0
"""How long sources are waited for; that much of a question's time is kept for its answer, too."""


@dataclass(slots=True)
class Absences:
    """Remembers which sources may not answer; Trino fails whole statements of such sources."""

    _doubted: set[str] = field(default_factory=set)

    def doubt(self, sources: Collection[str]) -> None:
        """Remembers sources of a statement that failed: they are proved before the next one."""
        self._doubted |= set(sources)

    async def watch(self, fetching: Awaitable[Fetched]) -> Fetched:
        """Returns what another engine fetches, and remembers sources that fail it."""
        try:
            fetched = await fetching
        except SourceError as error:
            self.doubt((error.source,))
            raise
        self.doubt(fetched.missing)
        return fetched

    async def among(self, sources: Collection[str], asked: Asked) -> tuple[str, ...]:
        """Returns which sources of a statement do not answer us now.

        For a partial answer all of them are proved, else those that are doubted. Raises
        SourceError RV402 where one does not answer and the whole answer is wanted.
        """
        proved = set(sources) if asked.is_partial else self._doubted & set(sources)
        if not proved:
            return ()
        seconds = min(_MOST_SECONDS, asked.deadline.left / 2)
        states = await asked.snapshot.states(proved, seconds)
        found = tuple(sorted(one.name for one in states if one.state == "unavailable"))
        self._doubted -= proved - set(found)
        self._doubted |= set(found)
        if found and not asked.is_partial:
            raise SourceError(
                found[0],
                f"{found[0]} cannot be reached",
                code="RV402",
                hint="with --partial it is answered without the rows of that source",
            )
        return found
