"""Times a customer's view beside the raw calls of the same statements."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import Figure, emit

from roundview import connect
from roundview.demo.estate import make
from roundview_federation.execute.rounds import Customers, bind
from roundview_federation.federation import Federation
from roundview_federation.plan import Identifier, Question
from roundview_federation.request import Request
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.whole import whole_customer

ROUNDS = 300
WHO = Identifier("phone", "+49304007919")


def main() -> None:
    """Makes an estate and pairs views with raw gathers of their statements."""
    with tempfile.TemporaryDirectory() as folder:
        estate = make(Path(folder), people=2000)
        with connect(estate.catalog, env=estate.env) as connection:
            connection.refresh()
            figures = connection._run(_measure(connection.federation))
    emit(figures, as_json="--json" in sys.argv)


async def _measure(federation: Federation) -> list[Figure]:
    decision = federation.decide(federation.principal)
    request = Request(federation.principal)
    question, params = whole_customer(federation.catalog, decision, WHO, 20)
    result = await federation.run(question, params, request)
    raw = _raw_calls(federation, question, result.found["customer"])
    walls: dict[str, list[float]] = {"view": [], "raw": []}
    cpus: dict[str, list[float]] = {"view": [], "raw": []}
    for _ in range(ROUNDS):
        for name in ("raw", "view"):
            wall, cpu = time.perf_counter(), time.process_time()
            if name == "view":
                await federation.run(question, params, request)
            else:
                await asyncio.gather(*(one() for one in raw))
            walls[name].append((time.perf_counter() - wall) * 1000)
            cpus[name].append((time.process_time() - cpu) * 1000)
    view, base = statistics.median(walls["view"]), statistics.median(walls["raw"])
    cpu, base_cpu = statistics.median(cpus["view"]), statistics.median(cpus["raw"])
    note = f"raw gather of the same {len(raw)} statements: {base:.2f} ms, {base_cpu:.2f} ms CPU"
    wall_ratio, cpu_ratio = view / base, cpu / base_cpu
    return [
        Figure("whole view, p50", view, "ms", note),
        Figure("whole view, wall ratio", wall_ratio, "x", note, "<= 1.3", wall_ratio <= 1.3),
        Figure("whole view, CPU ratio", cpu_ratio, "x", note, "<= 1.4", cpu_ratio <= 1.4),
    ]


def _raw_calls(federation: Federation, question: Question, found: Any) -> list[Any]:
    snapshot = federation.current
    plans = [p for p in snapshot.planner.plans() if p.key.shape.startswith(question.shape)]
    customers = Customers.of(found, federation.xref.members)
    calls = []
    for planned in plans[0].fragments:
        params: dict[str, Any] = {}
        for name in planned.fragment.keysets:
            params[name] = list(bind(plans[0].keysets[name], customers))
        connector = snapshot.connectors[planned.fragment.source]

        def call(connector: Any = connector, planned: Any = planned, params: Any = params) -> Any:
            return connector.rows(planned.call, params, Deadline.after(2.0))

        calls.append(call)
    return calls


if __name__ == "__main__":
    main()
