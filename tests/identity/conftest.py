"""Decides what the identity tests share: a fresh store for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.identity.worlds import KEYS, clock, randoms

from roundview_identity.store import Xref


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Xref]]:
    """Returns `opened(name="xref.db", seed=1)`, which opens a store with fixed clock and ids."""
    stores: list[Xref] = []

    def make(name: str = "xref.db", seed: int = 1, *, read_only: bool = False) -> Xref:
        stores.append(
            Xref.open(
                tmp_path / name,
                KEYS,
                clock_ms=clock,
                random=randoms(seed).randbytes,
                read_only=read_only,
            )
        )
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def xref(opened: Callable[..., Xref]) -> Xref:
    """Returns an empty store."""
    return opened()
