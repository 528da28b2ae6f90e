"""Measures what rules and records cost: of a whole view, of a decision, of a large policy.

The baseline of a view is the same view of the same customer for an asker whom no rule restricts,
not recorded; sources answer from memory, so that only what surrounds the calls is timed.

python -m benchmarks.policy [--json]
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.busy import Busy, busy_estate
from benchmarks.customer import Kept, View, paired
from benchmarks.graphql import FULL
from benchmarks.report import Figure, emit

from roundview.serve import hasten_loop
from roundview_catalog import loader
from roundview_federation.access.policy import decide
from roundview_federation.federation import Federation
from roundview_federation.request import Principal

ROUNDS = 300
DECISIONS = 20_000
ROLES = 1_000
ENTITIES = 100
COMPANY = Path(__file__).parents[1] / "tests" / "catalog" / "company"

_ROLE = """  {name}:
    purposes: [service]
    sees: {{"*": all, payment: [method, amount]}}
    row_filter: {{"*": region = principal.region, sales_order: grand_total < {at}}}
    mask:
      individual.birth_date: date_trunc('year', birth_date)
      contact_point_phone.phone_e164: "'…' || right(phone_e164, 3)"
"""

_ENTITY = """entity: thing_{at}
comment: A thing.
relations: {{individual: {{by: person}}}}
fields:
  name: {{type: text, bearing: true, comment: Its name.}}
"""


class Unrecorded:
    """Stands where questions are recorded, and records nothing."""

    def __init__(self) -> None:
        self.statuses: Any = ()

    @asynccontextmanager
    async def of_plan(self, *_: Any) -> AsyncIterator[Unrecorded]:
        """Records nothing."""
        yield self

    @contextmanager
    def refusals(self, _: Any) -> Iterator[None]:
        """Records nothing."""
        yield


async def viewing(federation: Federation) -> list[Figure]:
    """Measures a whole view with rules and records against the same without either."""
    free = View(federation, FULL, Busy())
    await free.start()
    federation.principal = replace(free.request.principal, name="agent", roles=("agent",))
    ruled = View(federation, FULL, Busy())
    await ruled.start()
    federation.principal = free.request.principal
    for view in (free, ruled):
        await view.executed()
    connectors = federation.current.connectors
    opened = dict(connectors)
    for name, connector in opened.items():
        connectors[name] = Kept(connector)  # type: ignore[assignment]
    recording: Any = federation._audit
    unrecorded: Any = Unrecorded()

    async def without() -> None:
        federation._audit = unrecorded
        await free.executed()

    async def with_rules() -> None:
        federation._audit = unrecorded
        await ruled.executed()

    async def with_both() -> None:
        federation._audit = recording
        await ruled.executed()

    try:
        bare, both = await paired(ROUNDS, without, with_both)
        plain, rules = await paired(ROUNDS, without, with_rules)
    finally:
        federation._audit = recording
        connectors.update(opened)
    note = f"{bare.cpu:.2f} ms CPU, {bare.wall:.2f} ms without"
    policy = (rules.cpu - plain.cpu) * 1000
    cpu, wall = (both.cpu - bare.cpu) * 1000, both.wall - bare.wall
    return [
        Figure("policy and audit of a view, CPU", cpu, "µs", note, "300 µs", cpu <= 300),
        Figure("policy of a view alone, CPU", policy, "µs", f"{plain.cpu:.2f} ms CPU without"),
        Figure("policy and audit of a view, wall", wall, "ms", note, "1 ms", wall <= 1),
    ]


def deciding(federation: Federation) -> list[Figure]:
    """Measures a decision that is known, for a principal with attributes."""
    who = Principal("a", ("agent", "shop"), {"region": "eu"}, ("service",), "service")
    snapshot = federation.current
    snapshot.decide(who)
    cpu = time.process_time()
    for _ in range(DECISIONS):
        snapshot.decide(who)
    known = (time.process_time() - cpu) / DECISIONS * 1e6
    spent = []
    for _ in range(9):
        cpu = time.process_time()
        decide(snapshot.catalog, who)
        spent.append((time.process_time() - cpu) * 1e3)
    note = f"made anew {statistics.median(spent):.2f} ms CPU"
    return [Figure("decision", known, "µs CPU", note)]


async def sharing(federation: Federation) -> list[Figure]:
    """Measures whether users of one role share plans, whatever their attributes."""
    view = View(federation, FULL, Busy())
    await view.start()
    await view.executed()
    planner = federation.current.planner
    before = len(planner.plans())
    for at in range(50):
        attributes = {"region": f"r{at}"}
        who = replace(view.request.principal, name=f"user {at}", attributes=attributes)
        await federation.run(view.question, view.params, replace(view.request, principal=who))
    made = float(len(planner.plans()) - before)
    return [Figure("plans made for 50 users of a role", made, "", "", "0", made == 0)]


def loading() -> list[Figure]:
    """Measures loading a catalog with many roles and entities, all of it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "catalog"
        shutil.copytree(COMPANY, root)
        known = len(loader.load(root).canonical.entities)
        for at in range(ENTITIES - known):
            (root / "entities" / f"thing_{at}.yaml").write_text(_ENTITY.format(at=at), "utf-8")
        alone = _loaded(root)
        roles = "".join(_ROLE.format(name=f"role_{at}", at=at) for at in range(ROLES))
        (root / "policy.yaml").write_text(f"roles:\n{roles}", "utf-8")
        cpu = _loaded(root)
        catalog = loader.load(root)
        assert len(catalog.policy.roles) == ROLES
        assert len(catalog.canonical.entities) == ENTITIES
        assert len(catalog.policy.roles["role_7"].row_filter) == ENTITIES
    note = f"{alone:.2f} s without the roles"
    name = f"{ROLES:,} roles over {ENTITIES} entities"
    return [Figure(name, cpu, "s CPU", note, "2 s", cpu <= 2)]


def _loaded(root: Path) -> float:
    cpu = time.process_time()
    loader.load(root)
    return time.process_time() - cpu


async def run() -> list[Figure]:
    """Makes the estate and measures over it."""
    with tempfile.TemporaryDirectory() as folder:
        async with busy_estate(Path(folder), Busy()) as estate:
            federation = estate.connection.federation
            return [
                *await sharing(federation),
                *deciding(federation),
                *await viewing(federation),
                *loading(),
            ]


def main() -> int:
    """Prints all figures; returns 1 if one misses its target."""
    # As the server does.
    hasten_loop()
    figures = uvloop.run(run())
    emit(figures, as_json="--json" in sys.argv)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
