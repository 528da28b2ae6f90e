"""Serves the desk over loopback with hand-made answers and drives a real Chromium against it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from graphql import FieldNode, OperationDefinitionNode, parse
from sqlglot import exp

from roundview_catalog.errors import AccessError, Position
from roundview_catalog.mapped import ParentKey, PersonKey
from roundview_catalog.model import (
    Branch,
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
from roundview_catalog.types import Kind, Type, parse_type
from roundview_desktop.app import desk_app
from roundview_desktop.page import Caller, PageContext, page_context

ANSWERS = Path(__file__).parent / "answers"
NOWHERE = Position("test.yaml", 1, 1)
NOW = "2026-11-25T09:00:02Z"

ENTITIES = {
    "individual": "given_name family_name full_name birth_date:date language customer_since:date",
    "contact_point_email": "email_address is_primary:boolean opt_out:boolean",
    "contact_point_phone": "phone_raw phone_e164 is_mobile:boolean is_primary:boolean",
    "contact_point_address": "line1 city postal_code country_code formatted type",
    "loyalty_membership": "program member_no tier points_balance:decimal",
    "sales_order": "order_number ordered_at:timestamptz status sales_channel currency"
    " grand_total:decimal fulfillment_status",
    "sales_order_product": "line_no:integer sku name quantity:decimal unit_price:decimal"
    " line_total:decimal",
    "support_case": "case_number subject status priority channel opened_at:timestamptz"
    " resolved_at:timestamptz sentiment queue assignee",
    "message": "channel author_type body_excerpt sent_at:timestamptz",
    "engagement": "type channel campaign_id campaign_name occurred_at:timestamptz",
    "survey_response": "instrument score:decimal scale_max:decimal comment"
    " responded_at:timestamptz",
    "consent": "scope channel topic status legal_basis captured_at:timestamptz",
    "whatsapp_message": "text direction sent_at:timestamptz",
    "product": "sku name",
}
SOURCES = {
    "crm": ("CRM", "individual contact_point_email contact_point_phone consent"),
    "pos.north": (
        "Tills North",
        "individual contact_point_address loyalty_membership sales_order sales_order_product"
        " product",
    ),
    "mail": ("Newsletter", "individual contact_point_email engagement consent"),
    "support": (
        "Support desk",
        "individual support_case message survey_response whatsapp_message",
    ),
}
KINDS = "email phone customer_id loyalty_no account_no order_number case_number social_handle"
SURVIVED = {
    "given_name": ("individual", "given_name"),
    "family_name": ("individual", "family_name"),
    "full_name": ("individual", "full_name"),
    "birth_date": ("individual", "birth_date"),
    "language": ("individual", "language"),
    "customer_since": ("individual", "customer_since"),
    "email": ("contact_point_email", "email_address"),
    "phone": ("contact_point_phone", "phone_e164"),
    "address": ("contact_point_address", "formatted"),
}


def make_catalog(*, version: str = "v1", without: tuple[str, ...] = ()) -> Catalog:
    """Returns a catalog of four sources; entities in `without` are not mapped."""
    entities = {}
    for name, text in ENTITIES.items():
        fields = {}
        for word in text.split():
            field_name, _, type_name = word.partition(":")
            fields[field_name] = Field(field_name, parse_type(type_name or "text"))
        parents = {"sales_order": "sales_order_key"} if name == "sales_order_product" else {}
        entities[name] = Entity(name, f"One {name}.", fields, (), parents, name != "product")
    sources = {}
    for name, (title, mapped) in SOURCES.items():
        branches = tuple(_branch(name, e) for e in mapped.split() if e not in without)
        sources[name] = Source(
            name, title, "", "sqlite", {}, Limits(), Defaults(), {}, branches, ANSWERS, NOWHERE
        )
    kinds = {kind: IdentifierKind(kind, f"A {kind}.", "text") for kind in KINDS.split()}
    return Catalog(
        "test", 1, version, ANSWERS, Canonical(entities, kinds, SURVIVED), sources, {},
        {"": SurvivorRule("most_recent")},
    )  # fmt: skip


def _branch(source: str, entity: str) -> Branch:
    person: tuple[PersonKey, ...] = (PersonKey("", (exp.column("p"),), (Type(Kind.BIGINT),)),)
    parent = None
    if entity == "sales_order_product":
        person = ()
        parent = ParentKey("sales_order", "", (exp.column("o"),), (Type(Kind.BIGINT),))
    return Branch(source, entity, "", NOWHERE, exp.Select(), {}, (), (), {}, person, parent)


def readable(catalog: Catalog) -> dict[str, frozenset[str]]:
    """Returns what somebody who may see everything may read."""
    return {e.name: frozenset(e.types) for e in catalog.canonical.entities.values()}


def ada() -> dict[str, Any]:
    """Returns the hand-made answer about one well-known customer."""
    answer: dict[str, Any] = json.loads((ANSWERS / "ada.json").read_text())
    return answer


@dataclass
class Answers:
    """What the test server says; `asked` keeps the variables of every request.

    With `credentials` it answers nobody else. `contexts` are the pages of a purpose or an emergency,
    `sent` the headers that came with questions, `reveals` what was to be revealed.
    """

    context: PageContext
    replies: dict[str, Callable[[dict[str, str]], tuple[int, dict[str, Any]]]] = field(
        default_factory=dict
    )
    default: dict[str, Any] = field(default_factory=ada)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""
    credentials: frozenset[str] = frozenset()
    contexts: dict[str, PageContext] = field(default_factory=dict)
    sent: list[Mapping[str, str]] = field(default_factory=list)
    reveals: list[dict[str, Any]] = field(default_factory=list)
    revealed: dict[str, Any] = field(default_factory=dict)

    def of(self, request: Request) -> PageContext:
        """Returns the page of who asks; AccessError RV302 for somebody else."""
        credential = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.credentials and credential not in self.credentials:
            raise AccessError("a token or an API key is needed", code="RV302")
        if request.headers.get("roundview-emergency") == "true":
            return self.contexts["emergency"]
        return self.contexts.get(request.headers.get("roundview-purpose", ""), self.context)

    def reveal(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Returns the answer to a reveal."""
        self.reveals.append(variables)
        return self.revealed

    def reply(self, document: str, by: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Returns status and body for one identifier, `{"email": …}`."""
        pages = (self.context, *self.contexts.values())
        operation = next((d[document] for d in (p.documents for p in pages) if document in d), None)
        if operation is None:
            error = {"message": "unknown document", "extensions": {"code": "UNKNOWN_NAME"}}
            return 200, {"errors": [error]}
        (kind, value), *_ = by.items()
        self.asked.append((kind, by))
        custom = self.replies.get(value)
        status, body = custom(by) if custom else found(self.default)
        if (body.get("data") or {}).get("customer"):
            body = {**body, "data": fill(operation, body["data"])}
        return status, body


def found(
    answer: dict[str, Any], errors: list[dict[str, Any]] | None = None
) -> tuple[int, dict[str, Any]]:
    """Returns a reply in the shape of the GraphQL door."""
    complete = all(source["status"] == "ok" for source in answer["sources"])
    body: dict[str, Any] = {
        "data": {"customer": answer["customer"]},
        "extensions": {"complete": complete, "sources": answer["sources"]},
    }
    return 200, {**body, "errors": errors} if errors else body


def fill(operation: str, data: dict[str, Any]) -> dict[str, Any]:
    """Returns the data with exactly the fields that the operation selects, null if not given."""
    definition = parse(operation).definitions[0]
    assert isinstance(definition, OperationDefinitionNode)

    def walk(node: Any, value: Any) -> Any:
        if value is None or node.selection_set is None:
            return value
        if isinstance(value, list):
            return [walk(node, one) for one in value]
        names = [s for s in node.selection_set.selections if isinstance(s, FieldNode)]
        given = dict(value)
        if "nodes" in value:
            given = {"complete": True, "missingSources": [], "pageInfo": {"hasNextPage": False}}
            given |= value
        elif any(s.name.value == "sourceKey" and s.selection_set is None for s in names):
            given.setdefault("provenance", {"fetchedAt": NOW, "asOf": NOW})
        return {s.name.value: walk(s, given.get(s.name.value)) for s in names}

    result: dict[str, Any] = walk(definition, data)
    return result


@pytest.fixture
async def answers() -> AsyncIterator[Answers]:
    """Serves the desk and `/graphql` on a free loopback port."""
    catalog = make_catalog()
    answers = Answers(page_context(catalog, readable(catalog), Caller("demo")))
    app = FastAPI()

    async def context(request: Request) -> PageContext:
        return answers.of(request)

    async def refuse(_: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(str(error), 401)

    app.add_exception_handler(AccessError, refuse)
    app.include_router(desk_app(context))

    @app.post("/graphql")
    async def graphql(request: Request) -> JSONResponse:
        asked = await request.json()
        answers.sent.append(request.headers)
        page = answers.of(request)
        if page.documents.get(asked["documentId"], "").startswith("mutation"):
            return JSONResponse(answers.reveal(asked["variables"]))
        status, body = answers.reply(asked["documentId"], asked["variables"]["by"])
        return JSONResponse(body, status_code=status)

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    serving = asyncio.ensure_future(server.main_loop())
    port = server.servers[0].sockets[0].getsockname()[1]
    answers.url = f"http://127.0.0.1:{port}"
    yield answers
    server.should_exit = True
    await serving
    await server.shutdown()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Returns the path of the system's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return path


@pytest.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Any]:
    """Starts one Chromium for all tests of the session."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        await browser.close()


FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass
class Desk:
    """One page with everything it complained about."""

    page: Any
    answers: Answers
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    async def go(self, address: str = "/desk", state: str = "customer") -> None:
        """Opens an address and waits until the page has settled in a state."""
        await self.page.goto(self.answers.url + address)
        await self.settled(state)

    async def settled(self, state: str) -> None:
        """Waits until the page shows `idle`, `customer` or `notice`."""
        await self.page.wait_for_selector(f"body[data-state={state}]")

    async def search(self, text: str, state: str = "customer") -> None:
        """Types into the search box and presses Enter."""
        await self.page.fill("#value", text)
        await self.page.press("#value", "Enter")
        await self.settled(state)


@pytest.fixture
async def new_desk(browser: Any, answers: Answers) -> AsyncIterator[Callable[..., Any]]:
    """Returns a function that opens a page: `await new_desk(width=400, scheme="dark")`."""
    opened = []

    async def make(width: int = 1280, height: int = 800, scheme: str = "light") -> Desk:
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            locale="en-GB",
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        page = await context.new_page()
        await page.clock.set_fixed_time(NOW)
        desk = Desk(page, answers)
        page.on("console", lambda m: desk.complaints.extend([m.text] * (m.type == "error")))
        page.on("pageerror", lambda error: desk.complaints.append(str(error)))
        page.on(
            "request",
            lambda r: desk.foreign.extend(
                [r.url] * (not r.url.startswith((answers.url, "data:", "blob:")))
            ),
        )
        await page.add_init_script(
            "window.violations = []; document.addEventListener('securitypolicyviolation',"
            " e => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));"
        )
        opened.append(context)
        return desk

    yield make
    for context in opened:
        await context.close()


@pytest.fixture
async def desk(new_desk: Callable[..., Any]) -> AsyncIterator[Desk]:
    """Opens a page of 1280 by 800; at the end it must not have complained."""
    desk: Desk = await new_desk()
    yield desk
    assert await desk.page.evaluate("window.violations") == []
    assert desk.complaints == []
    assert desk.foreign == []
