"""Proves that rows behind other rows are found in later rounds, and that gaps are labelled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlglot import exp
from tests.federation.conftest import World
from tests.federation.threads_app import Desk, federated, filled

from roundview_catalog.errors import CatalogError
from roundview_federation.federation import Federation
from roundview_federation.plan import Identifier, Lookup, Plan, Question, Section, selecting
from roundview_federation.request import Request
from roundview_federation.result import Result

ENTITIES = ("support_case", "conversation", "message")


async def ask(
    federation: Federation, users: Sequence[int], entities: Sequence[str] = ENTITIES
) -> Result:
    """Returns the asked entities of some users, known by their addresses."""
    sections = tuple(Section(e, e, selecting(e, ("source_key",)), "c") for e in entities)
    question = Question(f"rounds:{entities}", (Lookup("c"),), sections)
    who = [Identifier("email", f"p{user}@x.example") for user in users]
    return await federation.run(question, {"c": who}, Request(federation.principal))


def keys(result: Result, entity: str, index: int = 0) -> set[str]:
    """Returns the source keys of one customer's rows."""
    groups = result.outputs[entity].groups
    return {row[1] for row in groups[index].rows} if index in groups else set()


def plan_of(federation: Federation, *entities: str) -> Plan:
    """Returns the plan that was made for these entities."""
    (plan,) = (p for p in federation.current.planner.plans() if p.outputs == entities)
    return plan


@pytest.mark.parametrize("seed", range(6))
async def test_everything_below_everything_is_found_and_nothing_else(
    tmp_path: Path, seed: int
) -> None:
    desk = filled(seed, users=12)
    async with federated(desk, tmp_path) as federation:
        result = await ask(federation, range(1, 13))
        for index, user in enumerate(range(1, 13)):
            assert {e: keys(result, e, index) for e in ENTITIES} == desk.expected(user), seed
        assert result.complete


