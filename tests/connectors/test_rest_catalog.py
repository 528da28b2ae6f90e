"""A system that is asked by POST, pages by link, wants tokens and has small tables: one view of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.connectors.json_api import Api, Apis, posted

from roundview.client import connect_async

PEOPLE = [
    {"id": 1, "name": "Ada Kühn", "email": "ada@mail.example", "company": 7},
    {"id": 2, "name": "Cem Aydin", "email": "cem@mail.example", "company": None},
]
NEWCOMER = {"id": 3, "name": "Eva Weg", "email": "eva@mail.example", "company": 7}
TICKETS = [
    {
        "id": at,
        "user": 1 + at % 2,
        "number": f"T-{at}",
        "agent": 5 + at % 3,
        "at": 1_760_000_000 + at,
    }
    for at in range(9)
]
AGENTS = [{"id": 5, "name": "Ida"}, {"id": 6, "name": "Udo"}]
FILES = {
    "roundview.yaml": "roundview: 1\ndeadlines: {view: 20s, probe: 10s}\n",
    "policy.yaml": 'roles: {demo: {purposes: [service], sees: {"*": all}}}\n',
    "sources/desk.yaml": """
source: desk
connector: rest
connection:
  base_url: "${env:DESK_URL}/v1"
  private: true
  auth: {oauth2: {token_url: "${env:DESK_URL}/token", client_id: roundview, client_secret: "${env:SECRET}"}}
limits: {timeout: 10s}
tables:
  people:
    get:
      - /people
      - {post: /people/search, body: {ids: ["{id}"]}, max: 50}
      - {post: /people/search, body: {email: "{email}"}}
    key: id
    columns: {id: bigint, name: text, email: text, company: bigint}
  tickets:
    get: "/people/{user}/tickets"
    key: id
    page: {by: link, size: {send: size, max: 2}}
    columns: {id: bigint, user: bigint, number: text, agent: bigint, at: {type: timestamptz, format: epoch_s}}
  agents: {get: /agents, hold: 1h, key: id, columns: {id: bigint, name: text}}
facts:
  people.email: {normal_form: lower}
entities:
  individual:
    from: people p
    fields: {full_name: p.name}
    also: {contact_point_email: {fields: {email_address: p.email}}}
  support_case:
    from: tickets t LEFT JOIN agents a ON a.id = t.agent
    person: t.user
    fields: {case_number: t.number, opened_at: t.at, assignee: a.name}
""",
}


def desk(request: Request) -> Response:
    path = request.url.path
    if path.endswith("/token"):
        return JSONResponse({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
    if request.headers.get("authorization") != "Bearer t":
        return JSONResponse({}, 401)
    if path.endswith("/search"):
        asked = posted(request)
        found = [
            p for p in PEOPLE if p["id"] in asked.get("ids", []) or p["email"] == asked.get("email")
        ]
        return JSONResponse(found)
    if path.endswith("/agents"):
        return JSONResponse(AGENTS)
    if path.endswith("/people"):
        return JSONResponse(PEOPLE)
    own = [ticket for ticket in TICKETS if ticket["user"] == int(path.split("/")[-2])]
    at = int(request.query_params.get("at", 0))
    more = {"link": f"<?at={at + 2}&size=2>; rel=next"} if at + 2 < len(own) else {}
    return JSONResponse(own[at : at + 2], headers=more)


@pytest.fixture
def running(apis: Apis) -> tuple[Api, dict[str, str]]:
    """Returns the running API and the environment that leads to it."""
    api, _ = apis.run(desk)
    return api, {"DESK_URL": f"http://127.0.0.1:{apis.port}/{api.name}", "SECRET": "s3cret"}


@pytest.mark.row("C9")
async def test_a_view_over_every_way_to_ask(
    running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, env = running
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    async with connect_async(tmp_path, env=env) as connection:
        await connection.refresh_identity()
        api.requests.clear()
        for person in PEOPLE:
            view = await connection.customer(email=person["email"])
            assert view is not None
            assert view.complete
            assert [r["full_name"] for r in view["individual"].rows] == [person["name"]]
            agents: dict[Any, str] = {agent["id"]: agent["name"] for agent in AGENTS}
            assert {r["case_number"]: r["assignee"] for r in view["support_case"].rows} == {
                t["number"]: agents.get(t["agent"]) for t in TICKETS if t["user"] == person["id"]
            }
        assert api.targets.count("/v1/agents") == 1
        assert all(body == {"ids": [body["ids"][0]]} for body in api.bodies)
        monkeypatch.setitem(globals(), "PEOPLE", [*PEOPLE, NEWCOMER])
        view = await connection.customer(email="Eva@mail.example")
        assert view is not None
        assert view.link_state == "provisional"
        assert {"email": "eva@mail.example"} in api.bodies
