"""Proves that what one fragment answers alone is answered as on the long way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.federation.conftest import opened
from tests.federation.ruled import ROLES, Asker, RuledEstate, opened_ruled, principal
from tests.sql.both_ways import BothWays
from tests.sql.conftest import Estate
from tests.sql.odd_world import ENTITIES, rows
from tests.sql.test_sharing import conditions, with_others

from roundview.demo import support
from roundview_catalog.errors import EngineError, SourceError
from roundview_federation.plan import Answer
from roundview_federation.request import Request

GOLDEN = Path(__file__).parents[1] / "golden/queries"
CASES = Path(__file__).parent / "cases"
CONDITIONS = 80
KEYS = 4
"""Values that every column with an index is asked for."""
TAILS = ("", " ORDER BY ident DESC", " ORDER BY ident LIMIT 1", " LIMIT 1 OFFSET 1")
LEAST_SHORT = 60
LEAST_RULED = 40


@pytest.fixture
def ways(odd: Estate) -> BothWays:
    federation = odd.connection.federation
    return BothWays(federation, Request(federation.principal, timeout_seconds=60, allow_scan=True))


async def test_every_golden_query_and_case_is_answered_alike_both_ways(ways: BothWays) -> None:
    texts = [path.read_text("utf-8") for path in sorted(CASES.glob("*.sql"))]
    for folder in sorted(GOLDEN.iterdir()):
        text = (folder / "query.sql").read_text("utf-8")
        texts += [text] if "over: odd" in text else []
    for text in texts:
        bare = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        # The first answer may be what the next one learns from.
        await ways.compare(bare.rstrip(";\n"))
        await ways.compare(bare.rstrip(";\n"))
    assert ways.asked


async def test_questions_by_key_are_answered_alike_both_ways(
    ways: BothWays, record_property: Callable[[str, object], None]
) -> None:
    held = rows()
    draw = random.Random(5)
    for entity in ENTITIES:
        columns = ", ".join(entity.fields)
        for name in (*entity.key, *entity.links):
            at = list(entity.fields).index(name)
            values = sorted({row[at] for row in held[entity.name] if row[at] is not None}, key=str)
            for tail in TAILS:
                for value in (*draw.sample(values, min(KEYS, len(values))), "nobody"):
                    said = f"'{value}'" if isinstance(value, str) else value
                    for source in ("", " AND source = 'crm'", " AND source = 'pos'"):
                        await ways.compare(
                            f"SELECT {columns}, source FROM {entity.name}"
                            f" WHERE {name} = {said}{source}{tail}"
                        )
    record_property("answered at once", f"{ways.short} of {ways.asked}")
    assert ways.short >= LEAST_SHORT


async def test_random_conditions_are_answered_alike_both_ways(ways: BothWays) -> None:
    for seed in range(CONDITIONS):
        draw = random.Random(f"both ways {seed}")
        text = conditions(draw)
        for _ in range(3):
            await ways.compare(text)
            text = with_others(text, draw)
    assert ways.short


@pytest.fixture(scope="module")
async def ruled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RuledEstate]:
    async with opened(tmp_path_factory.mktemp("read")) as world:
        made, process = world.estate, world.support
        env = {**made.env, "SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
        folder = tmp_path_factory.mktemp("ruled")
        async with opened_ruled(made.directory, folder, env, made.truth["records"]) as estate:
            yield estate


async def test_every_role_gets_the_same_both_ways(ruled: RuledEstate) -> None:
    short = 0
    for role in ROLES:
        who, asker = principal((role,)), Asker((role,), "service")
        ways = BothWays(ruled.federation, Request(who, purpose="service", timeout_seconds=60))
        for entity in ("individual", "contact_point_email", "sales_order"):
            hidden = asker.rules[0].hidden.get(entity, ())
            columns = [name for name in ruled.naive.types[entity] if name not in hidden]
            for source, key in await _records(ruled, entity):
                await ways.compare(
                    f"SELECT {', '.join(columns)} FROM {entity}"
                    f" WHERE source = '{source}' AND source_key = '{key}'"
                )
        short += ways.short
    assert short >= LEAST_RULED


async def _records(ruled: RuledEstate, entity: str) -> list[tuple[str, str]]:
    """Returns source and key of some records, several of each source."""
    request = Request(principal(("everyone",)), purpose="service", allow_scan=True)
    text = f"SELECT source, source_key FROM {entity} ORDER BY source_key, source"
    result = await ruled.federation.sql(text, request)
    found: dict[str, list[tuple[str, str]]] = {}
    for row in (await result.table()).to_pylist():
        found.setdefault(row["c0"], []).append((row["c0"], row["c1"]))
    return [one for several in found.values() for one in several[:3]]


async def test_the_short_way_ends_and_fails_as_the_long_one(odd: Estate) -> None:
    federation = odd.connection.federation
    connectors: Any = federation.current.connectors
    whole = connectors["crm"]
    text = "SELECT note FROM parcel WHERE ident = {} AND size <> 17"
    request = Request(federation.principal, timeout_seconds=60)
    for ident in (1, 2):
        result = await federation.sql(text.format(ident), request)
        await result.close()
    assert result.is_at_once
    try:
        connectors["crm"] = _Failing(SourceError("crm", "crm is gone", code="RV402"))
        ways = BothWays(federation, request)
        assert not await ways.compare(text.format(3))
        with pytest.raises(SourceError, match="crm is gone"):
            await federation.sql(text.format(4), request)
        connectors["crm"] = _Failing(None)
        with pytest.raises(EngineError) as raised:
            await federation.sql(text.format(5), Request(request.principal, timeout_seconds=1e-6))
        assert raised.value.row.code == "RV502"
    finally:
        connectors["crm"] = whole
    result = await federation.sql(text.format(6), request)
    assert result.is_at_once
    assert (await result.table()).num_rows == 1


class _Failing:
    """A source that fails, or never answers."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def rows(self, *_: object) -> Answer:
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()
        raise AssertionError
