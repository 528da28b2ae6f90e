"""Measures a customer's whole view beside the bare calls to its sources.

The customer has 20 orders, 20 tickets and 50 events in four systems: two SQLite files, a
folder of Parquet, a REST app in a process of its own. The view is the full one of
benchmarks.graphql; the operation of the agents' page, which asks for the origin of every value
too, is printed beside it. The baseline asks the same connectors for the same rows, all at once,
and throws the rows away.

python -m benchmarks.customer [--json]
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import uvloop
from benchmarks.busy import PHONE, Busy, busy_estate
from benchmarks.graphql import FULL
from benchmarks.report import Figure, emit

from roundview.serve import hasten_loop, make_app
from roundview_desktop.operation import desk_operation
from roundview_federation.execute.customers import Customers, bind
from roundview_federation.federation import Federation
from roundview_federation.plan import Answer, Plan
from roundview_federation.request import Request
from roundview_federation.resilience.deadline import Deadline
from roundview_graphql.door import Ask, Door
from roundview_graphql.limits import Limits
from roundview_graphql.operations import Operations

ROUNDS = 200
DELAYED_ROUNDS = 30
DELAY_SECONDS = 0.1
COMPILED = 9
RELOADS = 12
VIEWS_DURING_RELOADS = 600
SECONDS = 5.0

Call = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run took, in milliseconds."""

    wall: float
    cpu: float


