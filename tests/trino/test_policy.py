"""Proves that Trino shows each role what it may see: rows, masks and consents as plain SQL has them.

ROUNDVIEW_TRINO_POLICIES says how many questions are asked (50), ROUNDVIEW_SEED where those begin
that differ from run to run: every second part of 50.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.bridge.conftest import serving
from tests.federation.conftest import opened
from tests.federation.ruled import CONSENT, ROLES, Asker, RuledEstate, opened_ruled, principal
from tests.trino.conftest import WORKER
from tests.trino.trino_server import TrinoServer

from roundview.demo import support
from roundview_catalog.errors import RoundviewError
from roundview_catalog.types import Kind, Type
from roundview_federation.dialect.trino_types import NOT_ON_TRINO
from roundview_federation.engines.trino.catalogs import bridge_properties
from roundview_federation.request import Request

QUESTIONS = int(os.environ.get("ROUNDVIEW_TRINO_POLICIES", "50"))
AT_ONCE = 50
KEPT = (64, 208, 334172616, 626246632)
"""Seeds whose questions once had a wrong answer."""
MOST_REFUSED = 0.5
"""Share of the questions that may be left to another engine: the estate has JSON, and rows below
rows of an API."""
TOGETHER = (
    ("everyone",), ("careful",), ("narrow",), ("narrower", "narrow"), ("narrow", "careful"),
    ("partly", "careful"),
)  # fmt: skip
RULED = tuple(
    sorted(
        {e for rules in ROLES.values() for e, _ in rules.masks}
        | {e for rules in ROLES.values() for e in rules.filters}
        | {e for e, _ in CONSENT.needed}
    )
)
COMPARED = (Kind.TEXT, Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.DATE)


@pytest.fixture(scope="module")
async def ruled(
    server: TrinoServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RuledEstate]:
    """Returns an estate under a strict policy whose sources Trino reads through the bridge."""
    name = f"ruled_{WORKER}"
    async with opened(tmp_path_factory.mktemp("world")) as world:
        estate = world.estate
        yaml, path = YAML(), estate.catalog / "roundview.yaml"
        told = yaml.load(path)
        told["engines"] = {"trino": {"url": "${env:TRINO_URL}", "user": "tests", "bridge": name}}
        yaml.dump(told, path)
        env = {
            **estate.env,
            "SUPPORT_URL": world.support.url,
            support.TOKEN_VARIABLE: world.support.token,
            "TRINO_URL": server.url,
        }
        folder = tmp_path_factory.mktemp("ruled")
        opening = opened_ruled(estate.directory, folder, env, estate.truth["records"])
        async with opening as made, serving(made.federation) as served:
            properties = bridge_properties(f"127.0.0.1:{served.port}")
            await asyncio.to_thread(server.make_catalog, name, properties)
            yield made


@dataclass(frozen=True)
class Asked:
    """A question for ours and for plain SQL alike, over what `asker` sees of some entities."""

    text: str
    entities: tuple[str, ...]
    asker: Asker


@pytest.mark.parametrize("part", range(-(-QUESTIONS // AT_ONCE)))
async def test_random_questions_under_policies_have_their_naive_answer(
    part: int, ruled: RuledEstate, record_property: Callable[[str, object], None]
) -> None:
    drawn = int(os.environ.get("ROUNDVIEW_SEED", random.SystemRandom().randrange(10**6, 10**9)))
    first = AT_ONCE * part + (drawn if part % 2 else 0)
    refused: Counter[str] = Counter()
    wrong: list[str] = []
    answered = shown = 0
    for seed in (*range(first, first + AT_ONCE), *(KEPT if part == 0 else ())):
        asked = _asked(random.Random(seed), ruled)
        try:
            found = await _answer(ruled, asked)
        except RoundviewError as error:
            if error.extensions.get("engine") == NOT_ON_TRINO:
                refused[error.message] += 1
            else:
                wrong.append(f"seed {seed}: {error}\n{asked}")
            continue
        expected = _expected(ruled, asked)
        if found != expected:
            more, less = list(found - expected)[:3], list(expected - found)[:3]
            wrong.append(f"seed {seed}: has {more}, lacks {less}\n{asked}")
        answered += 1
        shown += found.total() > 0
    record_property("first seed", first)
    record_property("refused", refused.total())
    assert not wrong, f"{len(wrong)} wrong from seed {first} on\n" + "\n".join(wrong[:5])
    assert refused.total() <= MOST_REFUSED * (answered + refused.total()), refused
    assert shown > 0.2 * answered


async def test_consent_is_a_semi_join_in_the_statement(ruled: RuledEstate) -> None:
    everyone = Asker(("everyone",), "marketing")
    text = "SELECT source_key FROM sales_order WHERE status IS NOT NULL"
    asked = Asked(text, ("sales_order",), everyone)
    found = await _answer(ruled, asked)
    assert found == _expected(ruled, asked)
    service = await _answer(ruled, Asked(text, ("sales_order",), Asker(("everyone",))))
    assert 0 < found.total() < service.total()
    result = await ruled.federation.sql(text, _request(everyone), engine="trino")
    async with result:
        assert result.statement is not None
        assert " IN (SELECT" in result.statement.text()
        assert any("RV305 sales_order" in one for one in result.notices)


async def _answer(ruled: RuledEstate, asked: Asked) -> Counter[tuple[Any, ...]]:
    result = await ruled.federation.sql(asked.text, _request(asked.asker), engine="trino")
    table = await result.table()
    columns = [column.to_pylist() for column in table.columns]
    return Counter(tuple(map(_plain, row)) for row in zip(*columns, strict=True))


def _request(asker: Asker) -> Request:
    return Request(principal(asker.roles), asker.purpose, timeout_seconds=120, allow_scan=True)


def _expected(ruled: RuledEstate, asked: Asked) -> Counter[tuple[Any, ...]]:
    """Returns the answer of the same text over what the asker sees, as plain tables."""
    told = {"region": "eu"}
    seen = ", ".join(
        f"{entity} AS ({ruled.naive.seen(entity, asked.asker.rules, told, asked.asker.consent)})"
        for entity in asked.entities
    )
    rows = ruled.naive.asked(f"WITH {seen} {asked.text}")
    return Counter(tuple(map(_plain, row)) for row in rows)


def _asked(chance: random.Random, ruled: RuledEstate) -> Asked:
    asker = Asker(chance.choice(TOGETHER), chance.choice(("service", "service", "marketing")))
    entity = chance.choice((*RULED, *RULED, *sorted(ruled.naive.types)))
    types = _visible(ruled, entity, asker)
    columns = chance.sample(sorted(types), min(len(types), chance.randint(1, 4)))
    where = _condition(chance, ruled, entity, types, "e.") if chance.random() < 0.7 else "TRUE"
    shape = chance.choice(("rows", "rows", "groups", "ends", "first", "joined"))
    names = ", ".join(f"e.{one} AS {one}" for one in columns)
    one = columns[0]
    comparable = types[one].kind in COMPARED
    if shape == "groups":
        text = f"SELECT e.{one} AS a, count(*) AS n FROM {entity} e WHERE {where} GROUP BY e.{one}"
    elif shape == "ends" and comparable:
        text = (
            f"SELECT min(e.{one}) AS a, max(e.{one}) AS b, count(e.{one}) AS n "
            f"FROM {entity} e WHERE {where}"
        )
    elif shape == "first" and comparable:
        text = (
            f"SELECT e.{one} AS a FROM {entity} e WHERE {where} "
            f"ORDER BY e.{one} {chance.choice(('ASC', 'DESC'))} NULLS LAST LIMIT 7"
        )
    elif shape == "joined":
        other = chance.choice(RULED)
        beside = chance.choice(sorted(_visible(ruled, other, asker)))
        text = (
            f"SELECT {names}, o.{beside} AS beside FROM {entity} e "
            f"JOIN {other} o ON o.customer_id = e.customer_id WHERE {where}"
        )
        return Asked(text, tuple(dict.fromkeys((entity, other))), asker)
    else:
        text = f"SELECT {names} FROM {entity} e WHERE {where}"
    return Asked(text, (entity,), asker)


def _visible(ruled: RuledEstate, entity: str, asker: Asker) -> Mapping[str, Type]:
    hidden = set.intersection(*(set(rules.hidden.get(entity, ())) for rules in asker.rules))
    return {n: t for n, t in ruled.naive.types[entity].items() if n not in hidden}


def _condition(
    chance: random.Random, ruled: RuledEstate, entity: str, types: Mapping[str, Type], of: str
) -> str:
    name = chance.choice(sorted(types))
    known: Sequence[Any] = ruled.naive.values(entity, name)
    if types[name].kind not in COMPARED or not known or chance.random() < 0.2:
        return f"{of}{name} IS {chance.choice(('', 'NOT '))}NULL"
    values = [_literal(value) for value in chance.sample(known, min(3, len(known)))]
    condition = (
        f"{of}{name} IN ({', '.join(values)})"
        if chance.random() < 0.3
        else f"{of}{name} {chance.choice(('=', '<', '<=', '>', '>=', '<>'))} {values[0]}"
    )
    return condition if chance.random() < 0.8 else f"NOT ({condition})"


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"DATE '{value.isoformat()}'" if isinstance(value, date) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return value.normalize() if isinstance(value, Decimal) else value
