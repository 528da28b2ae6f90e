"""Proves what is on disk: no value of a source, all or nothing, and only by our own hand."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.identity.scoring import score
from tests.identity.worlds import KEYS, RULES, SOURCES, record, town

from roundview_catalog.errors import IdentityError
from roundview_identity import schema
from roundview_identity.keys import Keys
from roundview_identity.records import Record
from roundview_identity.refresh import refresh, remember
from roundview_identity.store import Xref

PLANTED = Record(
    "crm",
    "17",
    (
        ("email", "canary.zebulon@secret.example"),
        ("phone", "+49301122334455"),
        ("loyalty_no", "LC9Q"),
    ),
    "Zebulon",
    "Quartermain",
    "1957-08-23",
    "10247",
    "Canary Wharf 12",
)


def test_what_could_not_be_read_to_its_end_stays_as_it_was(xref: Xref) -> None:
    people = [one for one, _ in town(1, 60)]
    refresh(xref, people, RULES, sources=SOURCES)
    before = xref.owners(one.id for one in people)
    broken = people[0].source
    unread: list[str] = []

    def half() -> Iterator[Record]:
        mine = [one for one in people if one.source == broken]
        yield from (one for one in people if one.source != broken)
        yield record(f"{broken}/new", email="new@x.example")
        yield from mine[: len(mine) // 2]
        unread.append(broken)

    summary = refresh(xref, half(), RULES, sources=SOURCES, unread=unread)
    assert summary.records == summary.unchanged == sum(one.source != broken for one in people)
    assert (summary.new, summary.merged, summary.split) == (0, 0, 0)
    assert xref.owners(one.id for one in people) == before
    assert xref.owner(broken, "new") is None


@pytest.mark.row("A16")
def test_no_value_of_a_source_is_written_anywhere(tmp_path: Path) -> None:
    with Xref.open(tmp_path / "xref.db", KEYS) as xref:
        others = [one for one, _ in town(1, 50)]
        refresh(xref, [PLANTED, *others], RULES, sources=SOURCES)
        probed = Record("web", "4", PLANTED.identifiers, "Zeb", "Quartermain", "1957-08-23")
        remember(xref, [probed], RULES, actor="probe")
        files = [path for path in tmp_path.iterdir() if path.is_file()]
        assert {path.name for path in files} >= {"xref.db", "xref.db-wal"}
        data = b"".join(path.read_bytes() for path in files).lower()
    data += (tmp_path / "xref.db").read_bytes().lower()
    values = [value for _, value in PLANTED.identifiers]
    values += ["zebulon", "quartermain", "1957-08-23", "10247", "canary", "secret.example"]
    values += [value for one in others for _, value in one.identifiers]
    values += [one.family_name for one in others if one.family_name]
    assert [value for value in values if value.lower().encode() in data] == []
    assert b"17" in data, "keys are kept"


def test_equal_people_look_unlike_on_disk(xref: Xref) -> None:
    """What is stored of a record's names differs wherever its identifiers do."""
    twins = [
        record(f"crm/{at}", "Ann", born="1980-03-04", email=f"a{at}@x.example") for at in (1, 2)
    ]
    refresh(xref, twins, RULES, sources=SOURCES)
    for column in ("guard", "id_hash"):
        rows = xref.connection.execute(f"SELECT DISTINCT {column} FROM identifier").fetchall()
        assert len(rows) == 2
    rows = xref.connection.execute("SELECT DISTINCT fingerprint FROM record").fetchall()
    assert len(rows) == 2
    assert xref.hasher.identifier("email", "x") != xref.hasher.identifier("phone", "x")


