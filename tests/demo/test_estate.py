"""Proves that estates are the same for everyone, whole, and kept."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from roundview.demo import estate, pos
from roundview.demo.histories import walk_ins
from roundview.demo.people import make_people
from roundview.demo.personas import personas

SMALL = 60


def hashes(directory: Path) -> dict[str, str]:
    """Returns the hash of every file that depends on people and seed only."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != "secret"
    }


def test_equal_parameters_give_equal_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    estate.make(first, SMALL, seed=7)
    estate.make(second, SMALL, seed=7)
    assert hashes(first) == hashes(second)
    assert {"crm.db", "pos.db", "support.db", "truth.json"} <= set(hashes(first))


def test_another_seed_gives_other_people(tmp_path: Path) -> None:
    one = estate.make(tmp_path / "one", SMALL, seed=1)
    two = estate.make(tmp_path / "two", SMALL, seed=2)
    one_hashes, two_hashes = hashes(one.directory), hashes(two.directory)
    assert all(one_hashes[name] != two_hashes[name] for name in ("crm.db", "pos.db", "support.db"))
    assert (
        one.truth["personas"]["heroine"]["identifiers"]
        == (two.truth["personas"]["heroine"]["identifiers"])
    )


def test_a_finished_estate_is_taken_as_it_is(tmp_path: Path) -> None:
    estate.make(tmp_path, SMALL)
    before = (tmp_path / "crm.db").stat().st_mtime_ns
    said: list[str] = []
    estate.make(tmp_path, SMALL, progress=lambda what, *_: said.append(what))
    assert (tmp_path / "crm.db").stat().st_mtime_ns == before
    assert said == []


def test_a_half_made_estate_is_made_again(tmp_path: Path) -> None:
    made = estate.make(tmp_path, SMALL)
    whole = hashes(tmp_path)
    (tmp_path / "estate.json").unlink()
    (tmp_path / "crm.db").write_bytes(b"cut off")
    (tmp_path / "mail.part").mkdir()
    assert estate.make(tmp_path, SMALL) == made
    assert hashes(tmp_path) == whole


def test_other_parameters_make_another_estate_in_place(tmp_path: Path) -> None:
    estate.make(tmp_path, SMALL)
    secret = (tmp_path / "secret").read_bytes()
    made = estate.make(tmp_path, SMALL + 10)
    assert made.truth["people"] == SMALL + 10
    assert max(made.truth["records"].values()) == SMALL + 9
    assert (tmp_path / "secret").read_bytes() == secret


def test_the_users_catalog_is_kept(tmp_path: Path) -> None:
    catalog = estate.make(tmp_path, SMALL).catalog
    edited = catalog / "roundview.yaml"
    edited.write_text("# mine\n", encoding="utf-8")
    own = catalog / "sources/own.yaml"
    own.write_text("# mine too\n", encoding="utf-8")
    (catalog / "sources/mail.yaml").unlink()
    estate.make(tmp_path, SMALL)
    assert edited.read_text(encoding="utf-8") == "# mine\n"
    assert own.exists()
    assert not (catalog / "sources/mail.yaml").exists()


def test_an_unedited_catalog_follows_the_shipped_one(tmp_path: Path) -> None:
    catalog = estate.make(tmp_path, SMALL).catalog
    shipped = (catalog / "policy.yaml").read_bytes()
    older = b"# as an earlier release shipped it\n"
    (catalog / "policy.yaml").write_bytes(older)
    mark = json.loads((tmp_path / "estate.json").read_text(encoding="utf-8"))
    mark["catalog"]["policy.yaml"] = hashlib.sha256(older).hexdigest()
    (tmp_path / "estate.json").write_text(json.dumps(mark), encoding="utf-8")
    estate.make(tmp_path, SMALL)
    assert (catalog / "policy.yaml").read_bytes() == shipped


def test_the_secret_is_the_owners_alone(made: estate.Estate) -> None:
    assert stat.S_IMODE(made.secret.stat().st_mode) == 0o600
    assert len(made.secret.read_text(encoding="ascii")) == 64


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least"):
        estate.make(tmp_path, 3)


def test_truth_names_every_record_and_no_other(made: estate.Estate) -> None:
    records = set(made.truth["records"])
    known = {f"crm/{key}" for key in keys(made, "crm", "SELECT id FROM contacts")}
    known |= {f"crm/lead:{key}" for key in keys(made, "crm", "SELECT id FROM leads")}
    known |= {f"pos/{key}" for key in keys(made, "pos", "SELECT person_id FROM ospos_customers")}
    known |= {f"support/{key}" for key in keys(made, "support", "SELECT id FROM ost_user")}
    files = f"{made.directory}/mail/subscribers/*/part.parquet"
    ids = duckdb.execute(f"SELECT id FROM read_parquet('{files}')").fetchall()
    known |= {f"mail/{key}" for (key,) in ids}
    assert records == known


def test_every_person_is_somebodys_customer(made: estate.Estate) -> None:
    assert set(made.truth["records"].values()) == set(range(made.people))


def test_personas_stand_first_and_name_their_records(made: estate.Estate) -> None:
    named = made.truth["personas"]
    for index, persona in enumerate(personas()):
        assert named[persona.name]["person"] == index
        assert named[persona.name]["records"] == [
            record for record, person in made.truth["records"].items() if person == index
        ]
    assert {record.partition("/")[0] for record in named["heroine"]["records"]} == {
        "crm", "pos", "mail", "support",
    }  # fmt: skip
    assert named["stranger"]["person"] is None


def test_the_newcomer_comes_once_and_only_when_welcomed(tmp_path: Path) -> None:
    made = estate.make(tmp_path, SMALL)
    sql = "SELECT id FROM contacts WHERE email = 'ines.morgenroth@mail.example'"
    assert keys(made, "crm", sql) == []
    record = estate.welcome(made)
    assert [f"crm/{key}" for key in keys(made, "crm", sql)] == [record]


def test_people_depend_on_nobody_made_before() -> None:
    few = list(make_people(30, 5))
    many = list(make_people(90, 5))
    assert many[:30] == few
    assert len({person.mobile for person in many}) == 90
    sizes = Counter(person.household for person in many)
    assert max(sizes.values()) > 1


def keys(made: estate.Estate, source: str, sql: str) -> list[int]:
    """Returns the first column of a query over one of the SQLite systems."""
    connection = sqlite3.connect(made.directory / f"{source}.db")
    try:
        return [row[0] for row in connection.execute(sql)]
    finally:
        connection.close()


def test_running_numbers_leave_out_those_that_somebody_is_known_by(tmp_path: Path) -> None:
    sales = list(walk_ins(1, 40))
    given = f"R-{pos.FIRST_NUMBER + 9}"
    sales[0].kind, sales[0].status, sales[0].number = 0, 0, given
    for sale in sales[1:]:
        sale.kind, sale.status = 0, 0
    out = pos.PosWriter(tmp_path)
    numbers = out.add_walk_ins(sales)
    out.close()
    assert numbers[0] == given
    assert len(set(numbers)) == len(sales)


def test_those_known_by_name_are_read_without_the_others(made: estate.Estate) -> None:
    assert made.personas == made.truth["personas"]
    assert made.personas["heroine"]["records"]
