"""A masked field is revealed for a reason, the glass is broken with an alarm, both on record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.federation.conftest import World
from tests.federation.ruled import RuledEstate, principal

from roundview_catalog.errors import AccessError, RequestError
from roundview_federation.access.exceptions import check_emergency
from roundview_federation.access.policy import decide
from roundview_federation.plan import Identifier, Lookup, Question, Section, selecting
from roundview_federation.request import Principal, Request
from roundview_federation.reveal import SHOWN_FOR, Revealed, place_of, reveal

AGENT = Principal("agent", ("agent",), purposes=("service",), default_purpose="service")
WHY = Request(AGENT, reason="the caller asks for a new card", timeout_seconds=20)
BIRTH = ("individual", "birth_date")


def _values(revealed: Revealed | None) -> list[object]:
    assert revealed is not None
    return [one.value for one in revealed.values]


@pytest.mark.row("A17")
async def test_one_field_is_revealed_and_nothing_else(world: World) -> None:
    federation = world.connection.federation
    caller = Identifier("phone", world.heroine["phone"][0])
    before = federation.clock()
    revealed = await reveal(federation, caller, BIRTH, WHY)
    shown = {str(value) for value in _values(revealed) if value is not None}
    assert revealed is not None
    assert before + SHOWN_FOR <= revealed.expires_at <= federation.clock() + SHOWN_FOR
    plain = await reveal(federation, caller, BIRTH, replace(WHY, principal=federation.principal))
    assert shown == {str(value) for value in _values(plain) if value is not None}
    section = Section("i", "individual", selecting("individual", ("birth_date",)), "c")
    question = Question("after a reveal", (Lookup("c"),), (section,))
    result = await federation.run(question, {"c": [caller]}, Request(AGENT))
    masked = {str(row[-1]) for row in result.outputs["i"].groups[0].rows if row[-1] is not None}
    assert {one[:4] for one in masked} == {one[:4] for one in shown}
    assert all(one.endswith("-01-01") for one in masked)
    assert not shown & masked


@pytest.mark.parametrize("reason", ["", "   ", "x", " so \t "])
async def test_without_a_reason_nothing_is_revealed(world: World, reason: str) -> None:
    federation = world.connection.federation
    caller = Identifier("phone", world.heroine["phone"][0])
    with pytest.raises(AccessError) as caught:
        await reveal(federation, caller, BIRTH, replace(WHY, reason=reason))
    assert caught.value.code == "RV304"


async def test_what_a_role_does_not_read_it_cannot_reveal(world: World, ruled: RuledEstate) -> None:
    caller = Identifier("phone", world.heroine["phone"][0])
    careful = replace(WHY, principal=principal(("careful",)))
    for place in (("individual", "gender"), ("individual", "shoe_size"), ("nothing", "x")):
        with pytest.raises(RequestError) as caught:
            await reveal(ruled.federation, caller, place, careful)
        assert caught.value.code == "RV102"
    with pytest.raises(AccessError) as refused:
        await reveal(ruled.federation, caller, BIRTH, careful)
    assert refused.value.code == "RV300"


async def test_sql_reveals_nothing(world: World) -> None:
    federation = world.connection.federation
    text = "SELECT birth_date FROM individual WHERE birth_date IS NOT NULL"
    with pytest.raises(AccessError) as caught:
        await federation.sql(text, replace(WHY, reveals=BIRTH))
    assert caught.value.code == "RV300"


async def test_nobody_is_revealed_of_nobody(world: World) -> None:
    stranger = Identifier("email", "nobody@nowhere.example")
    assert await reveal(world.connection.federation, stranger, BIRTH, WHY) is None


@pytest.mark.parametrize("name", ["", "birth_date", "a.b.c", "individual.", ".x", "a b.c", "é.x"])
def test_what_is_no_field_is_refused(name: str) -> None:
    with pytest.raises(RequestError) as caught:
        place_of(name)
    assert caught.value.code == "RV102"
    assert name not in caught.value.message or not name


def test_glass_is_broken_by_roles_for_it_with_a_reason(world: World) -> None:
    catalog = world.connection.federation.catalog
    fireman = replace(AGENT, roles=("agent", "fireman"))
    role = replace(catalog.policy.roles["demo"], name="fireman", is_break_glass=True)
    policy = replace(catalog.policy, roles={**catalog.policy.roles, "fireman": role})
    assert not decide(replace(catalog, policy=policy), fireman, is_emergency=True).masks
    assert decide(replace(catalog, policy=policy), fireman).masks
    request = Request(fireman, is_emergency=True, reason="the shop is on fire")
    check_emergency(request, policy)
    for wrong, code in (
        (replace(request, reason=" "), "RV304"),
        (replace(request, principal=AGENT), "RV300"),
    ):
        with pytest.raises(AccessError) as caught:
            check_emergency(wrong, policy)
        assert caught.value.code == code
