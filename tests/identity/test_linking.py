"""Guards: what is shared by too many, or by people who conflict, never merges anybody."""

from __future__ import annotations

import random

import pytest

from roundview_catalog.canonical_schema import canonical_schema
from roundview_catalog.names import same_given
from roundview_catalog.normalizers import candidates, is_placeholder, normalize
from roundview_identity.ids import uuid7
from roundview_identity.linking import State, judge, link
from roundview_identity.records import Record
from roundview_identity.refresh import carry_over
from roundview_identity.rules import Rules

RULES = Rules(canonical_schema().identifiers)


def person(key: int, given: str = "", born: str = "", **identifiers: str) -> Record:
    """Returns one record of one source."""
    return Record("crm", str(key), tuple(identifiers.items()), given, "Doe", born)


@pytest.mark.parametrize(
    ("records", "clusters"),
    [
        ([person(1, "Ann", email="a@b.de"), person(2, "Ann", email="a@b.de")], 1),
        ([person(1, "Robert", email="a@b.de"), person(2, "Bob", email="a@b.de")], 1),
        ([person(1, "R.", email="a@b.de"), person(2, "Robert", email="a@b.de")], 1),
        ([person(1, "Ann", email="a@b.de"), person(2, "Peter", email="a@b.de")], 2),
        ([person(1, "Ann", "1990-01-02", phone="+4930123"), person(2, "Ann", "1961-05-06", phone="+4930123")], 2),
        ([person(1, "Ann", "1990-01-02", phone="+4930123"), person(2, "Ann", "1990-02-01", phone="+4930123")], 1),
        ([person(1, "Ann", email="noemail@x.de"), person(2, "Ann", email="noemail@x.de")], 2),
        ([person(1, "Ann", loyalty_no="L1"), person(2, "", loyalty_no="L1")], 1),
        ([person(k, "Ann", email="a@b.de") for k in range(31)], 31),
    ],
    ids=["same", "nickname", "initial", "household", "jr and sr", "swapped day", "placeholder",
         "nameless", "shared by too many"],
)  # fmt: skip
def test_guards(records: list[Record], clusters: int) -> None:
    assert len(link(records, RULES).clusters) == clusters


def test_a_conflict_marks_the_identifier_shared() -> None:
    group = [person(1, "Ann", phone="+4930123"), person(2, "Peter", phone="+4930123")]
    assert judge(("phone", "+4930123"), group, RULES) is State.SHARED


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_the_input_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    names = ["Ann", "Anna", "Peter", "Pete", "", "Zoë"]
    records = [
        person(
            k,
            chance.choice(names),
            email=f"e{chance.randrange(8)}@x.de",
            phone=f"+49301{chance.randrange(8)}",
        )
        for k in range(25)
    ]
    shuffled = chance.sample(records, len(records))
    assert link(records, RULES).clusters == link(shuffled, RULES).clusters


def test_decisions_of_people_hold() -> None:
    a, b = person(1, "Ann", email="a@b.de"), person(2, "Ann", email="a@b.de")
    assert len(link([a, b], RULES, cannot=[(a.id, b.id)]).clusters) == 2
    c = person(3, "Ann")
    assert len(link([a, c], RULES, must=[(a.id, c.id)]).clusters) == 1


def test_ids_carry_over_and_end_as_aliases() -> None:
    fresh = iter(["id-9"])
    a, b, c, d = (("crm", str(k)) for k in range(4))
    before = {a: "id-1", b: "id-2", c: "id-2"}
    owners, aliases, born = carry_over([(a, b, c), (d,)], before, lambda: next(fresh))
    assert owners == {a: "id-1", b: "id-1", c: "id-1", d: "id-9"}
    assert (aliases, born) == ({"id-2": "id-1"}, 1)


def test_a_split_keeps_the_id_where_most_records_are() -> None:
    fresh = iter(["id-9"])
    a, b, c = (("crm", str(k)) for k in range(3))
    before = dict.fromkeys((a, b, c), "id-1")
    owners, _, _ = carry_over([(a,), (b, c)], before, lambda: next(fresh))
    assert owners == {a: "id-9", b: "id-1", c: "id-1"}


def test_ids_are_uuids_of_version_7_in_order_of_birth() -> None:
    ids = [uuid7(lambda at=at: at, lambda n: b"\xff" * n) for at in (1, 2, 1_700_000_000_000)]
    assert [one.version for one in ids] == [7, 7, 7]
    assert sorted(ids) == ids


@pytest.mark.parametrize(
    "text",
    ["+49 30 1234567", "0049301234567", "(030) 1234567", "030/123 45 67", "030-1234567", "+49(0)30/1234567",
     "+49 (0) 30 1234567", "０３０１２３４５６７", "\u200e030 1234567", "030.123.4567", "tel:+49301234567"],
)  # fmt: skip
def test_phones_have_one_form(text: str) -> None:
    assert candidates("phone", text, ["DE"]) == ("+49301234567",)


def test_emails_codes_and_placeholders() -> None:
    assert normalize("email", " Jo.Doe+x@GoogleMail.com ") == "jodoe@gmail.com"
    assert normalize("email", "jo.doe+x@mail.example") == "jo.doe@mail.example"
    assert normalize("code", "ab 12-3") == "AB123"
    assert is_placeholder("email", "noemail@shop.de")
    assert is_placeholder("code", "000000")
    assert is_placeholder("phone", "+490000000")
    assert same_given("Katharina", "Kathrin")
    assert same_given("", "Ann") is None
