"""Proves that questions about the catalog are answered as a real PostgreSQL answers them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.pgcatalog.answers import CORPUS, Client, same, statements
from tests.pgcatalog.conftest import Doors

FILES = sorted(CORPUS.glob("*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda one: one.stem)
async def test_the_answers_are_postgresqls(doors: Doors, path: Path) -> None:
    assert await asyncio.to_thread(different, doors, path) == []


def test_the_corpus_is_large() -> None:
    assert sum(len(statements(path)) for path in FILES) >= 190


def different(doors: Doors, path: Path) -> list[object]:
    """Returns what is answered otherwise; the statements of a file share a session."""
    ours, theirs = Client(doors.ours), Client(doors.theirs)
    try:
        found: list[object] = []
        for one in statements(path):
            own, real = ours.answer(one), theirs.answer(one)
            if not same(own, real):
                found.append((one.title, own, real))
        return found
    finally:
        ours.close()
        theirs.close()