class Kept:
    """A connector whose answers are kept, so that only what surrounds the calls is timed."""

    def __init__(self, connector: Any) -> None:
        self._connector = connector
        self._answers: dict[int, Answer] = {}
        self.capabilities = connector.capabilities

    async def rows(self, call: Any, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Asks once, then returns the same answer."""
        known = self._answers.get(id(call))
        if known is None:
            known = self._answers[id(call)] = await self._connector.rows(call, params, deadline)
        return known


class Delayed:
    """A connector whose source is far away: every call waits before it is made."""

    def __init__(self, connector: Any) -> None:
        self._connector = connector
        self.capabilities = connector.capabilities

    async def rows(self, call: Any, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Waits, then asks."""
        await asyncio.sleep(DELAY_SECONDS)
        answer: Answer = await self._connector.rows(call, params, deadline)
        return answer


async def measure(federation: Federation) -> list[Figure]:
    """Returns all figures of one estate."""
    view = View(federation, FULL, Busy())
    await view.start()
    decision = federation.decide(federation.principal)
    desk = View(federation, desk_operation(federation.catalog, decision.fields), Busy())
    await desk.start()
    return [
        *await compiling(federation, {"full view": FULL, "desk": desk.ask.query}),
        *await executing(view),
        *await in_process(view),
        *await over_http(view),
        *[replace(one, target="", holds=None) for one in await over_http(desk, "desk's ")],
        *await far_away(view),
        *await reloading(view),
    ]


async def compiling(federation: Federation, texts: Mapping[str, str]) -> list[Figure]:
    """Measures the first sight of an operation: read, checked, built and planned."""
    figures = []
    operations = await Door(federation).prepare(federation.principal)
    variables = {"by": {"phone": PHONE}}
    for name, text in texts.items():
        spent = []
        for at in range(COMPILED):
            new = Operations(operations.door, Limits(), introspection=True)
            cpu = time.process_time()
            ready = new.ready(text, f"{name} {at}", None, variables)
            assert ready.compiled is not None
            question = ready.compiled.asked.question
            await federation.prepare(question, federation.principal, ["phone"])
            spent.append((time.process_time() - cpu) * 1000)
        value = statistics.median(spent)
        target = "50 ms" if name == "full view" else ""
        holds = value <= 50 if target else None
        figures.append(Figure(f"compile and plan, {name}", value, "ms CPU", "", target, holds))
    return figures


class View:
    """One operation, asked for the busy customer."""

    def __init__(self, federation: Federation, text: str, busy: Busy) -> None:
        self.least = {
            "salesOrder": busy.orders, "supportCase": busy.tickets, "engagement": busy.events
        }  # fmt: skip
        self.federation = federation
        self.door = Door(federation)
        self.request = Request(federation.principal, timeout_seconds=SECONDS)
        self.ask = Ask(text, variables={"by": {"phone": PHONE}})
        self.question: Any = None
        self.params: Mapping[str, Any] = {}
        self.plan: Plan | None = None

    async def start(self) -> None:
        """Answers twice, so that everything is compiled and connected."""
        operations = await self.door.prepare(self.federation.principal)
        ready = operations.ready(self.ask.query, "desk", None, self.ask.variables)
        assert ready.compiled is not None
        self.question = ready.compiled.asked.question
        self.params = ready.params
        for _ in range(2):
            body = (await self.door.answer(self.ask, self.request)).body
            assert "errors" not in body, body["errors"]
            assert body["extensions"]["complete"], body["extensions"]
        customer = body["data"]["customer"]
        counts = {name: len(customer[name]["nodes"]) for name in self.least}
        assert all(counts[name] >= least for name, least in self.least.items()), counts

    async def executed(self) -> None:
        """Runs the question, without a door."""
        await self.federation.run(self.question, self.params, self.request)

    async def answered(self) -> dict[str, Any]:
        """Answers the operation in process."""
        return (await self.door.answer(self.ask, self.request)).body

    async def calls(self) -> list[tuple[str, Call]]:
        """Returns the calls of the view's plan, keys bound, one per fragment."""
        result = await self.federation.run(self.question, self.params, self.request)
        snapshot = self.federation.current
        shape = self.question.shape
        (plan,) = (p for p in snapshot.planner.plans() if p.key.shape.startswith(shape))
        (found,) = result.found.values()
        customers = Customers.of(found, self.federation.xref.members)
        calls: list[tuple[str, Call]] = []
        for planned in plan.fragments:
            params = {**dict.fromkeys(planned.fragment.params), **self.params}
            keysets = planned.fragment.keysets
            for name in keysets:
                params[name] = list(bind(plan.keysets[name], customers))
            if keysets and not any(params[name] for name in keysets):
                continue
            connector = snapshot.connectors[planned.fragment.source]

            def call(c: Any = connector, p: Any = planned, v: Any = params) -> Awaitable[Answer]:
                return c.rows(p.call, v, Deadline.after(SECONDS))

            calls.append((planned.fragment.source, call))
        return calls


async def executing(view: View) -> list[Figure]:
    """Measures the executor against the gathered calls of its own plan."""
    calls = await view.calls()

    async def gathered() -> None:
        await asyncio.gather(*(call() for _, call in calls))

    raw, executed = await paired(ROUNDS, gathered, view.executed)
    note = f"{len(calls)} calls gathered: {raw.wall:.1f} ms, {raw.cpu:.1f} ms CPU"
    wall, cpu = executed.wall / raw.wall, executed.cpu / raw.cpu
    return [
        Figure("whole view, p50", executed.wall, "ms", note),
        Figure("whole view, wall", wall, "x", note, "1.3", wall <= 1.3),
        Figure("whole view, CPU", cpu, "x", note, "1.4", cpu <= 1.4),
    ]


async def in_process(view: View) -> list[Figure]:
    """Measures the GraphQL view beyond its slowest source, of the same request."""
    beyond, slowest = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        body = await view.answered()
        wall = (time.perf_counter() - started) * 1000
        slow = max(one["ms"] for one in body["extensions"]["sources"])
        slowest.append(slow)
        beyond.append(wall - slow)
    extra = statistics.median(beyond)
    note = f"slowest source of each request: {statistics.median(slowest):.1f} ms"
    return [Figure("GraphQL view beyond it", extra, "ms", note, "2 ms", extra <= 2)]


async def over_http(view: View, whose: str = "") -> list[Figure]:
    """Measures one HTTP request's CPU time beyond the calls to the sources."""
    app = make_app(view.federation)
    body = orjson.dumps({"query": view.ask.query, "variables": view.ask.variables})
    headers = [
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "root_path": "",
        "scheme": "http", "server": ("127.0.0.1", 8360), "client": ("127.0.0.1", 1),
        "headers": headers,
    }  # fmt: skip
    sent: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def requested() -> None:
        sent.clear()
        await app(dict(scope), receive, send)

    await requested()
    assert sent[0]["status"] == 200, sent
    size = len(sent[1]["body"])
    calls = await view.calls()

    async def gathered() -> None:
        await asyncio.gather(*(call() for _, call in calls))

    raw, http = await paired(ROUNDS, gathered, requested)
    extra = http.cpu - raw.cpu
    snapshot = view.federation.current
    real = snapshot.connectors
    snapshot.connectors = {name: Kept(one) for name, one in real.items()}
    try:
        own = await cpu_of(ROUNDS, requested)
    finally:
        snapshot.connectors = real
    note = f"answers of the sources kept; JSON of {size / 1000:.0f} kB"
    with_calls = f"{http.cpu:.1f} ms with its calls less {raw.cpu:.1f} ms of the calls alone"
    return [
        Figure(f"{whose}HTTP request beyond its calls", own, "ms CPU", note, "2.5 ms", own <= 2.5),
        Figure(f"{whose}HTTP request, by difference", extra, "ms CPU", with_calls),
    ]


async def far_away(view: View) -> list[Figure]:
    """Measures the view over sources that answer after 100 ms, which is all they do."""
    snapshot = view.federation.current
    near = snapshot.connectors
    far = {name: Delayed(Kept(one)) for name, one in near.items()}
    snapshot.connectors = far
    try:
        calls = await view.calls()

        async def gathered() -> None:
            await asyncio.gather(*(call() for _, call in calls))

        await view.executed()
        raw, executed = await paired(DELAYED_ROUNDS, gathered, view.executed)
    finally:
        snapshot.connectors = near
    target = 1.05 * DELAY_SECONDS * 1000 + 3
    holds = executed.wall <= target
    note = f"calls gathered: {raw.wall:.1f} ms; one round"
    return [
        Figure("view, sources 100 ms away", executed.wall, "ms", note, f"{target:.0f} ms", holds)
    ]


async def reloading(view: View) -> list[Figure]:
    """Measures views while a file of the catalog changes again and again."""
    quiet = [await timed(view.answered) for _ in range(ROUNDS)]
    file = view.federation.root / "sources/crm.yaml"
    text = file.read_text(encoding="utf-8")
    done = asyncio.Event()

    async def reload() -> None:
        for at in range(RELOADS):
            file.write_text(f"{text}\n# {at}\n", encoding="utf-8")
            assert await view.federation.reload()
            await view.door.prepare(view.federation.principal)
        done.set()

    work = asyncio.create_task(reload())
    during: list[float] = []
    while not done.is_set() and len(during) < VIEWS_DURING_RELOADS:
        during.append(await timed(view.answered))
    await work
    file.write_text(text, encoding="utf-8")
    note = f"p99 without reload {percentile(quiet, 99):.1f} ms, p50 {percentile(quiet, 50):.1f} ms"
    return [
        Figure(f"view during {RELOADS} reloads, p99", percentile(during, 99), "ms", note),
        Figure(f"view during {RELOADS} reloads, p50", percentile(during, 50), "ms", note),
    ]


async def paired(
    rounds: int, first: Callable[[], Awaitable[Any]], second: Callable[[], Awaitable[Any]]
) -> tuple[Spent, Spent]:
    """Returns the medians of two pieces of work that take turns."""
    walls: tuple[list[float], list[float]] = ([], [])
    cpus: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    for _ in range(rounds):
        for at, work in enumerate((first, second)):
            wall, cpu = time.perf_counter(), time.process_time()
            await work()
            walls[at].append((time.perf_counter() - wall) * 1000)
            cpus[at].append((time.process_time() - cpu) * 1000)
    one, two = (
        Spent(statistics.median(w), statistics.median(c)) for w, c in zip(walls, cpus, strict=True)
    )
    return one, two


async def cpu_of(rounds: int, work: Callable[[], Awaitable[Any]]) -> float:
    """Returns the median CPU milliseconds of one run."""
    spent = []
    await work()
    gc.collect()
    for _ in range(rounds):
        cpu = time.process_time()
        await work()
        spent.append((time.process_time() - cpu) * 1000)
    return statistics.median(spent)


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """Returns the milliseconds of one run."""
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1000


def percentile(values: Sequence[float], rank: int) -> float:
    """Returns a percentile of some values."""
    return statistics.quantiles(values, n=100, method="inclusive")[rank - 1]


async def run() -> list[Figure]:
    """Makes the estate and measures over it."""
    with tempfile.TemporaryDirectory() as folder:
        async with busy_estate(Path(folder), Busy()) as estate:
            connection = estate.connection
            return await measure(connection.federation)


def main() -> int:
    """Prints all figures; returns 1 if one misses its target."""
    # As the server does.
    hasten_loop()
    figures = uvloop.run(run())
    emit(figures, as_json="--json" in sys.argv)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
