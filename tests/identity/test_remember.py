"""Proves that what a live probe finds is linked as a refresh would link it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.identity.worlds import RULES, SOURCES, record, town

from roundview_catalog.errors import IdentityError
from roundview_identity.records import Record, RecordId
from roundview_identity.refresh import refresh, remember
from roundview_identity.store import Xref


def grouped(owners: dict[RecordId, str]) -> set[frozenset[RecordId]]:
    groups: dict[str, set[RecordId]] = {}
    for one, owner in owners.items():
        groups.setdefault(owner, set()).add(one)
    return {frozenset(group) for group in groups.values()}


@pytest.mark.row("B1")
def test_a_probe_attaches_to_the_known_customer(xref: Xref) -> None:
    refresh(xref, [record("crm/1", "Ann", email="ann@x.example")], RULES, sources=SOURCES)
    (known,) = xref.lookup("email", "ann@x.example")
    found = record("pos/9", "Annie", email="ann@x.example", phone="+4930111222")
    assert remember(xref, [found], RULES, actor="probe") == {("pos", "9"): known}
    assert xref.lookup("phone", "+4930111222") == (known,)
    assert not xref.is_provisional(known)


def test_a_probe_of_a_stranger_is_provisional_until_a_refresh(xref: Xref) -> None:
    stranger = record("pos/9", "Otto", phone="+4930111222")
    owner = remember(xref, [stranger], RULES, actor="probe")[stranger.id]
    assert xref.is_provisional(owner)
    assert xref.counts()["provisional"] == 1
    version = xref.version()
    assert remember(xref, [stranger], RULES, actor="probe") == {stranger.id: owner}
    assert xref.version() == version, "nothing new, nothing written"
    refresh(xref, [stranger], RULES, sources=["pos"])
    assert xref.owner(*stranger.id) == owner
    assert not xref.is_provisional(owner)


def test_a_probe_obeys_the_guards(xref: Xref) -> None:
    refresh(xref, [record("crm/1", "Ann", phone="+4930111222")], RULES, sources=SOURCES)
    karl = record("pos/1", "Karl", phone="+4930111222", email="noemail@x.example")
    nobody = record("support/1", phone="+4930111222")
    owners = remember(xref, [karl, nobody], RULES, actor="probe")
    assert len({*owners.values(), xref.owner("crm", "1")}) == 3
    assert len(xref.lookup("phone", "+4930111222")) == 3
    assert xref.lookup("email", "noemail@x.example") == ()


def test_a_record_that_changed_its_person_is_resolved_anew(xref: Xref) -> None:
    ann = record("crm/1", "Ann", phone="+4930111222")
    refresh(xref, [ann, record("pos/1", "Ann", phone="+4930111222")], RULES, sources=SOURCES)
    assert len(xref.lookup("phone", "+4930111222")) == 1
    # The number was given to somebody else and the clerk wrote over the record.
    karl = record("crm/1", "Karl", phone="+4930111222")
    assert xref.fingerprint(karl) != xref.fingerprint_of("crm", "1") == xref.fingerprint(ann)
    remember(xref, [karl], RULES, actor="probe")
    assert len(xref.lookup("phone", "+4930111222")) == 2
    assert xref.fingerprint_of("crm", "1") == xref.fingerprint(karl)


def test_an_identifier_becomes_blocked_by_one_record_too_many(xref: Xref) -> None:
    crowd = [record(f"crm/{at}", "Ann", phone="+4930111222") for at in range(8)]
    refresh(xref, crowd, RULES, sources=SOURCES)
    assert len(xref.lookup("phone", "+4930111222")) == 1
    remember(xref, [record("pos/1", "Ann", phone="+4930111222")], RULES, actor="probe")
    assert xref.lookup("phone", "+4930111222") == ()
    assert xref.counts()["customers"] == 9


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10_000), batch=st.integers(1, 40))
def test_remembering_leads_where_a_refresh_leads(
    opened: Callable[..., Xref], seed: int, batch: int
) -> None:
    """Inserts and updates in random order and batches against one refresh of the outcome."""
    rng = random.Random(seed)
    final = [one for one, _ in town(seed, 14)]
    # Some come first with the identifiers of somebody else.
    earlier = [
        Record(one.source, one.source_key, rng.choice(final).identifiers, one.given_name)
        for one in final
        if rng.random() < 0.3
    ]
    changes = rng.sample(earlier, len(earlier)) + rng.sample(final, len(final))
    with opened(f"{seed}-{batch}-a.db") as one_by_one, opened(f"{seed}-{batch}-b.db") as at_once:
        half = len(changes) // 3
        seen = {one.id: one for one in changes[:half]}
        refresh(one_by_one, seen.values(), RULES, sources=SOURCES)
        for at in range(half, len(changes), batch):
            remember(one_by_one, changes[at : at + batch], RULES, actor="probe")
        refresh(at_once, final, RULES, sources=SOURCES)
        keys = [one.id for one in final]
        assert grouped(one_by_one.owners(keys)) == grouped(at_once.owners(keys))
        states = [
            store.connection.execute(
                "SELECT id_hash, state FROM identifier_state ORDER BY 1"
            ).fetchall()
            for store in (one_by_one, at_once)
        ]
        assert states[0] == states[1]
        assert one_by_one.is_chain_whole()
    for name in ("a", "b"):
        one_by_one._path.with_name(f"{seed}-{batch}-{name}.db").unlink()


def test_a_probe_does_not_wait_for_a_long_writer(xref: Xref, opened: Callable[..., Xref]) -> None:
    other = opened()
    with (
        other.writing(),
        pytest.raises(IdentityError) as caught,
    ):
        remember(xref, [record("crm/1", "Ann", email="a@x.example")], RULES, actor="probe")
    assert (caught.value.code, caught.value.retryable) == ("RV602", True)
    assert xref.lookup("email", "a@x.example") == ()
