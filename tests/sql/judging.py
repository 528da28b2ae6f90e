"""Decides what a query's answer over the sources is worth: right, refused, or wrong and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
from tests.sql.asking import Refused
from tests.sql.oracles import Answer, PostgresOracle, difference
from tests.sql.shrinking import shrunk

from roundview_catalog.errors import RoundviewError

Answering = Callable[[str], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a query. `wrong` says how it failed, "" where it did not."""

    is_asked: bool = True
    refusal: str = ""
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares what `answering` says with what PostgreSQL says."""

    answering: Answering
    oracle: PostgresOracle

    async def verdict(self, text: str, *, is_ordered: bool) -> Verdict:
        """Judges one query; one that PostgreSQL does not run is not asked."""
        try:
            right = await self.oracle.answer(text)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            return Verdict(is_asked=False)
        try:
            got = await self.answering(text)
        except Refused as refused:
            return Verdict(refusal=str(refused))
        except RoundviewError as error:
            return Verdict(wrong=f"failed with {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            return Verdict(wrong=f"failed with {type(error).__name__}: {error}")
        return Verdict(wrong=difference(right, got, ordered=is_ordered))

    async def smallest(self, text: str, verdict: Verdict) -> str:
        """Returns a small query that fails as a query did: by its rows, or by the same error."""
        kind = _kind(verdict.wrong)

        async def fails(candidate: str) -> bool:
            found = await self.verdict(candidate, is_ordered=False)
            return _kind(found.wrong) == kind

        return await shrunk(text, fails)

    async def report(self, name: str, text: str, verdict: Verdict) -> str:
        """Tells everything that whoever repairs it needs."""
        small = await self.smallest(text, verdict)
        return f"-- {name}: {verdict.wrong}\n{text};\n-- smallest:\n{small};\n"


def _kind(wrong: str) -> str:
    """Names a failure: an error by its beginning, other columns, or other rows."""
    if wrong.startswith("failed with "):
        return wrong[:40]
    return wrong and ("columns" if wrong.startswith("columns ") else "rows")
