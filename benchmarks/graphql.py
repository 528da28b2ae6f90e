"""Measures the GraphQL door alone: building, compiling, HTTP; every time is CPU time.

python -m benchmarks.graphql [--json]
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from benchmarks.report import Figure, emit
from fastapi import FastAPI

from roundview_catalog.canonical_schema import canonical_schema
from roundview_catalog.model import Catalog, SurvivorRule
from roundview_catalog.types import Kind, Type
from roundview_federation.plan import Origin, Question, Section
from roundview_federation.request import Decision, Principal, Request
from roundview_federation.result import Found, Losing, Output, Result, Rows, SourceStatus, Survived
from roundview_graphql.door import Ask, Door
from roundview_graphql.fallback import execute_over
from roundview_graphql.http import encode, graphql_app
from roundview_graphql.limits import Limits
from roundview_graphql.operations import Operations, Refused
from roundview_graphql.schema import DoorSchema, make_schema

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTS = {"sales_order": 50, "sales_order_product": 5, "support_case": 20, "engagement": 100}
BY = {"by": {"email": "ann@example.com"}}

FULL = """query Full($by: CustomerBy!) { customer(by: $by) {
  customerId linkState givenName familyName fullName birthDate gender language email phone address
  contactPointAddress(first: 1) { nodes { line1 city postalCode countryCode } }
  partyIdentification(first: 4) { nodes { type name number } }
  salesOrder(first: 50) { nodes {
    orderNumber orderedAt status salesChannel currency grandTotal
    salesOrderProduct(first: 5) { nodes { lineNo sku name quantity unitPrice lineTotal } }
  } }
  supportCase(first: 20) { nodes { caseNumber subject status priority openedAt } }
  engagement(first: 100) { nodes { type channel campaignName occurredAt } }
} }"""


class Still:
    """A federation whose rows are already there, so that only the door costs."""

    def __init__(self) -> None:
        canonical = canonical_schema()
        self.catalog = Catalog(
            name="benchmark",
            owner_version=1,
            version="benchmark",
            root=Path(),
            canonical=canonical,
            sources={},
            survivorship={"": SurvivorRule("most_recent")},
        )
        self.principal = Principal(
            "demo", ("demo",), {}, ("service",), "service", ("graphql:open",)
        )
        self._results: dict[str, Result] = {}

    async def authenticate(
        self, credential: str | None, *, is_local: bool, address: str = ""
    ) -> Principal:
        return self.principal

    def decide(self, principal: Principal, purpose: str = "") -> Decision:
        entities = self.catalog.canonical.entities
        fields = {name: frozenset(entity.types) for name, entity in entities.items()}
        return Decision("all", self.catalog.version, fields, {}, {}, frozenset(), {})

    async def run(self, question: Question, params: Mapping[str, Any], request: Request) -> Result:
        known = self._results.get(question.shape)
        if known is None:
            known = self._results[question.shape] = self.result(question)
        return known

    def result(self, question: Question) -> Result:
        """Returns rows of canonical types for every section."""
        outputs = {s.name: self._output(s, question) for s in question.sections}
        statuses = tuple(
            SourceStatus(name, "ok", NOW, 3.2, 50, 1) for name in ("crm", "email", "pos", "support")
        )
        found: dict[str, tuple[Found, ...]] = {
            lookup.name: (Found("0198a000-0000-7000-8000-000000000001"),)
            for lookup in question.lookups
        }
        return Result(found, outputs, statuses, NOW)

    def _output(self, section: Section, question: Question) -> Output:
        output = Output(section.columns)
        if section.entity == "customer":
            known = self.catalog.canonical.customer_fields
            entities = self.catalog.canonical.entities
            values = [
                _value(entities[known[c][0]].types[known[c][1]], 1, c) if c in known else c
                for c in section.columns
            ]
            output.groups[0] = Rows([(None, None, None, None, *values)])
            output.provenance[0] = {
                name: Survived(name, "crm", "17", "most_recent", NOW, (Losing("x", "pos", "4"),))
                for name in section.provenance
            }
            return output
        types = self.catalog.canonical.entities[section.entity].types
        count = COUNTS.get(section.entity, 1)
        origin = Origin("pos", "pos", "", NOW, NOW)
        parents = [p for p in question.sections if p.name == section.parent]
        above = COUNTS.get(parents[0].entity, 1) if parents else 0
        owners: list[Any] = [("pos", f"k{at}") for at in range(above)] if parents else [0]
        for owner in owners:
            rows = [
                (
                    origin,
                    f"k{at}",
                    "",
                    owner[1] if parents else None,
                    *(_value(types[c], at, c) for c in section.columns),
                )
                for at in range(count)
            ]
            output.groups[owner] = Rows(rows)
        return output


def _value(type_: Type, at: int, name: str) -> Any:
    simple: dict[Kind, Any] = {
        Kind.DECIMAL: Decimal(at) + Decimal("19.9900"),
        Kind.BIGINT: at,
        Kind.INTEGER: at,
        Kind.FLOAT: at / 3,
        Kind.BOOLEAN: bool(at % 2),
        Kind.DATE: date(2026, 1, 1) + timedelta(days=at),
        Kind.TIMESTAMPTZ: NOW - timedelta(hours=at),
        Kind.TIMESTAMP: NOW - timedelta(hours=at),
        Kind.JSON: {"a": at},
        Kind.CURRENCY: "EUR",
        Kind.COUNTRY: "DE",
    }
    if type_.kind is Kind.ENUM:
        return type_.values[at % len(type_.values)]
    return simple.get(type_.kind, f"{name.replace('_', ' ')} {at}")


def cpu_ms(work: Callable[[], Any], times: int) -> float:
    """Returns the median CPU milliseconds of one call."""
    samples = []
    gc.collect()
    for _ in range(times):
        started = time.thread_time_ns()
        work()
        samples.append((time.thread_time_ns() - started) / 1e6)
    return statistics.median(samples)


def with_provenance(text: str) -> str:
    """Returns the operation with the origin of every record and survived field."""
    text = text.replace("nodes {", "nodes { provenance { source sourceKey fetchedAt asOf }")
    fields = "provenance { field source sourceKey rule asOf losing { value source } }"
    return text.replace("customerId linkState", f"customerId linkState {fields}", 1)


def fields_of(value: Any) -> int:
    """Counts the leaves and objects of an answer."""
    if isinstance(value, dict):
        return sum(1 + fields_of(one) for one in value.values())
    if isinstance(value, list):
        return sum(fields_of(one) for one in value)
    return 0


def building(still: Still, door: DoorSchema) -> list[Figure]:
    """Measures builders against graphql-core over the same rows."""
    figures = []
    for title, text in (("", FULL), (" with provenance", with_provenance(FULL))):
        operations = Operations(door, Limits(), introspection=True)
        ready = operations.ready(text, digest(text), None, BY)
        assert ready.compiled is not None
        asked, build = ready.compiled.asked, ready.compiled.build
        assert build is not None
        result = still.result(asked.question)
        data = build(result)
        oracle, _ = execute_over(door, ready.document, None, BY, asked, result)
        assert encode(data) == encode(oracle or {})
        core = cpu_ms(partial(execute_over, door, ready.document, None, BY, asked, result), 15)
        value = cpu_ms(partial(build, result), 400)
        size = f"{fields_of(data):,} fields, {len(encode(data)) / 1000:.0f} kB"
        figures.append(
            Figure(
                f"build{title} ({size})",
                value,
                "ms",
                f"graphql-core {core:.1f} ms",
                "" if title else "0.3 ms",
                None if title else value <= 0.3,
            )
        )
        figures.append(Figure(f"write JSON{title}", cpu_ms(partial(encode, data), 400), "ms"))
    return figures


def compiling(door: DoorSchema) -> list[Figure]:
    """Measures the first and every later sight of the full operation."""
    cold = cpu_ms(
        lambda: Operations(door, Limits(), introspection=True).ready(FULL, digest(FULL), None, BY),
        15,
    )
    operations = Operations(door, Limits(), introspection=True)
    key = digest(FULL)
    operations.ready(FULL, key, None, BY)
    warm = cpu_ms(lambda: operations.ready(FULL, key, None, BY), 400)
    return [
        Figure("compile, first sight", cold, "ms", "", "50 ms", cold <= 50),
        Figure("compile, cached", warm, "ms", "", "0.1 ms", warm <= 0.1),
    ]


def bombs(door: DoorSchema) -> list[Figure]:
    """Measures the dearest document that is refused or accepted."""
    start = '{customer(by:{email:"ann@example.com"}){'
    doubled = " ".join(f"fragment F{n} on Customer{{...F{n + 1} ...F{n + 1}}}" for n in range(80))
    chain = " ".join(f"fragment F{n} on Customer{{...F{n + 1}}}" for n in range(130))
    many = " ".join(f'query Q{n}{{customer(by:{{email:"a@b.de"}}){{...F0}}}}' for n in range(30))
    texts = {
        "doubled spreads": f"{start}...F0}}}} {doubled} fragment F80 on Customer{{email}}",
        "one field 999 times": start + "email " * 999 + "}}",
        "1,900 unknown fields": start + " ".join(f"x{n}" for n in range(1_900)) + "}}",
        "nine hundred unknown": start + " ".join(f"x{n}" for n in range(900)) + "}}",
        "brackets": "{" * 99_000,
        "block strings": '"""\\' * 24_000,
        "strings": '"\\' * 49_000,
        "chains from many operations": f"{many} {chain} fragment F130 on Customer{{email}}",
        "variables": "query(" + " ".join(f"$v{n}: Int" for n in range(480)) + "){__typename}",
        "one long string": '{customer(by:{email:"' + "x" * 99_000 + '"}){email}}',
        "a large list": "{customers(by:[" + '{email:"a@b.de"}' * 380 + "]){email}}",
    }
    dearest, worst = "", 0.0
    for name, text in texts.items():

        def refuse(text: str = text) -> None:
            try:
                Operations(door, Limits(), introspection=True).ready(text, "x", "Q0", {})
            except Refused:
                return

        spent = cpu_ms(refuse, 3)
        if spent > worst:
            dearest, worst = name, spent
    return [Figure(f"dearest document ({dearest})", worst, "ms", "", "50 ms", worst <= 50)]


