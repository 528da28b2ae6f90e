"""Measures SQL over six systems: planning, people found by address, joins, whole tables as Arrow.

CRM, web shop and help desk are on PostgreSQL, the tills on MariaDB, old orders in SQLite, mailings
in Parquet, all on this machine; tills, shop and old orders have a million orders each. Every
account is linked by its address. Values are asked that were not asked before, so that nothing but
their shape may be known; where not even that is known, or a text is asked again, the name of the
figure says so: a first plan is that of a text none of whose relations was ever asked for so, on a
server that has started. What needs
DuckDB's scanners or ADBC to compare with is measured by benchmarks/rivals/federation.sh.

python -m benchmarks.federation [--rows 1000000] [--json]
"""

from __future__ import annotations

import argparse
import gc
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pyarrow as pa
import uvloop
from benchmarks.federation_estate import LOGINS, MOST_ORDERS, Estate, email, federation_estate
from benchmarks.report import Figure, emit

from roundview.serve import hasten_loop
from roundview_federation.request import Request
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.sql.planning import plans_of

SECONDS = 120.0
TIMES = 200
WHOLE_TIMES = 3
SELECTIVE = """
SELECT count(*) AS purchases, sum(o.total) AS revenue
FROM account a JOIN purchase o ON o.account_no = a.account_no
WHERE a.segment = 'vip' AND a.territory = 'apac' AND a.since >= DATE '2023-06-01'
  AND o.source = 'pos' AND o.purchased_at >= TIMESTAMPTZ '2025-01-01 00:00:00+00'
  AND o.purchased_at < TIMESTAMPTZ '2026-01-01 00:00:00+00'
"""
"""Some 430 accounts of the CRM, with the purchases of one year at the tills."""
WHOLE = """
SELECT a.segment, count(*) AS purchases, sum(o.total) AS revenue, sum(t.tickets) AS tickets
FROM account a
JOIN purchase o ON o.account_no = a.account_no AND o.source = 'pos'
LEFT JOIN (SELECT account_no, count(*) AS tickets FROM ticket GROUP BY account_no) t
  ON t.account_no = a.account_no
GROUP BY a.segment ORDER BY a.segment
"""
"""Every account of the CRM, every purchase at the tills, every ticket of the help desk."""
STREAMED = "SELECT account_no, total FROM purchase WHERE source = 'shop'"
NATIVE_STREAMED = "SELECT customer_id, total FROM orders"

Asked = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Point:
    """A question about one thing: its text, and how many rows of sources its answer is made of."""

    name: str
    text: str
    needed: int


