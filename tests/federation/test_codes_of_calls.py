"""Tests that conditions on coded fields of a REST system are answered, however many codes fit."""

from __future__ import annotations

from typing import Any

import pytest
from tests.federation.conftest import World


async def rows(world: World, text: str) -> list[tuple[Any, ...]]:
    """Returns the rows that answer a SQL question about everybody."""
    async with await world.connection.sql(text, allow_scan=True) as found:
        return await found.rows()


@pytest.mark.parametrize(
    "wanted", [("closed",), ("open",), ("closed", "open"), ("open", "pending", "resolved")]
)
async def test_values_stand_for_any_number_of_codes(world: World, wanted: tuple[str, ...]) -> None:
    everything = await rows(world, "SELECT source_key, status FROM support_case")
    values = ", ".join(f"'{one}'" for one in wanted)
    text = f"SELECT source_key, status FROM support_case WHERE status IN ({values})"
    found = await rows(world, text)
    assert sorted(found) == sorted(row for row in everything if row[1] in wanted)
    assert found