async def test_each_round_is_as_small_as_it_can_be(tmp_path: Path) -> None:
    desk = filled(3, users=8)
    async with federated(desk, tmp_path) as federation:
        desk.hits.clear()
        await ask(federation, range(1, 9))
        shown = [t["id"] for t in desk.tickets if not t["hidden"]]
        threads = [h for h in desk.threads if h["ticket_id"] in shown]
        assert desk.hit("/tickets") == 8
        # Nothing is asked below a hidden ticket, and messages come in batches of three threads.
        assert desk.hit("/threads") == len(shown)
        assert desk.hit("/remarks") == len(shown)
        assert desk.hit("/posts") == -(-len(threads) // 3)
        plan = plan_of(federation, *ENTITIES)
        rounds = {p.fragment.tree.args["from_"].this.name: p.round for p in plan.fragments}
        assert rounds["tickets"] == 1
        assert rounds["threads"] == rounds["remarks"] == 2
        assert rounds["posts"] == 3
        assert plan.notes == (
            "desk: threads is asked in round 2, with the keys that tickets gave",
            "desk: posts is asked in round 3, with the keys that threads gave",
            "desk: remarks is asked in round 2, with the keys that tickets gave",
        )


async def test_rows_above_are_read_though_nobody_asked_for_them(tmp_path: Path) -> None:
    desk = filled(1, users=5)
    async with federated(desk, tmp_path) as federation:
        result = await ask(federation, range(1, 6), ("message",))
        assert set(result.outputs) == {"message"}
        for index, user in enumerate(range(1, 6)):
            assert keys(result, "message", index) == desk.expected(user)["message"]


async def test_nobody_asks_below_nothing(tmp_path: Path) -> None:
    desk = Desk(users=[{"id": 1, "name": "Person 1", "email": "p1@x.example"}])
    async with federated(desk, tmp_path) as federation:
        result = await ask(federation, [1])
        assert desk.hit("/threads") == desk.hit("/posts") == 0
        assert result.complete
        assert result.outputs["message"].groups == {}


@pytest.mark.parametrize(
    ("broken", "missing"),
    [("/tickets", set(ENTITIES)), ("/threads", {"conversation", "message"}), ("/posts", {"message"})],
)  # fmt: skip
async def test_what_lies_below_a_failure_is_labelled(
    tmp_path: Path, broken: str, missing: set[str]
) -> None:
    desk = filled(3, users=4)
    async with federated(desk, tmp_path) as federation:
        desk.broken = broken
        result = await ask(federation, range(1, 5))
        assert {e for e in ENTITIES if result.outputs[e].missing == ("desk",)} == missing
        (status,) = result.sources
        assert (status.status, status.rv_code) == ("partial", "RV400")
        for index, user in enumerate(range(1, 5)):
            for entity in set(ENTITIES) - missing:
                assert keys(result, entity, index) == desk.expected(user)[entity]
        # Remarks lie directly below tickets: a broken thread costs them nothing.
        if broken == "/threads":
            found = {key for index in range(4) for key in keys(result, "message", index)}
            assert found == {f"remark:{r['id']}" for r in desk.remarks if _is_shown(desk, r)}


async def test_calls_of_one_question_are_bounded_and_the_rest_is_labelled(tmp_path: Path) -> None:
    desk = filled(3, users=8)
    async with federated(desk, tmp_path, calls=20) as federation:
        desk.hits.clear()
        result = await ask(federation, range(1, 9))
        assert len(desk.hits) <= 20
        (status,) = result.sources
        assert (status.status, status.is_truncated) == ("partial", True)
        assert all(rows.is_truncated for rows in result.outputs["message"].groups.values())
        for index, user in enumerate(range(1, 9)):
            assert keys(result, "support_case", index) == desk.expected(user)["support_case"]
            assert keys(result, "message", index) <= desk.expected(user)["message"]


async def test_rows_below_cut_rows_are_labelled_too(tmp_path: Path) -> None:
    desk = filled(3, users=8)
    async with federated(desk, tmp_path, rows=8) as federation:
        result = await ask(federation, range(1, 9))
        for entity in ENTITIES:
            groups = result.outputs[entity].groups
            assert groups
            assert all(rows.is_truncated for rows in groups.values()), entity


@pytest.mark.row("B4")
async def test_a_strangers_record_is_dropped_counted_and_leads_nowhere(tmp_path: Path) -> None:
    desk = filled(3, users=4)
    async with federated(desk, tmp_path) as federation:
        desk.strangers = True
        result = await ask(federation, [1])
        assert {e: keys(result, e) for e in ENTITIES} == desk.expected(1)
        (status,) = result.sources
        assert status.problems == 1


async def test_filters_hold_in_every_round(tmp_path: Path) -> None:
    desk = filled(2, users=6)
    async with federated(desk, tmp_path) as federation:
        where = exp.EQ(this=exp.column("body_excerpt"), expression=exp.Placeholder(this="body"))
        section = Section("m", "message", selecting("message", ("source_key",)).where(where), "c")
        question = Question("filtered", (Lookup("c"),), (section,))
        who = [Identifier("email", f"p{user}@x.example") for user in range(1, 7)]
        params = {"c": who, "body": "Well"}
        result = await federation.run(question, params, Request(federation.principal))
        found = {key for index in range(6) for key in keys(result, "m", index)}
        assert found == {f"remark:{r['id']}" for r in desk.remarks if _is_shown(desk, r)}


async def test_a_whole_view_nests_rows_below_what_they_lie_below(tmp_path: Path) -> None:
    """A thread and a ticket may have the same key; a message lies below one of them."""
    desk = filled(3, users=6)
    above = {f"post:{post['id']}": post["thread"] for post in desk.posts}
    above |= {f"remark:{remark['id']}": str(remark["ticket"]) for remark in desk.remarks}
    async with federated(desk, tmp_path) as federation:
        for user in range(1, 7):
            _, result = await federation.customer(
                Identifier("email", f"p{user}@x.example"), Request(federation.principal)
            )
            found = set()
            for path, kind in (("conversation.message", "post:"), ("message", "remark:")):
                for (source, parent), rows in result.outputs[f"support_case.{path}"].groups.items():
                    assert source == "desk"
                    messages = {row[1] for row in rows.rows}
                    assert {above[message] for message in messages} == {parent}
                    assert all(message.startswith(kind) for message in messages)
                    found |= messages
            assert found == desk.expected(user)["message"]


async def test_the_demo_needs_one_round(world: World) -> None:
    view = await world.connection.customer(email="leonie.vogt@mail.example")
    assert view is not None
    plans = world.connection.federation.current.planner.plans()
    assert plans
    assert {planned.round for plan in plans for planned in plan.fragments} == {1}
    assert {plan.notes for plan in plans} == {()}


async def test_a_parent_that_cannot_be_asked_by_key_is_refused(tmp_path: Path) -> None:
    desk = Desk()
    with pytest.raises(CatalogError) as caught:
        async with federated(desk, tmp_path, remark="abs(r.ticket)"):
            pass
    assert "RV231 parent support_case cannot be asked by key" in str(caught.value)


def _is_shown(desk: Desk, remark: dict[str, object]) -> bool:
    shown = {t["id"] for t in desk.tickets if not t["hidden"]}
    return remark["ticket"] in shown
