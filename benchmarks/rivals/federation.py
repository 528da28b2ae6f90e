"""Measures joins of two and three systems beside DuckDB over attached databases, and ADBC.

The estate is that of benchmarks.federation: the CRM and the help desk on PostgreSQL, a million
purchases at the tills on MariaDB. DuckDB is asked twice, with its defaults and with the settings
that let it hand the keys of one side to the other; answers are compared before anything is timed.
Bytes are what the sources send, counted by relays before them. A table of a million rows is
fetched into Arrow by us and by PostgreSQL's ADBC driver.

bash benchmarks/rivals/federation.sh [--rows 1000000] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import uvloop
from benchmarks.federation import NATIVE_STREAMED, SELECTIVE, STREAMED, WHOLE, Questions, taken
from benchmarks.federation_estate import MOST_ORDERS, Estate, federation_estate
from benchmarks.report import Figure, emit
from benchmarks.rivals.duckdb_attached import DEFAULTS, AttachedDuckDB, Place, attached_duckdb
from benchmarks.rivals.relay import Relay, counting

from roundview.client import connect_async

TIMES = 5
ADBC = Path(__file__).parents[2] / ".venv/.rivals/adbc/bin/python"
TUNED: Mapping[str, Any] = MappingProxyType(
    {
        "TimeZone": "UTC",
        # Keys of the side that is read first reach the other as an IN list up to this many.
        "dynamic_or_filter_threshold": 1_000,
        # A table of MariaDB counts as one row: the order that is found is worse than the written.
        "disabled_optimizers": "join_order,build_side_probe_side",
    }
)
"""What is fastest for a selective join: the keys of the accounts reach the tills."""
SELECTIVE_ATTACHED = """
SELECT count(*) AS purchases, sum(o.total) AS revenue
FROM pos.pos.orders o JOIN crm.public.accounts a ON o.customer_id = a.id
WHERE a.segment = 'vip' AND a.region = 'apac' AND a.since >= DATE '2023-06-01'
  AND o.ordered_at >= TIMESTAMP '2025-01-01' AND o.ordered_at < TIMESTAMP '2026-01-01'
"""
WHOLE_ATTACHED = """
SELECT a.segment, count(*) AS purchases, sum(o.total) AS revenue, sum(t.tickets) AS tickets
FROM pos.pos.orders o
JOIN crm.public.accounts a ON o.customer_id = a.id
LEFT JOIN (SELECT user_id, count(*) AS tickets FROM desk.public.tickets GROUP BY user_id) t
  ON t.user_id = a.id
GROUP BY a.segment ORDER BY a.segment
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One question in both systems' words, and how many times as fast and as few bytes is asked."""

    name: str
    text: str
    attached: str
    faster: float
    fewer_bytes: float | None = None


CASES = (
    Case("selective join", SELECTIVE, SELECTIVE_ATTACHED, 5, 50),
    Case("whole aggregate", WHOLE, WHOLE_ATTACHED, 3),
)


async def measure(estate: Estate) -> list[Figure]:
    """Returns all figures of one estate."""
    places = {
        name: Place.of(estate.env[f"{name.upper()}_PLACE"]) for name in ("crm", "desk", "pos")
    }
    figures = []
    async with AsyncExitStack() as stack:
        plain, tuned = [
            await stack.enter_async_context(attached_duckdb(places, settings))
            for settings in (DEFAULTS, TUNED)
        ]
        asked = Questions(estate)
        for case in CASES:
            await compare(asked, case, plain, tuned)
            figures += await walls(asked, case, plain, tuned)
    figures += await received(estate, places)
    return [*figures, await streaming(Questions(estate))]


async def compare(asked: Questions, case: Case, *engines: AttachedDuckDB) -> None:
    """Raises AssertionError where DuckDB's rows are not Roundview's."""
    rows, _ = await asked.ask(case.text)
    own = [[_plain(value) for value in row.values()] for row in rows.to_pylist()]
    for engine in engines:
        said = await engine.ask(case.attached, {}, answer=True)
        theirs = [[_plain(value) for value in row] for row in said.answer]
        assert own == theirs, (own, theirs)


