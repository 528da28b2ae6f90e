"""Proves that a view shows what the sources hold now, and says what it could not see."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.federation.conftest import World

from roundview.client import connect_async
from roundview_catalog.errors import RequestError
from roundview_federation.plan import ROW_HEAD, Identifier, Lookup, Question, Section, selecting
from roundview_federation.request import Request


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Opens a system's own database as that system would."""
    with closing(sqlite3.connect(path)) as database, database:
        yield database


@pytest.mark.row("B1")
@pytest.mark.parametrize(
    "phone",
    ["+49 171 392 00 42", "0171/3920042", "0049 (171) 3920042", "０１７１ ３９２００４２", "\u200f+49 171 3920042"],
    ids=["international", "national", "zeros", "full width", "right to left"],
)  # fmt: skip
async def test_any_spelling_of_a_number_finds_the_same_customer(world: World, phone: str) -> None:
    view = await world.connection.customer(phone=phone)
    known = await world.connection.customer(email="leonie.vogt@mail.example")
    assert view is not None
    assert known is not None
    assert view.customer_id == known.customer_id
    assert {row["source"] for row in view["individual"].rows} == {"crm", "pos", "mail", "support"}


@pytest.mark.parametrize(
    "by",
    [{"phone": "+49 30 9999001"}, {"email": "nobody@nowhere.example"}, {"order_number": "INV-999999"},
     {"customer_id": "not-an-id"}, {"case_number": "0"}],
    ids=lambda by: next(iter(by)),
)  # fmt: skip
async def test_unknown_is_nothing(world: World, by: dict[str, str]) -> None:
    assert await world.connection.customer(**by) is None


@pytest.mark.parametrize(
    "by",
    [{"phone": "abc"}, {"email": "no-at-sign"}, {"email": "a\x00b@c.de"},
     {"phone": "1" * 1_000_000}, {"email": "%' OR 1=1 --"}, {"shoe_size": "44"}],
    ids=["letters", "no at", "NUL", "1 MB", "wildcard", "kind"],
)  # fmt: skip
async def test_impossible_identifiers_are_refused(world: World, by: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        await world.connection.customer(**by)
    assert caught.value.code == "RV101"


async def test_a_dead_source_leaves_the_rest(own_world: World) -> None:
    own_world.support.stop()
    view = await own_world.connection.customer(phone="0171/3920042")
    assert view is not None
    assert view.fields["full_name"] == "Leonie Vogt"
    assert not view.complete
    states = {source.name: source.status for source in view.sources}
    assert states == {"crm": "ok", "pos": "ok", "mail": "ok", "support": "failed"}
    assert view["support_case"].missing == ("support",)


async def test_garbage_instead_of_a_database_is_labelled(own_world: World) -> None:
    (own_world.estate.directory / "pos.db").write_bytes(b"<html>not a database</html>" * 400)
    env = {**own_world.estate.env, "SUPPORT_URL": own_world.support.url}
    env["SUPPORT_TOKEN"] = own_world.support.token
    async with connect_async(own_world.estate.catalog, env=env) as connection:
        view = await connection.customer(phone="0171/3920042")
    assert view is not None
    assert view.fields["full_name"] == "Leonie Vogt"
    assert {s.name for s in view.sources if s.status == "failed"} == {"pos"}


async def test_a_change_in_a_source_shows_at_once(own_world: World) -> None:
    with writing(own_world.estate.directory / "crm.db") as crm:
        crm.execute("UPDATE contacts SET born_on = '1990-01-02' WHERE first_name = 'Leonie'")
    view = await own_world.connection.customer(phone="0171/3920042")
    assert view is not None
    assert str(view.fields["birth_date"]) == "1990-01-02"


async def test_a_recycled_record_is_shown_as_mismatched(own_world: World) -> None:
    with writing(own_world.estate.directory / "crm.db") as crm:
        crm.execute(
            "UPDATE contacts SET first_name = 'Ottokar', last_name = 'X', born_on = '1950-01-01'"
            " WHERE first_name = 'Leonie' AND last_name = 'Vogt'"
        )
    view = await own_world.connection.customer(loyalty_no="RC10004711")
    assert view is not None
    assert view.link_state == "mismatched"
    federation = own_world.connection.federation
    tree = selecting("sales_order", ("link_state",))
    people = selecting("individual", ("given_name",))
    sections = (Section("o", "sales_order", tree, "c"), Section("i", "individual", people, "c"))
    question = Question("states", (Lookup("c"),), sections)
    who = {"c": [Identifier("loyalty_no", "RC10004711")]}
    result = await federation.run(question, who, Request(federation.principal))
    rows = result.outputs["o"].groups[0].rows
    assert {row[len(ROW_HEAD)] for row in rows} == {"mismatched"}


async def test_a_value_that_left_the_source_no_longer_finds(own_world: World) -> None:
    with writing(own_world.estate.directory / "pos.db") as pos:
        pos.execute(
            "UPDATE ospos_customers SET account_number = 'RC777'"
            " WHERE account_number = 'RC10004711'"
        )
    assert await own_world.connection.customer(loyalty_no="RC10004711") is None
    # What was read before the value was found gone does not leave either.
    section = Section("i", "individual", selecting("individual", ("given_name",)), "c")
    federation = own_world.connection.federation
    result = await federation.run(
        Question("gone", (Lookup("c"),), (section,)),
        {"c": [Identifier("loyalty_no", "RC10004711")]},
        Request(federation.principal),
    )
    assert result.found["c"][0].customer_id is None
    assert result.outputs["i"].groups == {}


@pytest.mark.row("A16")
async def test_no_value_of_a_source_lies_in_our_files(world: World) -> None:
    folder = world.estate.directory
    kept = [path for path in (folder / ".roundview").rglob("*") if path.is_file()]
    assert folder / ".roundview/audit/00000001.log" in kept
    stored = b"".join(path.read_bytes() for path in kept)
    with closing(sqlite3.connect(folder / "crm.db")) as crm:
        rows = crm.execute("SELECT email, phone, mobile, alt_email, last_name FROM contacts")
        planted = {value for row in rows for value in row if value and len(value) > 6}
    assert len(planted) > 100
    assert [value for value in planted if value.encode() in stored] == []


async def test_a_bad_catalog_never_replaces_a_good_one(own_world: World) -> None:
    federation = own_world.connection.federation
    file = own_world.estate.catalog / "sources/crm.yaml"
    good = file.read_text(encoding="utf-8")
    wrong = "entities: {individual: {main: {fields: {given_name: c.frist_name}}}}\n"
    file.write_text(good + wrong, encoding="utf-8")
    assert not await federation.reload()
    assert "RV214 unknown column c.frist_name in contacts" in str(federation.reload_problem)
    assert await own_world.connection.customer(phone="0171/3920042") is not None
    file.write_text(good.replace("title: ", "title: My "), encoding="utf-8")
    assert await federation.reload()
    assert federation.reload_problem is None
    assert await own_world.connection.customer(phone="0171/3920042") is not None
