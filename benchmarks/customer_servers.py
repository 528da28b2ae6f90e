"""Measures a customer's whole view over PostgreSQL, MariaDB and a REST app.

CRM and mail are on PostgreSQL, the tills on MariaDB, all on this machine. The customer has 50
orders with their lines, 20 tickets and 100 events. The baselines are those of
benchmarks.customer; a list of customers is compared with as many views.

python -m benchmarks.customer_servers [--json]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.busy import Busy, busy_estate
from benchmarks.customer import SECONDS, View, executing, in_process, over_http, paired, timed
from benchmarks.graphql import FULL
from benchmarks.report import Figure, emit

from roundview.client import AsyncConnection
from roundview.serve import hasten_loop
from roundview_federation.federation import Federation
from roundview_federation.request import Request
from roundview_federation.resilience.deadline import Deadline
from roundview_graphql.door import Ask, Door

BUSY = Busy(orders=50, tickets=20, events=100)
CUSTOMERS = 50
LISTS = 20
KEYS = 1_000
LIST = FULL.replace("query Full($by: CustomerBy!) { customer(by: $by)",
                    "query List($by: [CustomerBy!]!) { customers(by: $by)")  # fmt: skip


async def measure(connection: AsyncConnection) -> list[Figure]:
    """Returns all figures of one estate."""
    view = View(connection.federation, FULL, BUSY)
    await view.start()
    return [
        *await executing(view),
        *await in_process(view),
        *await over_http(view),
        *await listing(connection.federation),
        *await keys_of_one_source(connection.federation),
    ]


async def listing(federation: Federation) -> list[Figure]:
    """Measures a list of customers against a view of each, one after the other."""
    owners = federation.xref.owners([("crm", str(key)) for key in range(1, 5_000)])
    ids = list(dict.fromkeys(owners.values()))[:CUSTOMERS]
    assert len(ids) == CUSTOMERS
    door = Door(federation)
    request = Request(federation.principal, timeout_seconds=SECONDS)
    whole = Ask(LIST, variables={"by": [{"customerId": one} for one in ids]})
    single = [Ask(FULL, variables={"by": {"customerId": one}}) for one in ids]

    async def listed() -> None:
        body = (await door.answer(whole, request)).body
        assert len(body["data"]["customers"]) == CUSTOMERS, body

    async def viewed() -> None:
        for one in single:
            await door.answer(one, request)

    await listed()
    await viewed()
    views, many = await paired(LISTS, viewed, listed)
    ratio = views.wall / many.wall
    note = f"{CUSTOMERS} views {views.wall:.0f} ms, the list {many.wall:.0f} ms"
    return [Figure(f"list of {CUSTOMERS} customers", ratio, "x faster", note, "4", ratio >= 4)]


async def keys_of_one_source(federation: Federation) -> list[Figure]:
    """Measures one fragment that asks a server for the contacts of a thousand keys."""
    figures = []
    snapshot = federation.current
    for source in ("crm", "pos"):
        found = _fragments(snapshot, source)[0]
        connector = snapshot.connectors[source]
        params: dict[str, Any] = {name: list(range(1, KEYS + 1)) for name in found.fragment.keysets}
        params |= dict.fromkeys(found.fragment.params)

        async def asked(c: Any = connector, f: Any = found, p: Any = params) -> None:
            await c.rows(f.call, p, Deadline.after(SECONDS))

        await asked()
        wall = statistics.median([await timed(asked) for _ in range(50)])
        note = f"{type(connector).__name__}, {found.fragment.tree.args['from_'].this.name}"
        figures.append(Figure(f"{KEYS} keys to {source}", wall, "ms", note, "15 ms", wall <= 15))
    return figures


def _fragments(snapshot: Any, source: str) -> list[Any]:
    return [
        planned
        for plan in snapshot.planner.plans()
        for planned in plan.fragments
        if planned.fragment.source == source and planned.fragment.keysets
    ]


async def run() -> list[Figure]:
    """Makes the estate, copies it onto servers and measures over them."""
    with tempfile.TemporaryDirectory() as folder:
        async with busy_estate(Path(folder), BUSY, on_servers=True) as estate:
            return await measure(estate.connection)


def main() -> int:
    """Prints all figures; returns 1 if one misses its target."""
    # As the server does.
    hasten_loop()
    figures = uvloop.run(run())
    emit(figures, as_json="--json" in sys.argv)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
