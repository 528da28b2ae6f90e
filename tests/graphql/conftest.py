"""A small catalog and a federation over plain Python rows: the truth that answers must equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlglot import exp

from roundview_catalog.errors import (
    IdentityError,
    Position,
    RequestError,
    SourceError,
)
from roundview_catalog.model import (
    Canonical,
    Catalog,
    Defaults,
    Entity,
    Field,
    IdentifierKind,
    Limits,
    Source,
    SurvivorRule,
)
from roundview_catalog.types import parse_type
from roundview_federation.plan import Origin, Question, Section
from roundview_federation.request import Decision, Principal, Request
from roundview_federation.result import (
    Candidate,
    Found,
    Losing,
    Output,
    Result,
    Rows,
    SourceStatus,
    Survived,
)
from roundview_graphql.http import graphql_app
from roundview_graphql.schema import DoorSchema, make_schema

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD = datetime(2026, 2, 28, 6, 30, 15, 250000, tzinfo=UTC)
ANN = "0198a000-0000-7000-8000-000000000001"
BOB = "0198a000-0000-7000-8000-000000000002"
GENDERS = "enum(female, male, non-binary)"
DEMO = Principal("demo", ("demo",), {}, ("service",), "service", ("graphql:open",))


def _entity(
    name: str,
    comment: str,
    fields: dict[str, str],
    parents: dict[str, str] | None = None,
    order: tuple[tuple[str, bool], ...] = (),
) -> Entity:
    made = {n: Field(n, parse_type(t), f"{n.replace('_', ' ')}.") for n, t in fields.items()}
    return Entity(name, comment, made, parents=parents or {}, order=order)


def make_catalog(version: str = "v1", *, extra: Entity | None = None) -> Catalog:
    entities = [
        _entity(
            "individual",
            "A person as one source knows them.",
            {
                "given_name": "text",
                "birth_date": "date",
                "gender": "enum(female, male, non-binary)",
            },
        ),
        _entity("contact_point_email", "An email address.", {"email_normalized": "text"}),
        _entity(
            "sales_order",
            "An order or a sale.",
            {
                "order_number": "text",
                "ordered_at": "timestamptz",
                "status": "enum(open, completed, on-hold)",
                "grand_total": "decimal(18,4)",
                "receipt_id": "bigint",
                "items": "integer",
                "is_gift": "boolean",
                "delivered_on": "date",
                "attributes": "json",
            },
            order=(("ordered_at", True),),
        ),
        _entity(
            "sales_order_product",
            "One line of an order.",
            {"line_no": "integer", "name": "text", "unit_price": "decimal(18,4)"},
            parents={"sales_order": "sales_order_key"},
            order=(("line_no", False),),
        ),
        _entity(
            "support_case",
            "A case.",
            {"case_number": "text", "subject": "text", "opened_at": "timestamptz"},
            order=(("opened_at", True),),
        ),
    ]
    if extra is not None:
        entities.append(extra)
    canonical = Canonical(
        entities={e.name: e for e in entities},
        identifiers={
            "email": IdentifierKind("email", "Email address.", "email"),
            "phone": IdentifierKind("phone", "Phone number.", "phone"),
            "customer_id": IdentifierKind("customer_id", "Stable id.", "text"),
            "order_number": IdentifierKind("order_number", "Order.", "text", is_live=True),
        },
        customer_fields={
            "given_name": ("individual", "given_name"),
            "birth_date": ("individual", "birth_date"),
            "gender": ("individual", "gender"),
            "email": ("contact_point_email", "email_normalized"),
        },
    )
    source = Source(
        name="pos",
        title="Till",
        owner="retail",
        connector="sqlite",
        connection={},
        limits=Limits(),
        defaults=Defaults(phone_region="DE"),
        tables={},
        branches=(),
        root=Path(),
        position=Position("sources/pos.yaml", 1, 1),
    )
    return Catalog(
        name="test",
        owner_version=1,
        version=version,
        root=Path(),
        canonical=canonical,
        sources={"pos": source},
        survivorship={"": SurvivorRule("most_recent")},
    )


@dataclass(frozen=True)
class Record:
    source: str
    source_key: str
    values: Mapping[str, Any]
    customer: str | None = ANN
    parent: str | None = None
    slot: str = ""


def _orders() -> list[Record]:
    rows = []
    for at in range(7):
        rows.append(
            Record(
                "pos" if at % 2 else "shop",
                f"o{at}",
                {
                    "order_number": f"A-{at}",
                    "ordered_at": datetime(2026, 1, 1 + at, 8, 30, tzinfo=UTC) if at != 3 else None,
                    "status": ("open", "completed", "on-hold", None)[at % 4],
                    "grand_total": Decimal(at * 10) + Decimal("0.1250") if at != 5 else None,
                    "receipt_id": 9_007_199_254_740_993 + at if at % 3 else None,
                    "items": at,
                    "is_gift": (True, False, None)[at % 3],
                    "delivered_on": date(2026, 2, 1 + at) if at % 2 else None,
                    "attributes": {"colour": ["rot", "grün"], "n": at} if at % 2 else None,
                    "source_updated_at": OLD,
                    "region": "eu" if at % 2 else None,
                },
            )
        )
    return rows


def _lines() -> list[Record]:
    return [
        Record(
            "pos" if at % 2 else "shop",
            f"o{at}/{line}",
            {
                "line_no": line,
                "name": ("Tee ☕", "שלום", "<b>bold</b>", None)[line],
                "unit_price": Decimal("1.5000") * line,
                "sales_order_key": f"o{at}",
            },
            parent=f"o{at}",
        )
        for at in range(7)
        for line in range(at % 4)
    ]


ROWS: dict[str, list[Record]] = {
    "individual": [
        Record("crm", "1", {"given_name": "Ann", "birth_date": None, "gender": "non-binary"}),
        Record("pos", "9", {"given_name": "Anne", "birth_date": date(1990, 2, 3), "gender": None}),
        Record("crm", "2", {"given_name": "Бob \u202e", "birth_date": None}, customer=BOB),
    ],
    "contact_point_email": [Record("crm", "1", {"email_normalized": "ann@example.com"})],
    "sales_order": _orders(),
    "sales_order_product": _lines(),
    "support_case": [
        Record(
            "support",
            f"c{at}",
            {"case_number": f"C{at}", "subject": 'It\'s "broken"\u2028\n', "opened_at": NOW},
            customer=BOB if at == 2 else ANN,
        )
        for at in range(3)
    ],
}

SOURCES = {
    "individual": ("crm", "pos"),
    "contact_point_email": ("crm",),
    "sales_order": ("pos", "shop"),
    "sales_order_product": ("pos", "shop"),
    "support_case": ("support",),
}


@dataclass
class Memory:
    """Answers questions from rows in memory; `failing` sources fail."""

    catalog: Catalog = field(default_factory=make_catalog)
    failing: frozenset[str] = frozenset()
    principal: Principal = DEMO
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    raising: Exception | None = None

    async def authenticate(
        self, credential: str | None, *, is_local: bool, address: str = ""
    ) -> Principal:
        assert is_local
        return self.principal

    def decide(
        self, principal: Principal, purpose: str = "", *, is_emergency: bool = False
    ) -> Decision:
        fields = {
            name: frozenset(entity.types) - self.hidden.get(name, frozenset())
            for name, entity in self.catalog.canonical.entities.items()
        }
        shape = "+".join(principal.roles) + repr(sorted(self.hidden.items()))
        return Decision(shape, self.catalog.version, fields, {}, {}, frozenset(), {})

    async def run(self, question: Question, params: Mapping[str, Any], request: Request) -> Result:
        return self.answer(question, params)

    def answer(self, question: Question, params: Mapping[str, Any]) -> Result:
        if self.raising is not None:
            raise self.raising
        if question.catalog_version != self.catalog.version:
            raise RequestError("unknown relation", code="RV102")
        self.asked.append(question)
        found = {
            lookup.name: tuple(self._find(one.kind, one.value) for one in params[lookup.name])
            for lookup in question.lookups
        }
        outputs = {s.name: self._output(s, found[s.lookup], params) for s in question.sections}
        used = sorted({n for s in question.sections for n in self._sources(s)})
        statuses = tuple(
            SourceStatus(
                name,
                "failed" if name in self.failing else "ok",
                None if name in self.failing else OLD,
                1.5,
                3,
                1,
                code="SOURCE_TIMEOUT" if name in self.failing else "",
                reason="too late" if name in self.failing else "",
            )
            for name in used
        )
        return Result(found, outputs, statuses, NOW)

    def _find(self, kind: str, value: str) -> Found:
        if value == "both@example.com":
            candidates = [Candidate(ANN, "A… n"), Candidate(BOB, "B… b")]
            return Found(
                error=IdentityError(
                    "email leads to several customers", extensions={"candidates": candidates}
                )
            )
        if value == "LOST":
            return Found(error=SourceError("pos", "pos did not answer in time", code="RV401"))
        known = {"ann@example.com": ANN, "bob@example.com": BOB, ANN: ANN, BOB: BOB, "A-1": ANN}
        return Found(known.get(value), "provisional" if value == "bob@example.com" else "linked")

    def _sources(self, section: Section) -> tuple[str, ...]:
        if section.entity == "customer":
            return ("crm", "pos")
        return SOURCES.get(section.entity, ())

    def _output(
        self, section: Section, found: tuple[Found, ...], params: Mapping[str, Any]
    ) -> Output:
        sources = self._sources(section)
        missing = tuple(sorted(set(sources) & self.failing))
        output = Output(section.columns, missing=missing)
        if sources and set(sources) <= self.failing:
            output.failed = SourceError(missing[0], f"{missing[0]} did not answer", code="RV401")
        for index, one in enumerate(found):
            if one.customer_id is None:
                continue
            if section.entity == "customer":
                self._survive(section, index, one, output)
            else:
                self._collect(section, index, one, params, output)
        return output

    def _survive(self, section: Section, index: int, one: Found, output: Output) -> None:
        own = {"customer_id": one.customer_id, "link_state": one.link_state}
        origins: dict[str, Survived] = {}
        for name in {*section.columns, *section.provenance} - own.keys():
            entity, column = self.catalog.canonical.customer_fields[name]
            rows = [
                r
                for r in ROWS[entity]
                if r.customer == one.customer_id
                and r.source not in self.failing
                and r.values.get(column) is not None
            ]
            own[name] = rows[0].values[column] if rows else None
            if rows and name in section.provenance:
                losing = tuple(Losing(r.values[column], r.source, r.source_key) for r in rows[1:])
                origins[name] = Survived(
                    name, rows[0].source, rows[0].source_key, "most_recent", OLD, losing
                )
        head = (None, None, None, None)
        output.groups[index] = Rows([(*head, *(own[c] for c in section.columns))])
        if section.provenance:
            output.provenance[index] = origins

    def _collect(
        self,
        section: Section,
        index: int,
        one: Found,
        params: Mapping[str, Any],
        output: Output,
    ) -> None:
        groups: dict[Any, list[Record]] = {}
        where = section.tree.args.get("where")
        for record in ROWS.get(section.entity, ()):
            if record.customer != one.customer_id or record.source in self.failing:
                continue
            if where is not None and holds(where.this, record, params) is not True:
                continue
            owner = (record.source, record.parent) if section.parent else index
            groups.setdefault(owner, []).append(record)
        for owner, records in groups.items():
            output.groups[owner] = self._page(section, records, params, output.missing)

    def _page(
        self,
        section: Section,
        records: list[Record],
        params: Mapping[str, Any],
        missing: tuple[str, ...],
    ) -> Rows:
        assert section.page is not None
        order = section.tree.args.get("order")
        records = sorted(records, key=lambda r: (r.source, r.source_key, r.slot))
        for term in reversed(order.expressions if order else []):
            name = term.this.name
            present = [r for r in records if _value(r, name) is not None]
            absent = [r for r in records if _value(r, name) is None]
            present.sort(key=lambda r, n=name: _value(r, n), reverse=bool(term.args.get("desc")))
            records = present + absent
        after = params[section.page.after]
        if after is not None and not after.startswith("cursor:"):
            raise RequestError("the cursor does not belong to this list", code="RV104")
        start = int(after.removeprefix("cursor:")) if after else 0
        first = params[section.page.first]
        shown = records[start : start + first]
        rows = [
            (
                Origin(r.source, r.source.partition(".")[0], "", NOW, OLD),
                r.source_key,
                r.slot,
                r.parent if section.parent else None,
                *(_value(r, c) for c in section.columns),
            )
            for r in shown
        ]
        return Rows(
            rows,
            has_next=len(records) > start + first,
            end_cursor=f"cursor:{start + len(shown)}"
            if shown and section.page.wants_cursor
            else None,
            missing=missing,
        )


def _value(record: Record, column: str) -> Any:
    if column in ("source", "source_system"):
        return record.source
    if column == "source_key":
        return record.source_key
    return record.values.get(column)


def holds(tree: exp.Expr, record: Record, params: Mapping[str, Any]) -> bool | None:
    """Evaluates a WHERE with three-valued logic."""
    if isinstance(tree, exp.Paren):
        return holds(tree.this, record, params)
    if isinstance(tree, exp.Not):
        inner = holds(tree.this, record, params)
        return None if inner is None else not inner
    if isinstance(tree, exp.And | exp.Or):
        left = holds(tree.this, record, params)
        right = holds(tree.expression, record, params)
        decisive = isinstance(tree, exp.Or)
        if decisive in (left, right):
            return decisive
        return None if None in (left, right) else not decisive
    value = _value(record, tree.this.name)
    if isinstance(tree, exp.Is):
        return value is None
    if value is None:
        return None
    if isinstance(tree.expression, exp.Any):
        return value in params[tree.expression.this.name]
    other = params[tree.expression.name]
    compared: dict[type[exp.Expr], bool] = {
        exp.EQ: value == other,
        exp.GT: value > other,
        exp.GTE: value >= other,
        exp.LT: value < other,
        exp.LTE: value <= other,
    }
    return compared[type(tree)]


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture(scope="session")
def door() -> DoorSchema:
    memory = Memory()
    return make_schema(memory.catalog, memory.decide(memory.principal))


@pytest.fixture
def catalog() -> Catalog:
    return make_catalog()


@pytest.fixture
def with_messages() -> Catalog:
    """The catalog after a new channel came."""
    entity = _entity("message", "A message of a chat.", {"body": "text"})
    return make_catalog("v2", extra=entity)


class Caller:
    """Sends GraphQL to the door over HTTP, in process."""

    def __init__(self, memory: Memory, documents: Mapping[str, str], **options: Any) -> None:
        app = FastAPI(openapi_url=None)
        app.include_router(graphql_app(memory, lambda _: documents, **options))
        transport = httpx.ASGITransport(app=app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def __call__(
        self, query: str, variables: Mapping[str, Any] | None = None, **more: Any
    ) -> Any:
        body = {"query": query, "variables": dict(variables or {}), **more}
        return (await self.post(body)).json()

    async def post(self, body: Any, accept: str = "", **headers: str) -> httpx.Response:
        given = {"accept": accept or "application/graphql-response+json", **headers}
        return await self.client.post("/graphql", json=body, headers=given)


@pytest.fixture
def make_caller() -> type[Caller]:
    return Caller


@pytest.fixture
def call(memory: Memory) -> Caller:
    return Caller(memory, {})


@pytest.fixture
def failing(memory: Memory) -> Any:
    def made(*sources: str) -> Memory:
        return replace(memory, failing=frozenset(sources))

    return made
