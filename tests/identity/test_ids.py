"""Proves that customer ids are born once and outlive every rebuild."""

from __future__ import annotations

import random
import stat
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from tests.identity.worlds import RULES, SOURCES, record, town

from roundview_catalog.errors import IdentityError
from roundview_identity.assignment import carry_over
from roundview_identity.ids import id_blob, id_text, uuid7
from roundview_identity.keys import Keys
from roundview_identity.refresh import refresh
from roundview_identity.store import CANNOT_LINK, Xref

RECORDS = [one for one, _ in town(7, 120)]


def test_uuid7_is_the_one_of_the_standard() -> None:
    # The example of RFC 9562, A.6.
    made = uuid7(lambda: 0x017F22E279B0, lambda n: bytes.fromhex("0cc398c4dc0c0c07398f")[:n])
    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    assert (made.version, made.variant) == (7, UUID(int=0x8 << 60).variant)
    assert id_text(made.bytes) == str(made)
    assert id_blob(str(made)) == made.bytes
    assert id_blob("nobody") is None


@pytest.mark.row("B6")
def test_nothing_changes_when_nothing_changed(xref: Xref) -> None:
    first = refresh(xref, RECORDS, RULES, sources=SOURCES)
    before = xref.owners(one.id for one in RECORDS)
    again = refresh(xref, RECORDS[::-1], RULES, sources=SOURCES)
    assert xref.owners(one.id for one in RECORDS) == before
    assert (again.new, again.merged, again.split) == (0, 0, 0)
    assert again.unchanged == again.records == len(RECORDS)
    assert again.customers == first.customers == first.new


def test_the_order_of_the_input_makes_no_difference(opened: Callable[..., Xref]) -> None:
    found = []
    for at in range(3):
        xref = opened(f"{at}.db")
        shuffled = random.Random(at).sample(RECORDS, len(RECORDS))
        refresh(xref, shuffled, RULES, sources=SOURCES)
        found.append(xref.owners(one.id for one in RECORDS))
    assert found[0] == found[1] == found[2]