async def serving(still: Still) -> list[Figure]:
    """Measures one HTTP request in process: routing, body, answer, JSON."""
    app = FastAPI(openapi_url=None)
    door = Door(still)
    app.include_router(graphql_app(still, door=door))
    body = orjson.dumps({"query": FULL, "variables": BY})
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("127.0.0.1", 8360),
        "client": ("127.0.0.1", 1),
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    received: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            received.append(message["body"])

    async def once() -> None:
        received.clear()
        await app(dict(scope), receive, send)

    await once()
    assert b'"errors"' not in received[0], received[0][:500]
    request = Request(still.principal)
    samples: dict[str, list[float]] = {"http": [], "door": []}
    gc.collect()
    for _ in range(300):
        started = time.thread_time_ns()
        await once()
        samples["http"].append((time.thread_time_ns() - started) / 1e6)
        started = time.thread_time_ns()
        await door.answer(Ask(FULL, variables=BY), request)
        samples["door"].append((time.thread_time_ns() - started) / 1e6)
    http = statistics.median(samples["http"])
    inner = statistics.median(samples["door"])
    return [
        Figure("answer in process, without sources", inner, "ms"),
        Figure("answer over ASGI, without sources", http, "ms", "", "2.5 ms", http <= 2.5),
    ]


def digest(text: str) -> str:
    """Returns the key of a document."""
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> int:
    """Runs everything; returns 1 if a figure misses its target."""
    still = Still()
    decision = still.decide(still.principal)
    started = time.thread_time_ns()
    door = make_schema(still.catalog, decision)
    figures = [Figure("make the schema", (time.thread_time_ns() - started) / 1e6, "ms")]
    figures += building(still, door)
    figures += compiling(door)
    figures += bombs(door)
    figures += asyncio.run(serving(still))
    emit(figures, as_json="--json" in sys.argv)
    return 0 if all(figure.holds is not False for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
