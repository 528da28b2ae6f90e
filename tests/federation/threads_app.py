"""Serves a desk whose messages are reached through its tickets and threads only, over HTTP."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.connectors.rest_app import serving

from roundview_federation.federation import Federation
from roundview_federation.refresh import refresh_identity

Row = dict[str, Any]

_FILES = {
    "roundview.yaml": "roundview: 1\nname: threads\nversion: 1\ndeadlines: {view: 20s}\n",
    "policy.yaml": 'roles:\n  demo: {purposes: [service], sees: {"*": all}}\n',
    "sources/desk.yaml": """\
source: desk
connector: rest
connection: {base_url: "${env:DESK_URL}", private: true}
limits: {timeout: 20s, concurrency: 8, calls: %(calls)s, rows: %(rows)s}
table_defaults: {rows: data}
tables:
  users:
    get: [/users, {path: "/users/{id}", rows: "."}]
    key: id
    columns: {id: bigint, name: text, email: text}
  tickets:
    get: "/users/{user_id}/tickets"
    key: id
    columns: {id: bigint, user_id: bigint, title: text, opened: timestamptz, hidden: boolean}
  threads:
    get: "/tickets/{ticket_id}/threads"
    key: name
    columns: {name: text, ticket_id: bigint, started: timestamptz}
  posts:
    get: /posts
    filters: {thread: {in: {send: threads, max: 3}}}
    key: id
    columns: {id: bigint, thread: text, kind: text, body: text, at: timestamptz}
  remarks:
    get: "/tickets/{ticket}/remarks"
    key: id
    columns: {id: bigint, ticket: bigint, body: text, at: timestamptz}
entities:
  individual:
    from: users u
    fields: {full_name: u.name}
    also:
      contact_point_email: {fields: {email_address: u.email}}
  support_case:
    from: tickets t
    where: NOT t.hidden
    person: t.user_id
    fields: {subject: t.title, opened_at: t.opened}
  conversation:
    from: threads h
    parent: {support_case: h.ticket_id}
    fields: {started_at: h.started}
  message:
    post:
      from: posts p
      where: p.kind <> 'draft'
      parent: {conversation: p.thread}
      fields: {body_excerpt: p.body, sent_at: p.at}
    remark:
      from: remarks r
      parent: {support_case: "%(remark)s"}
      fields: {body_excerpt: r.body, sent_at: r.at}