@pytest.mark.parametrize("stage", ["hashing", "linking", "publishing", "end"])
def test_a_killed_refresh_leaves_all_of_it_or_nothing(tmp_path: Path, stage: str) -> None:
    before = [one for one, _ in town(1, 30)]
    with Xref.open(tmp_path / "xref.db", KEYS) as xref:
        refresh(xref, before, RULES, sources=SOURCES)
        owners = xref.owners(one.id for one in before)
    program = f"""
import os, signal
from pathlib import Path
from roundview_identity.refresh import refresh
from roundview_identity.store import Xref
from tests.identity.worlds import KEYS, RULES, SOURCES, town
def progress(stage, done, total):
    if stage == {stage!r}:
        os.kill(os.getpid(), signal.SIGKILL)
xref = Xref.open(Path({str(tmp_path / "xref.db")!r}), KEYS)
refresh(xref, [one for one, _ in town(2, 30)], RULES, sources=SOURCES, progress=progress)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    after = [one for one, _ in town(2, 30)]
    with Xref.open(tmp_path / "xref.db", KEYS) as xref:
        assert xref.is_chain_whole()
        if stage == "end":
            assert set(xref.owners(one.id for one in after)) == {one.id for one in after}
        else:
            assert xref.owners(one.id for one in before) == owners
        summary = refresh(xref, after, RULES, sources=SOURCES)
        assert summary.customers == xref.counts()["customers"]


def test_an_error_while_reading_changes_nothing(xref: Xref) -> None:
    known = [one for one, _ in town(1, 10)]
    refresh(xref, known, RULES, sources=SOURCES)
    version, counts = xref.version(), xref.counts()

    def broken() -> object:
        yield from known[:5]
        raise OSError("the source went away")

    with pytest.raises(OSError, match="went away"):
        refresh(xref, broken(), RULES, sources=SOURCES)  # type: ignore[arg-type]
    assert (xref.version(), xref.counts()) == (version, counts)
    assert refresh(xref, known, RULES, sources=SOURCES).unchanged == len(known)


def test_readers_see_the_old_state_while_a_refresh_publishes(xref: Xref) -> None:
    ann = record("crm/1", "Ann", email="ann@x.example")
    refresh(xref, [ann], RULES, sources=SOURCES)
    seen: list[tuple[str, ...]] = []

    def look(stage: str, done: int, total: int | None) -> None:
        if stage == "publishing":
            reader = threading.Thread(
                target=lambda: seen.append(xref.lookup("email", "ann@x.example"))
            )
            reader.start()
            reader.join()

    refresh(xref, [], RULES, sources=SOURCES, progress=look)
    assert [len(one) for one in seen] == [1, 1]
    assert xref.lookup("email", "ann@x.example") == ()


def test_the_file_belongs_to_its_owner(xref: Xref, tmp_path: Path) -> None:
    refresh(xref, [record("crm/1", "Ann")], RULES, sources=SOURCES)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_older_stores_are_brought_up_to_date(
    opened: Callable[..., Xref], monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(opened(), [record("crm/1", "Ann", email="a@x.example")], RULES, sources=SOURCES)
    following = (*schema.MIGRATIONS, "ALTER TABLE run ADD COLUMN model TEXT", "DROP TABLE gone")
    monkeypatch.setattr(schema, "MIGRATIONS", following)
    with pytest.raises(IdentityError, match="cannot be opened"):
        opened()
    monkeypatch.setattr(schema, "MIGRATIONS", following[:2])
    xref = opened()
    assert xref.connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert len(xref.lookup("email", "a@x.example")) == 1
    xref.connection.execute("SELECT model FROM run")
    monkeypatch.undo()
    with pytest.raises(IdentityError, match="newer version"):
        opened()


def test_what_is_not_ours_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE customer (name TEXT)")
    connection.close()
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"not a database, but long enough to be looked at" * 100)
    Xref.open(tmp_path / "xref.db", KEYS).close()
    for path, keys, words in (
        (foreign, KEYS, "not an identity store"),
        (noise, KEYS, "cannot be opened"),
        (tmp_path / "xref.db", Keys(b"another secret of thirty-two byte"), "another secret"),
    ):
        with pytest.raises(IdentityError, match=words) as caught:
            Xref.open(path, keys)
        assert caught.value.code == "RV602"
        assert caught.value.hint


def test_a_read_only_store_reads(opened: Callable[..., Xref], tmp_path: Path) -> None:
    refresh(opened(), [record("crm/1", "Ann", email="a@x.example")], RULES, sources=SOURCES)
    reader = opened(read_only=True)
    assert len(reader.lookup("email", "a@x.example")) == 1
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.connection.execute("DELETE FROM record")
    with pytest.raises(IdentityError):
        Xref.open(tmp_path / "nowhere.db", KEYS, read_only=True)
    assert not os.path.exists(tmp_path / "nowhere.db")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET actor = 'somebody else' WHERE seq = 1",
        "DELETE FROM event WHERE seq = 1",
        "UPDATE event SET body = '{}' WHERE seq = 2",
    ],
)
def test_the_chain_of_events_shows_every_change(xref: Xref, damage: str) -> None:
    refresh(xref, [record("crm/1", "Ann")], RULES, sources=SOURCES)
    remember(xref, [record("pos/1", "Ann")], RULES, actor="probe")
    assert xref.is_chain_whole()
    xref.connection.execute(damage)
    assert not xref.is_chain_whole()


def test_impossible_questions_find_nobody(xref: Xref) -> None:
    assert xref.lookup("email", "nobody@x.example") == ()
    assert xref.lookup("customer_id", "'; DROP TABLE record; --") == ()
    assert xref.lookup("email", "\ud800") == ()
    assert xref.members("not an id") == ()
    assert xref.owner("crm", "1") is None
    assert xref.fingerprint_of("crm", "1") is None
    assert not xref.is_provisional("0190e1c2-0000-7000-8000-000000000000")
    assert xref.resolve_id("0190e1c2-0000-7000-8000-000000000000") is None
    with pytest.raises(ValueError, match="must_link"):
        xref.decide("maybe", ("crm", "1"), ("crm", "2"), actor="eve", reason="unsure")


@pytest.mark.row("C12")
@pytest.mark.row("C16")
def test_a_town_is_told_apart(xref: Xref) -> None:
    """Households, a hub number and missing fields: few mistakes, no crowd."""
    people = {"/".join(one.id): person for one, person in town(3, 400)}
    records = [one for one, _ in town(3, 400)]
    summary = refresh(xref, records, RULES, sources=SOURCES)
    found = {"/".join(one): owner for one, owner in xref.owners(r.id for r in records).items()}
    result = score(found, people)
    assert result.precision >= 0.99
    assert result.recall >= 0.6
    assert result.largest <= 10
    assert summary.blocked >= 1
    assert xref.state_of("phone", "+498005550100") == "blocked"


@pytest.mark.row("C16")
def test_a_placeholder_on_every_twentieth_record_changes_little(
    opened: Callable[..., Xref],
) -> None:
    """A value nobody declared as a placeholder is blocked by its number of records."""
    people = {"/".join(one.id): person for one, person in town(3, 400)}
    clean = [one for one, _ in town(3, 400)]
    dirty = [
        Record(*one.id, (*one.identifiers, ("email", "info@till.example")), one.given_name)
        if at % 20 == 0
        else one
        for at, one in enumerate(clean)
    ]
    scores = []
    for name, records in (("clean.db", clean), ("dirty.db", dirty)):
        xref = opened(name)
        refresh(xref, records, RULES, sources=SOURCES)
        found = xref.owners(one.id for one in records)
        scores.append(score({"/".join(one): owner for one, owner in found.items()}, people))
        assert xref.lookup("email", "info@till.example") == ()
    assert scores[0].precision - scores[1].precision <= 0.005
    assert scores[0].recall - scores[1].recall <= 0.02
