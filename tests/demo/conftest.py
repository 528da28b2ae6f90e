"""Decides what tests of the demo share: one estate, its expected rows, its support app."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roundview.demo import estate, support


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> estate.Estate:
    """Returns a finished estate of 400 people; nobody may change it."""
    return estate.make(tmp_path_factory.mktemp("estate"), people=400)


@pytest.fixture(scope="session")
def truth_rows_of() -> Any:
    """Returns `TruthRows`: the expected rows of the estate in a folder."""
    file = Path(__file__).parent / "truth_rows.py"
    spec = importlib.util.spec_from_file_location("demo_truth_rows", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TruthRows


@pytest.fixture(scope="session")
def truth_rows(made: estate.Estate, truth_rows_of: Any) -> Iterator[Any]:
    """Returns the expected rows of that estate."""
    rows = truth_rows_of(made.directory)
    yield rows
    rows.close()


@pytest.fixture(scope="session")
def running(made: estate.Estate) -> Iterator[support.SupportProcess]:
    """Returns the running support app of that estate."""
    process = support.start(made.directory)
    yield process
    process.stop()
