"""Policy holds at the leaf: what is hidden or masked shows nowhere, whatever is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlglot import exp, parse_one
from tests.federation.conftest import World

from roundview_catalog.errors import AccessError, RequestError
from roundview_federation.plan import (
    ROW_HEAD,
    Identifier,
    Lookup,
    Page,
    Question,
    Section,
    selecting,
)
from roundview_federation.request import Principal, Request
from roundview_federation.result import Result

AGENT = Principal("agent", ("agent",), purposes=("service",), default_purpose="service")
SHOP = Principal("shop", ("shop",), purposes=("service",), default_purpose="service")
NOBODY = Principal("nobody", ("unknown",), purposes=("service",), default_purpose="service")
WHO = [Identifier("phone", "+491713920042")]


async def ask(
    world: World, principal: Principal, sections: tuple[Section, ...], **params: object
) -> Result:
    """Runs a question of one lookup named c."""
    shape = f"test:{[(s.name, s.tree.sql()) for s in sections]}"
    question = Question(shape, (Lookup("c"),), sections)
    return await world.connection.federation.run(question, {"c": WHO, **params}, Request(principal))


def values(result: Result, name: str) -> list[tuple[object, ...]]:
    """Returns the rows of a section without their head."""
    return [row[len(ROW_HEAD) :] for row in result.outputs[name].groups[0].rows]


async def test_a_mask_holds_in_records_in_the_customer_and_under_predicates(
    world: World,
) -> None:
    columns = ("birth_date",)
    records = Section("i", "individual", selecting("individual", columns), "c")
    customer = Section(
        "customer", "customer", selecting("customer", columns), "c", provenance=columns
    )
    masked = await ask(world, AGENT, (records, customer))
    (plain,) = (
        row
        for row in values(await ask(world, world.connection.federation.principal, (records,)), "i")
        if row[0]
    )
    shown = [row[0] for row in values(masked, "i") if row[0]]
    assert [str(value)[:10] for value in shown] == [f"{plain[0].year}-01-01"]  # type: ignore[attr-defined]
    assert str(values(masked, "customer")[0][0])[:10] == f"{plain[0].year}-01-01"  # type: ignore[attr-defined]
    where = exp.EQ(this=exp.column("birth_date"), expression=exp.Placeholder(this="born"))
    filtered = Section(
        "f", "individual", selecting("individual", ("given_name",)).where(where), "c"
    )
    assert (await ask(world, AGENT, (filtered,), born=plain[0])).outputs["f"].groups == {}


@pytest.mark.parametrize(
    ("principal", "entity", "column"),
    [(SHOP, "consent", "status"), (SHOP, "individual", "birth_date"), (AGENT, "nothing", "x"),
     (AGENT, "individual", "shoe_size"), (NOBODY, "individual", "given_name")],
)  # fmt: skip
async def test_hidden_and_absent_are_the_same(
    world: World, principal: Principal, entity: str, column: str
) -> None:
    with pytest.raises(RequestError) as caught:
        await ask(world, principal, (Section("s", entity, selecting(entity, (column,)), "c"),))
    assert caught.value.code == "RV102"


async def test_what_is_read_for_ourselves_never_leaves(world: World) -> None:
    section = Section("i", "individual", selecting("individual", ("given_name",)), "c")
    assert set((await ask(world, AGENT, (section,))).outputs) == {"i"}


async def test_a_purpose_is_needed_and_must_be_ours(world: World) -> None:
    section = Section("i", "individual", selecting("individual", ("given_name",)), "c")
    question = Question("p", (Lookup("c"),), (section,))
    request = Request(AGENT, purpose="curiosity")
    with pytest.raises(AccessError) as caught:
        await world.connection.federation.run(question, {"c": WHO}, request)
    assert caught.value.code == "RV301"


async def test_pages_follow_each_other_and_cursors_fit_one_list(world: World) -> None:
    tree = selecting("sales_order", ("order_number", "ordered_at"))
    tree = tree.order_by(exp.Ordered(this=exp.column("ordered_at"), desc=True))
    section = Section("o", "sales_order", tree, "c", page=Page("first", "after"))
    demo = world.connection.federation.principal
    everything = values(await ask(world, demo, (section,), first=100, after=None), "o")
    seen, after = [], None
    for _ in everything:
        result = await ask(world, demo, (section,), first=1, after=after)
        group = result.outputs["o"].groups[0]
        seen += values(result, "o")
        after = group.end_cursor
        assert group.has_next == (len(seen) < len(everything))
    assert seen == everything
    assert [row[1] for row in seen] == sorted((row[1] for row in seen), reverse=True)
    other = Section(
        "o",
        "sales_order",
        parse_one("SELECT order_number FROM sales_order"),
        "c",
        page=Page("first", "after"),
    )
    for wrong, cursor in ((other, after), (section, "AAAA"), (section, "x" * 9000)):
        with pytest.raises(RequestError) as caught:
            await ask(world, demo, (wrong,), first=1, after=cursor)
        assert caught.value.code == "RV104"


async def test_filters_are_applied_to_canonical_values(world: World) -> None:
    where = exp.EQ(this=exp.column("status"), expression=exp.Placeholder(this="status"))
    section = Section("o", "sales_order", selecting("sales_order", ("status",)).where(where), "c")
    demo = world.connection.federation.principal
    everything = Section("o", "sales_order", selecting("sales_order", ("status",)), "c")
    all_rows = values(await ask(world, demo, (everything,)), "o")
    returned = await ask(world, demo, (section,), status="returned")
    expected = [row for row in all_rows if row == ("returned",)]
    assert (values(returned, "o") if returned.outputs["o"].groups else []) == expected


async def test_fragments_do_not_grow_with_rows(world: World) -> None:
    demo = world.connection.federation.principal
    sections = tuple(
        Section(name, name, selecting(name, ("source_key",)), "c")
        for name in (
            "individual",
            "contact_point_email",
            "contact_point_phone",
            "loyalty_membership",
        )
    )
    calls = {status.name: status.calls for status in (await ask(world, demo, sections)).sources}
    # People, addresses and cards of one system come from the same rows: one statement each.
    assert calls["crm"] == calls["pos"] == 1


async def test_what_follows_from_a_masked_field_follows_from_its_mask(world: World) -> None:
    mail = "contact_point_email"
    federation = world.connection.federation
    decision = federation.decide(federation.principal)
    masked = replace(
        decision,
        policy_shape="masked addresses",
        masks={(mail, "email_address"): parse_one("'hidden@mail.example'")},
    )
    tree = selecting(mail, ("email_normalized", "domain"))
    question = Question("m", (Lookup("c"),), (Section("e", mail, tree, "c"),))
    federation.current._decisions[(("masked",), "service", False, None)] = masked
    request = Request(replace(federation.principal, roles=("masked",)))
    result = await federation.run(question, {"c": WHO}, request)
    assert set(values(result, "e")) == {("hidden@mail.example", "mail.example")}


@pytest.mark.row("B7")
@pytest.mark.parametrize(
    ("role", "purpose", "sees", "does_not"),
    [
        ("sales", "service", {"sales_order", "contact_point_phone"}, {"support_case", "note"}),
        ("marketer", "marketing", {"contact_point_email", "consent"}, {"contact_point_phone"}),
        ("analyst", "analytics", {"sales_order", "support_case"}, {"note", "payment"}),
        ("privacy_officer", "service", {"note", "payment", "consent"}, set()),
        ("operator", "service", set(), {"individual", "sales_order"}),
    ],
)
def test_roles_of_the_demo(
    world: World, role: str, purpose: str, sees: set[str], does_not: set[str]
) -> None:
    federation = world.connection.federation
    purposes = ("service", "marketing", "fraud", "analytics")
    who = Principal(role, (role,), {}, purposes, purpose)
    decision = federation.decide(who)
    assert sees <= decision.fields.keys()
    assert not does_not & decision.fields.keys()
    assert (decision.consent is not None) == (purpose == "marketing")
    if role == "analyst":
        assert not {"given_name", "family_name", "full_name"} & decision.fields["individual"]
        assert ("individual", "birth_date") in decision.masks
    for other in set(purposes) - {purpose}:
        assert federation.decide(who, other).fields == {}
