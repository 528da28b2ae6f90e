"""Asks random questions under random roles at every door: each answer is the naive one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.federation.conftest import World
from tests.federation.door_answers import (
    SQL_ANSWERS,
    CommandLine,
    compare_graphql,
    compare_sql,
    expected_of,
    kind,
)
from tests.federation.door_questions import question
from tests.federation.ruled import RuledEstate

from roundview_graphql.door import Door

KEPT = (700088, 700307, 700027)
"""Seeds that once were answered differently."""
COUNT = 90
SCHEMAS = 3
"""A schema takes seconds to make: a short run makes few, each once."""
COMMANDS = 6


@pytest.mark.timeout(400)
async def test_every_door_answers_what_plain_sql_does(ruled: RuledEstate) -> None:
    door = Door(ruled.federation)
    asked = 0
    schemas: set[tuple[tuple[str, ...], str]] = set()
    questions = [question(ruled, seed) for seed in (*KEPT, *range(1, 1 + COUNT))]
    for one in sorted(questions, key=kind):
        naive = expected_of(ruled, one)
        asked += await compare_sql(ruled, one, naive)
        if kind(one) in schemas or len(schemas) < SCHEMAS:
            schemas.add(kind(one))
            asked += await compare_graphql(ruled, door, one, naive)
    assert asked > COUNT * SQL_ANSWERS


@pytest.mark.timeout(400)
def test_the_command_line_answers_what_plain_sql_does(
    world: World, ruled: RuledEstate, tmp_path: Path
) -> None:
    with CommandLine.opened(world, ruled, tmp_path) as commands:
        for seed in range(1, 1 + COMMANDS):
            one = question(ruled, seed)
            assert commands.compare(one, expected_of(ruled, one)) == 1
