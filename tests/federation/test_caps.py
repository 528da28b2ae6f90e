"""Proves that a cap never passes for an end: what it cut is labelled wherever it shows."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from tests.federation.conftest import World

from roundview.demo import support
from roundview_federation.federation import Federation
from roundview_federation.plan import Identifier, Lookup, Page, Question, Section, selecting
from roundview_federation.refresh import refresh_identity
from roundview_federation.request import Request

HEROINE = Identifier("email", "leonie.vogt@mail.example")


@asynccontextmanager
async def capped(
    world: World, directory: Path, source: str, **caps: int | str
) -> AsyncIterator[Federation]:
    """Opens a copy of the estate's catalog in which one source has further limits.

    A name with a colon is text of the source's file, which is replaced.
    """
    shutil.copytree(world.estate.catalog, directory / "catalog")
    shutil.copytree(world.estate.directory / ".roundview", directory / "identity")
    path = directory / f"catalog/sources/{source}.yaml"
    text = path.read_text(encoding="utf-8")
    for name in [name for name in caps if ":" in name]:
        text = text.replace(name, str(caps.pop(name)))
    further = "".join(f", {name}: {value}" for name, value in caps.items())
    assert "limits: {timeout: 20s" in text
    path.write_text(text.replace("limits: {timeout: 20s", f"limits: {{timeout: 20s{further}"))
    env = {
        **world.estate.env,
        "SUPPORT_URL": world.support.url,
        support.TOKEN_VARIABLE: world.support.token,
    }
    federation = Federation.open(
        directory / "catalog",
        data_dir=directory / "identity",
        secret=world.estate.secret,
        env=env,
    )
    try:
        yield federation
    finally:
        await federation.close()


@pytest.mark.parametrize(
    ("source", "entity"), [("pos", "sales_order"), ("mail", "engagement"), ("support", "support_case")]
)  # fmt: skip
async def test_capped_rows_are_labelled_everywhere(
    world: World, tmp_path: Path, source: str, entity: str
) -> None:
    section = Section("s", entity, selecting(entity, ("source_key", "source")), "c")
    page = Section(
        "p", entity, selecting(entity, ("source_key",)), "c", page=Page("first", wants_cursor=False)
    )
    question = Question("capped", (Lookup("c"),), (section, page))
    async with capped(world, tmp_path, source, rows=1) as federation:
        params = {"c": [HEROINE], "first": 1000}
        result = await federation.run(question, params, Request(federation.principal))
        rows = result.outputs["s"].groups[0]
        assert sum(row[0].source == source for row in rows.rows) <= 4
        assert rows.is_truncated
        assert result.outputs["p"].groups[0].is_truncated
        assert not result.complete
        states = {one.name: (one.status, one.is_truncated) for one in result.sources}
        assert states[source] == ("partial", True)
        assert {state for name, state in states.items() if name != source} <= {("ok", False)}


async def test_nothing_is_labelled_that_was_not_cut(world: World, tmp_path: Path) -> None:
    section = Section("s", "sales_order", selecting("sales_order", ("source_key",)), "c")
    question = Question("uncapped", (Lookup("c"),), (section,))
    async with capped(world, tmp_path, "pos", rows=100) as federation:
        result = await federation.run(question, {"c": [HEROINE]}, Request(federation.principal))
        assert not result.outputs["s"].groups[0].is_truncated
        assert result.complete


async def test_a_cut_list_refutes_nobody(world: World, tmp_path: Path) -> None:
    """The value that was looked up may stand on a row that the cap left out."""
    with closing(sqlite3.connect(world.estate.directory / "pos.db")) as tills:
        cards = [
            card
            for (card,) in tills.execute(
                "SELECT account_number FROM ospos_customers WHERE deleted = 0 ORDER BY 1"
            )
            if card
        ][:8]
    section = Section("i", "individual", selecting("individual", ("full_name",)), "c")
    question = Question("kept", (Lookup("c"),), (section,))
    who = [Identifier("loyalty_no", card) for card in cards]
    async with capped(world, tmp_path, "pos", rows=1) as federation:
        result = await federation.run(question, {"c": who}, Request(federation.principal))
        assert [one.customer_id is None for one in result.found["c"]] == [False] * len(who)


async def test_identity_is_not_rebuilt_from_half_a_source(world: World, tmp_path: Path) -> None:
    async with capped(world, tmp_path, "crm", rows=1) as federation:
        before = federation.xref.lookup("email", "leonie.vogt@mail.example")
        refreshed = await refresh_identity(federation, ["crm"])
        assert list(refreshed.skipped) == ["crm"]
        assert "more of its people than its limits allow" in refreshed.skipped["crm"]
        assert federation.xref.lookup("email", "leonie.vogt@mail.example") == before
        assert before