class Questions:
    """Asks SQL of an estate as every door does."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.federation = estate.connection.federation
        self.request = Request(
            self.federation.principal, timeout_seconds=SECONDS, allow_scan=True
        )  # fmt: skip
        # Spread over the accounts, none twice.
        self.accounts: Iterator[int] = itertools.islice(
            (1 + at * 7919 % estate.accounts for at in itertools.count()), estate.accounts
        )

    async def ask(self, text: str) -> tuple[pa.Table, Any]:
        """Returns all rows of the answer, and what it says of itself."""
        result: Any = await self.federation.sql(text, self.request)
        return await result.table(), result

    async def plan(self, text: str) -> None:
        """Plans a question down to the statement of every fragment, without asking."""
        questions: Any = self.federation._questions()
        snapshot = self.federation.current
        decision = snapshot.decide(self.federation.principal)
        planned = await questions.plans.prepare(text, decision, allow_scan=True)
        for one in planned.reads.values():
            if one.read.relation != LOOKUP:
                await plans_of(one, snapshot.planner, decision, is_bound=one.bound is not None)


def three_relations(account: int, alias: str = "i") -> str:
    """Returns a question about three relations of all six systems, in a shape by its alias."""
    return (
        f"SELECT {alias}.family_name, o.order_number, o.grand_total, c.subject"
        f" FROM individual {alias} JOIN sales_order o ON o.customer_id = {alias}.customer_id"
        f" JOIN support_case c ON c.customer_id = {alias}.customer_id"
        f" WHERE {alias}.family_name = 'Name{account}' AND o.status = 'completed'"
        " ORDER BY o.ordered_at DESC LIMIT 20"
    )


def looked_up(account: int) -> str:
    """Returns a question about the orders of one person, which lie in three systems."""
    return (
        "SELECT o.source, o.order_number, o.ordered_at, o.grand_total"
        f" FROM lookup('email', '{email(account)}') p"
        " JOIN sales_order o ON o.customer_id = p.customer_id"
    )


def addressed(account: int) -> str:
    """Returns a question by a column that has an index."""
    return (
        "SELECT source_key, email_address FROM contact_point_email"
        f" WHERE email_address = '{email(account)}'"
    )


async def measure(estate: Estate) -> list[Figure]:
    """Returns all figures of an estate that need no other system."""
    asked = Questions(estate)
    return [
        *await planning(asked),
        *await by_lookup(asked),
        *await by_index(asked),
        *await rows_of_points(asked),
        *await whole(asked),
        *await streaming(asked),
        Figure("estate made", estate.made_seconds, "s", f"{estate.orders:,} orders a system"),
        Figure("identity linked", estate.linked_seconds, "s", f"{estate.accounts * 6:,} records"),
    ]


async def planning(asked: Questions) -> list[Figure]:
    """Measures planning alone, of shapes never seen, of values never seen and of one text."""
    text = three_relations(0)
    planner = asked.federation.current.planner

    async def cold(account: int) -> None:
        # The sections of its reads are new too: no plan of another question serves them.
        planner._plans.clear()
        planner._turned.clear()
        await asked.plan(three_relations(account, f"i{account}"))

    async def unlearnt(account: int) -> None:
        planner.rows.clear()
        await cold(account)

    await unlearnt(0)
    never = await taken(TIMES, lambda: unlearnt(next(asked.accounts)))
    started = time.perf_counter()
    asked.federation.current.learn()
    learning = (time.perf_counter() - started) * 1000
    await asked.plan(text)
    cpu = time.process_time()
    first = await taken(TIMES, lambda: cold(next(asked.accounts)))
    cpu = (time.process_time() - cpu) * 1000 / TIMES

    async def new_shape(account: int) -> None:
        await asked.plan(three_relations(account, f"j{account}"))

    shape = await taken(TIMES, lambda: new_shape(next(asked.accounts)))
    await asked.plan(three_relations(1))
    value = await taken(TIMES, lambda: asked.plan(three_relations(next(asked.accounts))))
    known = await taken(TIMES, lambda: asked.plan(text))
    return [
        Figure("first plan, 3 relations over 6 sources, p50", first, "ms", f"{cpu:.1f} ms CPU",
               "5 ms", first <= 5),
        Figure("the same without what a server finds out as it starts, p50", never, "ms",
               f"{learning:.1f} ms of the start"),
        Figure("plan of a new shape over columns read before, p50", shape, "ms", "", "5 ms",
               shape <= 5),
        Figure("plan of a new value, p50", value, "ms", "", "0.5 ms", value <= 0.5),
        Figure("plan of the same text, p50", known, "ms", "", "0.5 ms", known <= 0.5),
    ]  # fmt: skip


async def by_lookup(asked: Questions) -> list[Figure]:
    """Measures `lookup` joined to the orders of three systems."""
    orders = 3 * asked.estate.orders
    text = looked_up(1)
    rows, _ = await asked.ask(text)
    assert rows.num_rows == orders // asked.estate.accounts, rows.num_rows
    fresh = await taken(TIMES, lambda: asked.ask(looked_up(next(asked.accounts))))
    again = await taken(TIMES, lambda: asked.ask(text))
    note = f"{orders:,} orders in 3 sources, {rows.num_rows} are the person's"
    return [
        Figure("lookup joined to orders, p50", fresh, "ms", note, "10 ms", fresh <= 10),
        Figure("the same text again, p50", again, "ms"),
    ]


async def by_index(asked: Questions) -> list[Figure]:
    """Measures a column that has an index beside the statement that the CRM is asked."""
    native = await postgres(asked.estate, "crm")
    statement = await native.prepare("SELECT id, email FROM accounts WHERE email = $1")

    async def bare() -> None:
        assert len(await statement.fetch(email(next(asked.accounts)))) == 1

    async def ours(text: str) -> None:
        rows, _ = await asked.ask(text)
        assert rows.num_rows == 1, text

    text = addressed(1)
    await ours(text)
    alone = await taken(TIMES, bare)
    fresh = await taken(TIMES, lambda: ours(addressed(next(asked.accounts))))
    again = await taken(TIMES, lambda: ours(text))
    await native.close()
    note = f"asyncpg's own statement, prepared: {alone:.2f} ms"
    return [
        Figure("by an index, p50", fresh / alone, "x native", f"{fresh:.2f} ms; {note}", "2",
               fresh <= 2 * alone),
        Figure("the same text again, p50", again / alone, "x native", f"{again:.2f} ms", "2",
               again <= 2 * alone),
    ]  # fmt: skip


async def rows_of_points(asked: Questions) -> list[Figure]:
    """Compares the rows that sources sent with those that an answer is made of."""
    orders, who = asked.estate.orders // asked.estate.accounts, email(5)
    found, _ = await asked.ask(f"SELECT customer_id FROM lookup('email', '{who}')")
    customer = found.column(0)[0].as_py()
    key = next(k for source, k in asked.federation.xref.members(customer) if source == "pos")
    points = (
        Point("by address", addressed(5), 1),
        Point("lookup and orders", looked_up(5), 3 * orders),
        Point(
            "by customer", f"SELECT order_number FROM sales_order WHERE customer_id = '{customer}'",
            3 * orders,
        ),
        Point(
            "by address, then orders",
            "SELECT o.source, o.order_number FROM contact_point_email e"
            f" JOIN sales_order o ON o.customer_id = e.customer_id WHERE e.email_address = '{who}'",
            1 + 3 * orders,
        ),
        Point(
            "by number, then its purchases",
            f"SELECT p.total FROM account a JOIN purchase p ON p.account_no = a.account_no"
            f" AND p.source = 'pos' WHERE a.account_no = {int(key)}",
            1 + orders,
        ),
    )  # fmt: skip
    figures = []
    for point in points:
        _, result = await asked.ask(point.text)
        ratio = result.rows_fetched / point.needed
        note = f"{result.rows_fetched:,} rows fetched, {point.needed} needed"
        figures.append(Figure(f"rows, {point.name}", ratio, "x needed", note, "1.1", ratio <= 1.1))
    return figures


async def whole(asked: Questions) -> list[Figure]:
    """Measures the two joins that benchmarks/rivals/federation.sh compares."""
    figures = []
    for name, text in (("selective join", SELECTIVE), ("whole aggregate", WHOLE)):
        _, result = await asked.ask(text)
        wall = await taken(WHOLE_TIMES, lambda text=text: asked.ask(text))
        note = f"{result.rows_fetched:,} rows fetched"
        figures.append(Figure(name, wall / 1000, "s", note))
    return figures


async def streaming(asked: Questions) -> list[Figure]:
    """Measures a million rows into Arrow beside the driver that fetches and converts them."""
    native = await postgres(asked.estate, "shop")

    async def bare() -> None:
        rows = await native.fetch(NATIVE_STREAMED)
        number, total = zip(*rows, strict=True)
        pa.table({"c0": pa.array(number, pa.int64()), "c1": pa.array(total, pa.decimal128(12, 2))})

    async def ours() -> None:
        rows, _ = await asked.ask(STREAMED)
        assert rows.num_rows == asked.estate.orders

    await ours()
    theirs = await taken(WHOLE_TIMES, bare)
    own = await taken(WHOLE_TIMES, ours)
    await native.close()
    note = f"{own / 1000:.2f} s; asyncpg's fetch and pyarrow {theirs / 1000:.2f} s"
    return [Figure(f"{asked.estate.orders:,} rows to Arrow", theirs / own, "x asyncpg", note,
                   "0.5", theirs / own >= 0.5)]  # fmt: skip


async def postgres(estate: Estate, database: str) -> asyncpg.Connection[Any]:
    """Opens a database as the login that reads."""
    return await asyncpg.connect(
        host="127.0.0.1", port=estate.postgres.port, user=LOGINS.reader,
        password=LOGINS.password, database=database, ssl=False,
    )  # fmt: skip


async def taken(times: int, ask: Asked) -> float:
    """Returns the median of the milliseconds that asking takes."""
    walls = []
    gc.collect()
    for _ in range(times):
        started = time.perf_counter()
        await ask()
        walls.append((time.perf_counter() - started) * 1000)
    return statistics.median(walls)


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
    # As a serving process does.
    hasten_loop()
    figures = uvloop.run(run(chosen.rows))
    emit(figures, as_json=chosen.json)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
