"""Measures a customer's whole view beside one DuckDB statement over the attached databases.

CRM and mail are on PostgreSQL, the tills on MariaDB, all on this machine; the customer has 50
orders with their lines and 100 events. The REST app is left out on both sides: DuckDB cannot read
it. DuckDB is told the customer's integer keys in each database and has the settings that are
fastest for it; Roundview is told a phone number. Answers are compared before anything is timed.

bash benchmarks/rivals/attached_duckdb.sh [--json]
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.busy import Busy, BusyEstate, busy_estate
from benchmarks.customer import percentile
from benchmarks.report import Figure, emit
from benchmarks.rivals.duckdb_attached import (
    BEST,
    DEFAULTS,
    AttachedDuckDB,
    Place,
    attached_duckdb,
)
from benchmarks.rivals.relay import counting
from benchmarks.rivals.view import Processes, Roundview, processes

from roundview.client import connect_async
from roundview.serve import hasten_loop
from roundview_federation.federation import Federation

BUSY = Busy(orders=50, tickets=20, events=100)
CLIENTS = 16
PROCESSES = 2
ROUNDS = 6
ROUND_SECONDS = 2.0
SENT_ROUNDS = 5
TARGET = 5.0
SOURCES = ("crm", "mail", "pos")
STATEMENT = Path(__file__).with_name("full_view.sql")

Measured = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Load:
    """What rounds with 16 clients gave: requests per second of each, milliseconds of each answer.

    `cpu` is CPU seconds of the process that asks.
    """

    rates: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def add(self, walls: Sequence[float], elapsed: float, cpu: float) -> None:
        """Adds a round."""
        self.rates.append(len(walls) / elapsed)
        self.walls += walls
        self.cpu += cpu

    @property
    def rate(self) -> float:
        """Returns the median of the rounds."""
        return statistics.median(self.rates)

    @property
    def note(self) -> str:
        """Returns what one request took."""
        median, slow = percentile(self.walls, 50), percentile(self.walls, 99)
        cpu = self.cpu * 1000 / len(self.walls)
        return f"p50 {median:.0f} ms, p99 {slow:.0f} ms, {cpu:.1f} ms CPU each"


async def measure(estate: BusyEstate) -> list[Figure]:
    """Returns all figures of one estate."""
    federation = estate.connection.federation
    await leave_out_rest(federation)
    view = Roundview(federation)
    customer = await view.start()
    members = dict(federation.xref.members(customer["customerId"]))
    keys = {source: int(members[source]) for source in SOURCES}
    statement = STATEMENT.read_text(encoding="utf-8")
    urls = addresses(estate.env)
    places = {source: Place.of(url) for source, url in urls.items()}
    async with (
        attached_duckdb(places) as best,
        attached_duckdb(places, DEFAULTS) as plain,
        processes(federation.root, estate.env, PROCESSES) as workers,
    ):
        for engine in (best, plain):
            said = await engine.ask(statement, keys, answer=True)
            compare(customer, *said.answer)
        figures = await requests(view, workers, best, plain, statement, keys)
    return [*figures, *await received(estate, urls, statement, keys)]


async def requests(
    view: Roundview,
    workers: Processes,
    best: AttachedDuckDB,
    plain: AttachedDuckDB,
    statement: str,
    keys: Mapping[str, int],
) -> list[Figure]:
    """Measures requests per second of 16 clients, the systems taking turns.

    DuckDB uses every core from one process; a server of ours has a process per core.
    """
    ours, single, rival, default = Load(), Load(), Load(), Load()
    for number in range(ROUNDS + 1):
        # The first round opens connections and is thrown away.
        seconds = ROUND_SECONDS if number else 1.0
        own = await workers.load(seconds, CLIENTS)
        alone = await view.load(seconds, CLIENTS)
        others = [
            await engine.ask(statement, keys, clients=CLIENTS, seconds=seconds)
            for engine in (best, plain)
        ]
        if number:
            ours.add(*own)
            single.add(*alone)
            for load, said in zip((rival, default), others, strict=True):
                load.add(said.walls, said.elapsed, said.cpu)
    ratio = ours.rate / rival.rate
    name = f"requests/s at {CLIENTS} clients"
    over = "one DuckDB statement over attached PostgreSQL and MariaDB"
    baseline = f"{over}: {rival.rate:.0f} req/s"
    return [
        Figure(name, ratio, "x", baseline, f"{TARGET:.0f}", ratio >= TARGET),
        Figure(f"Roundview, {PROCESSES} processes", ours.rate, "req/s", ours.note),
        Figure("Roundview, one process", single.rate, "req/s", single.note),
        Figure("DuckDB, best settings", rival.rate, "req/s", rival.note),
        Figure("DuckDB, its defaults", default.rate, "req/s", default.note),
    ]


async def received(
    estate: BusyEstate, urls: Mapping[str, str], statement: str, keys: Mapping[str, int]
) -> list[Figure]:
    """Measures the bytes that the sources send for one view."""
    async with AsyncExitStack() as stack:
        places = {source: Place.of(url) for source, url in urls.items()}
        ports = {place.port: place for place in places.values()}
        relays = {
            port: await stack.enter_async_context(counting(place.host, port))
            for port, place in ports.items()
        }

        async def sent(asked: Measured) -> int:
            before = sum(relay.received for relay in relays.values())
            await asked()
            return sum(relay.received for relay in relays.values()) - before

        behind = {
            source: replace(place, port=relays[place.port].port) for source, place in places.items()
        }
        engine = await stack.enter_async_context(attached_duckdb(behind, BEST))

        async def rival() -> None:
            await engine.ask(statement, keys)

        env = {
            f"{source.upper()}_URL": url.replace(
                f":{places[source].port}/", f":{behind[source].port}/"
            )
            for source, url in urls.items()
        }
        connection = await stack.enter_async_context(
            connect_async(estate.connection.federation.root, env={**estate.env, **env})
        )
        view = Roundview(connection.federation)
        await view.start()

        async def own() -> None:
            await view.answer()

        await rival()
        # The least of some: a pool may dial, or prepare a statement, in between.
        ours = min([await sent(own) for _ in range(SENT_ROUNDS)])
        theirs = min([await sent(rival) for _ in range(SENT_ROUNDS)])
    note = f"DuckDB, best settings: {theirs / 1000:.1f} kB"
    return [Figure("sent by the sources for one view", ours / 1000, "kB", note)]


async def leave_out_rest(federation: Federation) -> None:
    """Takes the REST app out of the catalog's copy."""
    (federation.root / "sources/support.yaml").unlink()
    file = federation.root / "roundview.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("support, ", ""), encoding="utf-8")
    assert await federation.reload(), federation.reload_problem
    assert set(federation.current.connectors) == set(SOURCES)