""",
}


@dataclass
class Desk:
    """What the desk holds, what it was asked, and how it misbehaves.

    `broken` is the end of paths that answer 500, `strangers` adds a ticket of somebody else to
    every list of tickets.
    """

    users: list[Row] = field(default_factory=list)
    tickets: list[Row] = field(default_factory=list)
    threads: list[Row] = field(default_factory=list)
    posts: list[Row] = field(default_factory=list)
    remarks: list[Row] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    broken: str = ""
    strangers: bool = False

    def hit(self, ending: str) -> int:
        """Returns how many calls went to paths with this ending."""
        return sum(path.endswith(ending) for path in self.hits)

    def expected(self, user: int) -> dict[str, set[str]]:
        """Returns entity -> source keys of everything that belongs to a user."""
        tickets = {t["id"] for t in self.tickets if t["user_id"] == user and not t["hidden"]}
        threads = {h["name"] for h in self.threads if h["ticket_id"] in tickets}
        posts = {p["id"] for p in self.posts if p["thread"] in threads and p["kind"] != "draft"}
        remarks = {r["id"] for r in self.remarks if r["ticket"] in tickets}
        return {
            "support_case": {str(key) for key in tickets},
            "conversation": threads,
            "message": {f"post:{key}" for key in posts} | {f"remark:{key}" for key in remarks},
        }


def filled(seed: int, users: int) -> Desk:
    """Returns a desk with random tickets, threads and messages below its users.

    Threads have the keys of tickets too: whoever takes one for the other shows a wrong message.
    """
    chance = random.Random(seed)
    desk = Desk()
    for user in range(1, users + 1):
        desk.users.append({"id": user, "name": f"Person {user}", "email": f"p{user}@x.example"})
        for _ in range(chance.randrange(4)):
            ticket = 100 + len(desk.tickets)
            hidden = chance.random() < 0.2
            desk.tickets.append(
                {"id": ticket, "user_id": user, "title": f"About {ticket}", "opened": _AT,
                 "hidden": hidden}
            )  # fmt: skip
            for _ in range(chance.randrange(3)):
                thread = str(100 + len(desk.threads))
                desk.threads.append({"name": thread, "ticket_id": ticket, "started": _AT})
                for _ in range(chance.randrange(4)):
                    kind = chance.choice(("mail", "mail", "draft"))
                    desk.posts.append(
                        {"id": len(desk.posts), "thread": thread, "kind": kind, "body": "Hello",
                         "at": _AT}
                    )  # fmt: skip
            for _ in range(chance.randrange(2)):
                desk.remarks.append(
                    {"id": len(desk.remarks), "ticket": ticket, "body": "Well", "at": _AT}
                )
    return desk


@asynccontextmanager
async def federated(
    desk: Desk,
    directory: Path,
    *,
    calls: int = 1000,
    rows: int = 10_000,
    remark: str = "NULLIF(r.ticket, 0)",
) -> AsyncIterator[Federation]:
    """Serves a desk and opens a federation whose only source it is, its people linked.

    `remark` is the ticket that a remark lies below.
    """
    values = {"calls": calls, "rows": rows, "remark": remark}
    for name, text in _FILES.items():
        path = directory / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text % values)
    with serving(_application(desk)) as port:
        federation = Federation.open(
            directory / "catalog",
            data_dir=directory / "identity",
            secret=b"s" * 32,
            env={"DESK_URL": f"http://127.0.0.1:{port}"},
        )
        try:
            await refresh_identity(federation)
            yield federation
        finally:
            await federation.close()


_AT = "2026-03-01T10:00:00Z"


def _application(desk: Desk) -> Starlette:
    def answer(request: Request, rows: list[Row]) -> JSONResponse:
        path = request.url.path
        desk.hits.append(path)
        if desk.broken and path.endswith(desk.broken):
            return JSONResponse({"error": "broken"}, 500)
        return JSONResponse({"data": rows})

    async def users(request: Request) -> JSONResponse:
        return answer(request, desk.users)

    async def user(request: Request) -> JSONResponse:
        desk.hits.append(request.url.path)
        found = [u for u in desk.users if u["id"] == request.path_params["id"]]
        return JSONResponse(found[0], 200) if found else JSONResponse({}, 404)

    async def tickets(request: Request) -> JSONResponse:
        own = request.path_params["id"]
        rows = [t for t in desk.tickets if t["user_id"] == own]
        if desk.strangers:
            rows += [t for t in desk.tickets if t["user_id"] != own][:1]
        return answer(request, rows)

    async def threads(request: Request) -> JSONResponse:
        own = request.path_params["id"]
        # The path says whose they are; the rows themselves do not.
        rows = [
            {k: v for k, v in h.items() if k != "ticket_id"}
            for h in desk.threads
            if h["ticket_id"] == own
        ]
        return answer(request, rows)

    async def posts(request: Request) -> JSONResponse:
        wanted = request.query_params.get("threads", "").split(",")
        return answer(request, [p for p in desk.posts if p["thread"] in wanted])

    async def remarks(request: Request) -> JSONResponse:
        own = request.path_params["id"]
        return answer(request, [r for r in desk.remarks if r["ticket"] == own])

    return Starlette(
        routes=[
            Route("/users", users),
            Route("/users/{id:int}", user),
            Route("/users/{id:int}/tickets", tickets),
            Route("/tickets/{id:int}/threads", threads),
            Route("/tickets/{id:int}/remarks", remarks),
            Route("/posts", posts),
        ]
    )