def test_new_records_join_without_moving_anybody(xref: Xref) -> None:
    refresh(xref, RECORDS[: len(RECORDS) // 2], RULES, sources=SOURCES)
    before = xref.owners(one.id for one in RECORDS)
    refresh(xref, RECORDS, RULES, sources=SOURCES)
    after = xref.owners(one.id for one in RECORDS)
    kept = sum(after[one] == owner for one, owner in before.items())
    assert kept / len(before) >= 0.97
    assert all(xref.resolve_id(owner) for owner in before.values())


@pytest.mark.row("B6")
def test_a_merge_keeps_the_oldest_id_and_the_other_leads_there(xref: Xref) -> None:
    ann = record("crm/1", "Ann", email="ann@x.example")
    same = record("pos/1", "Ann", phone="+4930111222")
    bridge = record("support/1", "Ann", email="ann@x.example", phone="+4930111222")
    refresh(xref, [ann], RULES, sources=SOURCES)
    (oldest,) = xref.lookup("email", "ann@x.example")
    refresh(xref, [ann, same], RULES, sources=SOURCES)
    (younger,) = xref.lookup("phone", "+4930111222")
    summary = refresh(xref, [ann, same, bridge], RULES, sources=SOURCES)
    assert summary.merged == 1
    ids = sorted((oldest, younger))
    assert xref.lookup("phone", "+4930111222") == (ids[0],)
    assert xref.resolve_id(ids[1]) == ids[0]
    assert xref.lookup("customer_id", ids[1].upper()) == (ids[0],)
    assert xref.members(ids[1]) == xref.members(ids[0])
    assert {one for one, _ in xref.members(ids[0])} == {"crm", "pos", "support"}


def test_ids_of_two_merges_lead_to_the_last(xref: Xref) -> None:
    people = [record(f"crm/{at}", "Ann", email=f"a{at}@x.example") for at in range(3)]
    refresh(xref, people, RULES, sources=SOURCES)
    ids = [xref.owner(*one.id) for one in people]
    two = record("pos/1", "Ann", email=("a1@x.example", "a2@x.example"))
    refresh(xref, [*people, two], RULES, sources=SOURCES)
    three = record("pos/1", "Ann", email=("a0@x.example", "a1@x.example", "a2@x.example"))
    refresh(xref, [*people, three], RULES, sources=SOURCES)
    assert {xref.resolve_id(str(one)) for one in ids} == {min(map(str, ids))}
    assert xref.connection.execute(
        "SELECT count(*) FROM alias a JOIN alias b ON b.old_customer_id = a.customer_id"
    ).fetchone() == (0,)


def test_a_split_leaves_the_id_with_most_records(xref: Xref) -> None:
    records = [record(f"crm/{at}", "Ann", email="ann@x.example") for at in range(5)]
    refresh(xref, records, RULES, sources=SOURCES)
    (one,) = xref.lookup("email", "ann@x.example")
    moved = [record(f"crm/{at}", "Ann", email="other@x.example") for at in range(2)]
    summary = refresh(xref, moved + records[2:], RULES, sources=SOURCES)
    assert (summary.split, summary.new) == (1, 1)
    assert xref.lookup("email", "ann@x.example") == (one,)
    (born,) = xref.lookup("email", "other@x.example")
    assert born != one
    assert xref.resolve_id(one) == one


def test_a_split_in_halves_leaves_the_id_with_the_oldest_record(xref: Xref) -> None:
    a, b = (record(f"crm/{at}", "Ann", email="ann@x.example") for at in range(2))
    refresh(xref, [b, a], RULES, sources=SOURCES)
    owner = xref.owner(*a.id)
    xref.decide(CANNOT_LINK, a.id, b.id, actor="eve", reason="twins")
    refresh(xref, [b, a], RULES, sources=SOURCES)
    assert xref.owner(*a.id) == owner != xref.owner(*b.id)


def test_records_that_come_back_find_their_customer_again(xref: Xref) -> None:
    ann, karl = record("crm/1", "Ann", email="ann@x.example"), record("pos/1", "Karl")
    refresh(xref, [ann, karl], RULES, sources=SOURCES)
    owner = str(xref.owner(*ann.id))
    refresh(xref, [karl], RULES, sources=SOURCES)
    assert xref.lookup("email", "ann@x.example") == ()
    assert xref.owner(*ann.id) is None
    assert xref.resolve_id(owner) is None
    refresh(xref, [ann, karl], RULES, sources=SOURCES)
    assert xref.owner(*ann.id) == owner


def test_sources_that_are_not_refreshed_stay_and_take_part(xref: Xref) -> None:
    ann = record("crm/1", "Ann", email="ann@x.example", phone="+4930111222")
    refresh(xref, [ann], RULES, sources=["crm"])
    karl = record("pos/1", "Karl", phone="+4930111222")
    summary = refresh(
        xref, [record("pos/2", "Ann", email="ann@x.example"), karl], RULES, sources=["pos"]
    )
    assert summary.customers == 2
    assert xref.owner("crm", "1") == xref.owner("pos", "2")
    assert len(xref.lookup("phone", "+4930111222")) == 2
    with pytest.raises(ValueError, match="mail"):
        refresh(xref, [record("mail/1", "Ann")], RULES, sources=["pos"])
    assert xref.counts()["records"] == 3


def test_carry_over_counts_records() -> None:
    a, b = b"a" * 16, b"b" * 16
    claims = [(1, a), (1, a), (1, b), (4, b), (4, b), (7, None), (8, a)]
    made = carry_over(lambda: claims, iter([b"c" * 16, b"d" * 16]).__next__)
    assert made.owner == {1: a, 4: b, 7: b"c" * 16, 8: b"d" * 16}
    assert (made.merged, made.split, made.born) == ({}, [a, b], [b"c" * 16, b"d" * 16])
    made = carry_over(lambda: [(1, a), (1, b)], iter([]).__next__)
    assert (made.owner, made.merged) == ({1: a}, {b: a})


def test_the_root_secret(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    made = Keys.from_file(path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keys.from_file(path).derive("xref") == made.derive("xref") != made.derive("cursor")
    assert len(made.derive("xref", 64)) == 64
    with pytest.raises(IdentityError, match="fewer than 32 bytes"):
        Keys(b"short")