def addresses(env: Mapping[str, str]) -> dict[str, str]:
    """Returns where each source is, for the login that reads."""
    return {source: env[f"{source.upper()}_URL"] for source in SOURCES}


def compare(customer: Mapping[str, Any], row: Sequence[Any]) -> None:
    """Raises AssertionError where DuckDB's orders, lines or events are not Roundview's."""
    *_, orders, events = row
    found = {
        one["order_number"]: (
            _time(one["ordered_at"]), one["status"], one["currency"], float(one["grand_total"]),
            [(line["line_no"], line["sku"], float(line["quantity"]), float(line["line_total"]))
             for line in one["lines"]],
        )
        for one in orders
    }  # fmt: skip
    known = {
        one["orderNumber"]: (
            one["orderedAt"].replace(tzinfo=None), one["status"], one["currency"],
            float(one["grandTotal"]),
            [(line["lineNo"], line["sku"], float(line["quantity"]), float(line["lineTotal"]))
             for line in one["salesOrderProduct"]["nodes"]],
        )
        for one in customer["salesOrder"]["nodes"]
    }  # fmt: skip
    assert len(orders) == BUSY.orders == len(customer["salesOrder"]["nodes"]), len(orders)
    assert found.keys() == known.keys(), found.keys() ^ known.keys()
    for number, order in known.items():
        assert _is_same(order, found[number]), (order, found[number])
    happened = customer["engagement"]["nodes"]
    assert len(events) == BUSY.events == len(happened), len(events)
    here = Counter((e["type"], e["campaign_name"], _time(e["occurred_at"])) for e in events)
    there = Counter(
        (e["type"], e["campaignName"], e["occurredAt"].replace(tzinfo=None)) for e in happened
    )
    assert here == there, here - there


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return math.isclose(one, other, abs_tol=1e-6)
    if isinstance(one, datetime):
        # The tills' clock has one hour twice a year: either of the two may be meant.
        return other - one in (timedelta(), timedelta(hours=1))
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def run() -> list[Figure]:
    """Makes the estate, copies it onto servers and measures over them."""
    with tempfile.TemporaryDirectory() as folder:
        async with busy_estate(Path(folder), BUSY, on_servers=True) as estate:
            return await measure(estate)


def main() -> int:
    """Prints all figures; returns 1 if one misses its target."""
    hasten_loop()
    figures = uvloop.run(run())
    emit(figures, as_json="--json" in sys.argv)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
