"""Proves stage one: which records identifiers link, and what is kept apart."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.identity.worlds import RULES, SOURCES, record

from roundview_identity.records import Record, RecordId
from roundview_identity.refresh import refresh
from roundview_identity.store import CANNOT_LINK, MUST_LINK, Xref

SHARED_PHONE = "+49301234567"


def partition(xref: Xref, records: list[Record]) -> set[frozenset[str]]:
    """Returns the customers as sets of `source/key`."""
    refresh(xref, records, RULES, sources=SOURCES)
    return customers(xref, records)


def customers(xref: Xref, records: list[Record]) -> set[frozenset[str]]:
    owners = xref.owners(one.id for one in records)
    groups: dict[str, set[str]] = {}
    for one, owner in owners.items():
        groups.setdefault(owner, set()).add("/".join(one))
    return {frozenset(group) for group in groups.values()}


def sets(*groups: str) -> set[frozenset[str]]:
    return {frozenset(group.split()) for group in groups}


@pytest.mark.row("C16")
@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param(
            [
                record("crm/1", "Ann", phone=SHARED_PHONE),
                record("pos/1", "Annie", phone=SHARED_PHONE),
                record("crm/2", "Karl", phone=SHARED_PHONE),
                record("mail/2", "Karl", phone=SHARED_PHONE),
            ],
            sets("crm/1 pos/1", "crm/2 mail/2"),
            id="a household is several people, each found once",
        ),
        pytest.param(
            [
                record("crm/1", "Ann", phone=SHARED_PHONE),
                record("crm/2", "Karl", phone=SHARED_PHONE),
                record("support/1", phone=SHARED_PHONE),
            ],
            sets("crm/1", "crm/2", "support/1"),
            id="a nameless record of a household belongs to nobody",
        ),
        pytest.param(
            [record("crm/1", "Ann", phone=SHARED_PHONE), record("support/1", phone=SHARED_PHONE)],
            sets("crm/1 support/1"),
            id="a nameless record joins through an identifier of one person",
        ),
        pytest.param(
            [
                record("crm/1", "John", born="1950-03-04", phone=SHARED_PHONE),
                record("pos/1", "John", born="1981-11-20", phone=SHARED_PHONE),
                record("support/1", "John", phone=SHARED_PHONE),
            ],
            sets("crm/1", "pos/1", "support/1"),
            id="senior and junior, and a John that may be either",
        ),
        pytest.param(
            [
                record("crm/1", "Ann", born="1950-03-04", phone=SHARED_PHONE),
                record("pos/1", "Ann", born="1991-12-24", phone=SHARED_PHONE),
            ],
            sets("crm/1", "pos/1"),
            id="a recycled number joins no two people",
        ),
        pytest.param(
            [
                record("crm/1", "John", phone=SHARED_PHONE),
                record("crm/2", "Jane", phone=SHARED_PHONE),
                record("pos/1", "J.", phone=SHARED_PHONE),
            ],
            sets("crm/1", "crm/2", "pos/1"),
            id="an initial that may be either is neither",
        ),
        pytest.param(
            [
                record("crm/1", "John", phone=SHARED_PHONE),
                record("crm/2", "Karl", phone=SHARED_PHONE),
                record("pos/1", "J.", phone=SHARED_PHONE),
            ],
            sets("crm/1 pos/1", "crm/2"),
            id="an initial that can be one only is that one",
        ),
        pytest.param(
            [
                record("crm/1", "Alexander", email="a@x.example"),
                record("crm/2", "Alexandra", email="a@x.example"),
                record("pos/1", "Alex", email="a@x.example"),
            ],
            sets("crm/1", "crm/2", "pos/1"),
            id="a nickname of two people is neither",
        ),
        pytest.param(
            [
                record("crm/1", "Ann", landline=SHARED_PHONE),
                record("pos/1", "Ann", landline=SHARED_PHONE),
            ],
            sets("crm/1", "pos/1"),
            id="a shared kind never links alone",
        ),
        pytest.param(
            [
                record("crm/1", "Ann", loyalty_no="L17"),
                record("pos/1", loyalty_no="L17"),
                record("pos/2", "Karl", loyalty_no="L18"),
            ],
            sets("crm/1 pos/1", "pos/2"),
            id="a unique kind links a nameless record",
        ),
        pytest.param(
            [
                record("pos/1", "Ann", loyalty_no="L17", phone=SHARED_PHONE),
                record("pos/2", "Ann", loyalty_no="L18", phone=SHARED_PHONE),
            ],
            sets("pos/1", "pos/2"),
            id="two cards of one source are held apart",
        ),
        pytest.param(
            [
                record("pos/1", "Ann", born="1980-03-04", loyalty_no="L17", phone=SHARED_PHONE),
                record("pos/2", "Ann", born="1980-03-04", loyalty_no="L18", phone=SHARED_PHONE),
            ],
            sets("pos/1 pos/2"),
            id="two cards of one person who proves it by birth date",
        ),
        pytest.param(
            [
                record("crm/1", "Ann", email="ann@x.example"),
                record("crm/2", "Karl", phone=SHARED_PHONE),
                record("support/1", email="ann@x.example", phone=SHARED_PHONE),
            ],
            sets("crm/1", "crm/2", "support/1"),
            id="a nameless record is no bridge between two people",
        ),
        pytest.param(
            [
                record("crm/1", "Ann", email="noemail@x.example"),
                record("crm/2", "Ann", email="noemail@x.example"),
                record("pos/1", "Ann", phone="+490000000000"),
                record("pos/2", "Ann", phone="+490000000000"),
                record("mail/1", "Ann", email="shared@x.example"),
                record("mail/2", "Ann", email="shared@x.example"),
            ],
            sets("crm/1", "crm/2", "pos/1", "pos/2", "mail/1", "mail/2"),
            id="placeholders and blocked patterns link nobody",
        ),
        pytest.param(
            [record(f"crm/{at}", "Ann", phone=SHARED_PHONE) for at in range(9)],
            sets(*(f"crm/{at}" for at in range(9))),
            id="an identifier on too many records links nobody",
        ),
    ],
)
def test_who_is_linked(xref: Xref, records: list[Record], expected: set[frozenset[str]]) -> None:
    for order in (records, records[::-1]):
        assert partition(xref, order) == expected


@pytest.mark.row("B1")
def test_a_household_number_leads_to_all_its_people_and_a_blocked_one_to_nobody(
    xref: Xref,
) -> None:
    family = [record(f"crm/{n}", n, phone=SHARED_PHONE) for n in ("Ann", "Karl", "Otto")]
    hub = [record(f"pos/{at}", "Ann", phone="+4930999") for at in range(9)]
    summary = refresh(xref, family + hub, RULES, sources=SOURCES)
    assert len(xref.lookup("phone", SHARED_PHONE)) == 3
    assert xref.state_of("phone", SHARED_PHONE) == "shared"
    assert xref.lookup("phone", "+4930999") == ()
    assert xref.state_of("phone", "+4930999") == "blocked"
    assert (summary.shared, summary.blocked) == (1, 1)


def test_decisions_of_people_hold_above_the_rules(xref: Xref) -> None:
    records = [
        record("crm/1", "Ann", email="a@x.example"),
        record("pos/1", "Ann", email="a@x.example"),
        record("crm/2", "Karl"),
        record("mail/1", "Otto"),
    ]
    assert partition(xref, records) == sets("crm/1 pos/1", "crm/2", "mail/1")
    a, b, karl, otto = (one.id for one in records)
    xref.decide(CANNOT_LINK, a, b, actor="eve", reason="two people of one name")
    xref.decide(MUST_LINK, karl, otto, actor="eve", reason="he told us his stage name")
    assert partition(xref, records) == sets("crm/1", "pos/1", "crm/2 mail/1")
    # Not even over a third record.
    records.append(record("support/1", "Ann", email="a@x.example"))
    found = partition(xref, records)
    assert not any({"crm/1", "pos/1"} <= group for group in found)
    assert {"support/1"} not in found
    assert xref.is_chain_whole()


# -- a naive matcher over plain values --------------------------------------------------------

_ALIKE = [{"Ann", "Annie", "A."}, {"John", "Jon", "J."}, {"Jane", "J."}, {"Karl"}]
_NAMES = ("", "", "Ann", "Annie", "A.", "John", "Jon", "Jane", "J.", "Karl")
_VALUES = {"email": "mail@x.example", "phone": "+4930123456", "landline": "+4930654321"}
_DATES = ("", "", "1950-03-04", "1981-11-20")


def _agree(a: str, b: str) -> bool:
    return a == b or any({a, b} <= group for group in _ALIKE)


def _conflict(a: Record, b: Record) -> bool:
    if a.birth_date and b.birth_date and a.birth_date != b.birth_date:
        return True
    return bool(a.given_name and b.given_name) and not _agree(a.given_name, b.given_name)


def naive(records: list[Record]) -> set[frozenset[RecordId]]:
    """Links by the rules as a person would apply them: over all pairs, again and again."""
    by_value: dict[tuple[str, str], list[Record]] = {}
    for one in records:
        for identifier in set(one.identifiers):
            by_value.setdefault(identifier, []).append(one)
    named: list[set[RecordId]] = [{one.id} for one in records if one.given_name]
    weak: list[tuple[Record, Record]] = []
    for (kind, _), group in by_value.items():
        if kind == "landline" or len(group) > 8:
            continue
        foes = {a.id: {b.id for b in group if _conflict(a, b)} for a in group}
        for a, b in itertools.combinations(group, 2):
            if b.id in foes[a.id] or foes[a.id] != foes[b.id]:
                continue
            if a.given_name and b.given_name:
                _merge(named, a.id, b.id)
            elif not any(foes.values()):
                weak.append((a, b))
    islands: list[set[RecordId]] = [{one.id} for one in records if not one.given_name]
    for a, b in weak:
        if not a.given_name and not b.given_name:
            _merge(islands, a.id, b.id)
    result = list(named)
    for island in islands:
        near = {
            other.id
            for pair in weak
            for one, other in (pair, pair[::-1])
            if one.id in island and other.given_name
        }
        places = [group for group in named if group & near]
        if len(places) == 1:
            places[0].update(island)
        elif places:
            result += [{one} for one in island]
        else:
            result.append(island)
    return {frozenset(group) for group in result}


def _merge(groups: list[set[RecordId]], a: RecordId, b: RecordId) -> None:
    left = next(group for group in groups if a in group)
    right = next(group for group in groups if b in group)
    if left is not right:
        groups.remove(right)
        left |= right


@st.composite
def small_worlds(draw: st.DrawFn) -> list[Record]:
    """Draws up to twelve records that share few emails and phones."""
    records = []
    for at in range(draw(st.integers(2, 12))):
        kinds = draw(st.lists(st.sampled_from(("email", "phone", "landline")), max_size=3))
        identifiers = tuple((kind, f"{_VALUES[kind]}{draw(st.integers(1, 3))}") for kind in kinds)
        source = draw(st.sampled_from(SOURCES))
        given_name, born = draw(st.sampled_from(_NAMES)), draw(st.sampled_from(_DATES))
        records.append(Record(source, str(at), identifiers, given_name, "", born))
    return records


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(records=small_worlds(), data=st.data())
def test_links_equal_those_of_a_naive_matcher(
    xref: Xref, records: list[Record], data: st.DataObject
) -> None:
    # One store for all examples: each world replaces the one before.
    refresh(xref, data.draw(st.permutations(records)), RULES, sources=SOURCES)
    owners = xref.owners(one.id for one in records)
    groups: dict[str, set[RecordId]] = {}
    for one, owner in owners.items():
        groups.setdefault(owner, set()).add(one)
    assert {frozenset(group) for group in groups.values()} == naive(records)
