"""Decides which running estate the tests of the path share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.federation.ruled import RuledEstate, opened_ruled

from roundview.client import AsyncConnection, connect_async
from roundview.demo import estate, support
from roundview.demo.estate import Estate

PEOPLE = 120


@dataclass(frozen=True)
class World:
    """An estate whose support app runs, open and linked."""

    estate: Estate
    support: support.SupportProcess
    connection: AsyncConnection

    @property
    def heroine(self) -> dict[str, list[str]]:
        """Returns kind -> spellings of the identifiers of the one who is in every system."""
        identifiers: dict[str, list[str]] = self.estate.truth["personas"]["heroine"]["identifiers"]
        return identifiers


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[World]:
    """Makes an estate in a folder, starts its support app, opens and links it."""
    made = estate.make(directory, PEOPLE)
    _be_patient(made.catalog)
    process = support.start(directory)
    env = {**made.env, "SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
    async with connect_async(made.catalog, env=env) as connection:
        await connection.refresh_identity()
        yield World(made, process, connection)
    process.stop()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of the shared estate."""
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="session")
async def world(made_once: Path) -> AsyncIterator[World]:
    """Returns the shared estate; nobody may change it."""
    async with opened(made_once) as world:
        yield world


@pytest.fixture
async def own_world(tmp_path: Path) -> AsyncIterator[World]:
    """Returns an estate for one test that changes or breaks it."""
    async with opened(tmp_path) as world:
        yield world


@pytest.fixture(scope="session")
async def ruled(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RuledEstate]:
    """Returns the shared estate under a policy with row filters, masks and hidden fields."""
    directory = tmp_path_factory.mktemp("ruled")
    estate = world.estate
    process = world.support
    env = {**estate.env, "SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
    async with opened_ruled(estate.directory, directory, env, estate.truth["records"]) as opened:
        yield opened


def _be_patient(catalog: Path) -> None:
    """Gives everything time: these tests prove rows and labels, on a machine that may be busy."""
    for path in (catalog / "roundview.yaml", *(catalog / "sources").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        text = text.replace("timeout: 1500ms", "timeout: 20s").replace("view: 2s", "view: 20s")
        path.write_text(text.replace("probe: 300ms", "probe: 10s"), encoding="utf-8")
