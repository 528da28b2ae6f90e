"""What is read to check identity is taken from asked rows, if those are whole and unmasked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.federation.conftest import World
from tests.federation.ruled import RuledEstate, principal

from roundview_federation.plan import Identifier
from roundview_federation.request import Request
from roundview_federation.whole import LOOKUP, whole_customer

PRINT = f"print#{LOOKUP}"
CHECK = f"check#{LOOKUP}#phone#contact_point_phone.phone_e164"
SHARED = {PRINT: "customer#individual", CHECK: "customer#contact_point_phone"}


@pytest.mark.parametrize(
    ("role", "shared"),
    [
        pytest.param("everyone", {PRINT, CHECK}, id="everything is seen"),
        pytest.param("careful", set(), id="names and phones are masked"),
        pytest.param("narrow", set(), id="some individuals are hidden and phones masked"),
        pytest.param("narrower", {CHECK}, id="some individuals are hidden"),
    ],
)
async def test_whole_unmasked_rows_are_read_once(
    world: World, ruled: RuledEstate, role: str, shared: set[str]
) -> None:
    federation, asker = ruled.federation, principal((role,))
    identifier = Identifier("phone", world.heroine["phone"][0])
    decision = federation.decide(asker)
    question, params = whole_customer(federation.catalog, decision, identifier, 20)
    question = replace(question, shape=f"own reads {role}")
    result = await federation.run(question, params, Request(asker))
    plans = federation.current.planner.plans()
    (plan,) = (one for one in plans if one.key.shape.startswith(f"{question.shape}|"))
    for name in (PRINT, CHECK):
        read = plan.hidden[name]
        assert read.section == (SHARED[name] if name in shared else name)
        rows = plan.sections[read.section].columns
        assert tuple(rows[at - 4] for at in read.at) == read.columns
    (found,) = result.found[LOOKUP]
    assert found.customer_id is not None
    assert (found.error, found.link_state) == (None, "linked")