async def walls(
    asked: Questions, case: Case, plain: AttachedDuckDB, tuned: AttachedDuckDB
) -> list[Figure]:
    """Measures how long one question takes, the systems taking turns."""
    taken_by: dict[str, list[float]] = {"ours": [], "plain": [], "tuned": []}
    for _ in range(TIMES):
        taken_by["ours"].append(await taken(1, lambda: asked.ask(case.text)))
        for name, engine in (("plain", plain), ("tuned", tuned)):
            taken_by[name] += (await engine.ask(case.attached, {})).walls
    ours, default, best = (statistics.median(one) for one in taken_by.values())
    note = f"{ours:,.0f} ms; DuckDB over attached databases, its defaults {default:,.0f} ms"
    ratio = default / ours
    return [
        Figure(case.name, ratio, "x faster", note, f"{case.faster:g}", ratio >= case.faster),
        Figure(f"{case.name}, DuckDB tuned", best / ours, "x faster", f"DuckDB {best:,.0f} ms"),
    ]


async def received(estate: Estate, places: Mapping[str, Place]) -> list[Figure]:
    """Measures the bytes that sources send for each question."""
    async with AsyncExitStack() as stack:
        relays = {
            port: await stack.enter_async_context(counting("127.0.0.1", port))
            for port in dict.fromkeys(place.port for place in places.values())
        }
        behind = {
            name: replace(place, port=relays[place.port].port) for name, place in places.items()
        }
        plain, tuned = [
            await stack.enter_async_context(attached_duckdb(behind, settings))
            for settings in (DEFAULTS, TUNED)
        ]
        env = {
            name: url.replace(f":{port}/", f":{relay.port}/")
            for name, url in estate.env.items()
            for port, relay in relays.items()
            if f":{port}/" in url
        }
        connection = await stack.enter_async_context(
            connect_async(estate.catalog, env={**estate.env, **env})
        )
        asked = Questions(replace(estate, connection=connection))
        figures = []
        for case in CASES:
            ours = await _sent(relays, lambda case=case: asked.ask(case.text))
            default, best = [
                await _sent(relays, lambda one=one, case=case: one.ask(case.attached, {}))
                for one in (plain, tuned)
            ]
            ratio, target = default / ours, case.fewer_bytes
            note = (
                f"{ours / 1000:,.1f} kB; DuckDB's defaults {default / 1000:,.1f} kB,"
                f" tuned {best / 1000:,.1f} kB"
            )
            holds = None if target is None else ratio >= target
            shown = "" if target is None else f"{target:g}"
            figures.append(Figure(f"{case.name}, sent", ratio, "x fewer", note, shown, holds))
    return figures


async def streaming(asked: Questions) -> Figure:
    """Measures a whole table into Arrow beside PostgreSQL's ADBC driver."""

    async def ours() -> None:
        rows, _ = await asked.ask(STREAMED)
        assert rows.num_rows == asked.estate.orders

    await ours()
    own = await taken(TIMES, ours)
    wanted = {
        "url": asked.estate.env["SHOP_PLACE"], "statement": NATIVE_STREAMED, "runs": TIMES + 1,
    }  # fmt: skip
    child = await asyncio.create_subprocess_exec(
        ADBC, "-I", Path(__file__).with_name("adbc_child.py"), json.dumps(wanted),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await child.communicate()
    answer = json.loads(said)
    assert answer["rows"] == asked.estate.orders, answer
    adbc = statistics.median(answer["walls"][1:])
    note = f"{own:,.0f} ms; ADBC {adbc:,.0f} ms, which leaves numeric as text"
    name = f"{asked.estate.orders:,} rows to Arrow"
    return Figure(name, adbc / own, "x ADBC", note, "0.5", adbc / own >= 0.5)


async def _sent(relays: Mapping[int, Relay], ask: Any) -> int:
    """Returns the least that sources send for a question: a pool may dial in between."""
    found = []
    for _ in range(TIMES):
        before = sum(relay.received for relay in relays.values())
        await ask()
        found.append(sum(relay.received for relay in relays.values()) - before)
    return min(found)


def _plain(value: Any) -> Any:
    """Returns a number of any kind as one kind: DuckDB's come as JSON."""
    if isinstance(value, str) and not value.replace(".", "").isdigit():
        return value
    return Decimal(str(value)).quantize(Decimal("0.01"))


async def run(orders: int) -> list[Figure]:
    """Makes the estate and measures over it."""
    async with federation_estate(orders) as estate:
        return await measure(estate)


def main() -> int:
    """Prints all figures; returns 1 if one misses its target."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=MOST_ORDERS, help="orders of each system")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    figures = uvloop.run(run(chosen.rows))
    emit(figures, as_json=chosen.json)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
