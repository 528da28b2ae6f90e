"""A serving process looks for garbage less often than once in a view."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from roundview.serve import hasten_loop

ROWS = 5_000


@pytest.fixture
def as_before() -> Iterator[None]:
    """Puts back what is set for the whole process."""
    seconds, threshold = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(seconds)
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("as_before")
def test_rows_of_a_view_are_made_without_a_search_for_garbage() -> None:
    searches: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        searches.append(phase)

    hasten_loop()
    gc.collect()
    gc.callbacks.append(note)
    try:
        rows = [[at] for at in range(ROWS)]
    finally:
        gc.callbacks.remove(note)
    assert (len(rows), searches) == (ROWS, [])
