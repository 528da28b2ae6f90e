"""Proves that what is claimed about files is told as it is: buckets, keys, types, columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.connectors.proving import about, at, proven, refuted

from roundview_federation.live import Proven

PEOPLE = 200
BUCKETS = 8
TABLES = """
  people:
    path: people.csv
    key: id
    columns: {id: bigint, name: text, mail: text, born: date, points: integer}
  events:
    path: "events/bucket=*/part.parquet"
    bucket_by: {column: person_id, buckets: 8, hash: mod}
    key: id
"""
MAPPINGS = """
freshness: {column: events.made, warn_after: 10m}
entities:
  individual:
    from: people p
    fields: {full_name: p.name, birth_date: p.born}
    also: {contact_point_email: {fields: {email_address: p.mail}}}
  engagement:
    from: events e
    person: e.person_id
    fields: {campaign_name: e.name, occurred_at: e.made}
"""
Prove = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes people as CSV and their events in eight buckets of Parquet."""
    root = tmp_path_factory.mktemp("proofs")
    lines = ["id,name,mail,born,points"]
    lines += [
        f"{at},Person {at},p{at}@shop.example,19{50 + at % 50}-02-03,{'n/a' if at == 7 else at}"
        for at in range(PEOPLE)
    ]
    (root / "people.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with duckdb.connect() as writer:
        for bucket in range(BUCKETS):
            place = root / f"events/bucket={bucket}"
            place.mkdir(parents=True)
            writer.execute(
                f"COPY (SELECT n AS id, n % {PEOPLE} AS person_id, 'Spring' AS name,"
                " TIMESTAMP '2025-01-01' + to_seconds(n) AS made FROM range(2000) AS t(n)"
                f" WHERE (n % {PEOPLE}) % {BUCKETS} = {bucket})"
                f" TO '{place / 'part.parquet'}' (FORMAT parquet)"
            )
    return root


@pytest.fixture
def prove(folder: Path, tmp_path: Path) -> Prove:
    """Returns `prove(tables, facts)`: what is known of the folder under some tables."""

    async def run(tables: str = TABLES, facts: str = "") -> Proven:
        head = f"source: shop\nconnector: files\nconnection: {{root: '{folder}'}}\n"
        claims = f"facts: {facts}\n" if facts else ""
        return await proven(tmp_path, head + claims + "tables:" + tables + MAPPINGS)

    return run


async def test_what_files_are_is_not_refuted(prove: Prove) -> None:
    tables = TABLES.replace("points: integer", "points: text")
    found = await prove(tables, "{people.mail: {normal_form: lower, unique: true}}")
    assert refuted(found) == []
    assert about(found, "files of events are buckets of person_id").verdict == "not refuted"
    assert about(found, "people is unique by id").verdict == "not refuted"
    assert about(found, "people.mail is unique").verdict == "not refuted"
    assert about(found, "people.mail values").verdict == "not refuted"
    assert about(found, "events.made tells the age").verdict == "proved"
    by_person = about(found, "rows of shop.engagement are found by events.person_id")
    assert (by_person.verdict, by_person.seen) == ("proved", "events by bucket of person_id")
    # A small file is read whole faster than anything could be looked up.
    assert about(found, "rows of shop.individual are").verdict == "not refuted"


WRONG = [
    (TABLES, "people.points is integer", "points: integer", "1 of 200 values (< 1 %)"),
    (TABLES.replace("hash: mod", "hash: crc32"), "files of events are buckets", "bucket_by:",
     "keys are not in the file of their bucket"),
    (TABLES.replace("key: id\n    columns", "key: born\n    columns"), "people is unique by born",
     "key: born", "50 values stand in several rows"),
    (TABLES.replace("mail: text", "mail: text, fax: text"), "people.fax exists", "fax: text",
     "RV403"),
    (TABLES.replace("points: integer", "points: {type: integer, nullable: false}"),
     "people.points is never NULL", "points: {type", "1 of 200 values"),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "claim", "place", "seen"), WRONG, ids=[one[1] for one in WRONG])
async def test_what_files_are_not_is_refuted_at_its_place(
    prove: Prove, tmp_path: Path, tables: str, claim: str, place: str, seen: str
) -> None:
    found = await prove(tables)
    wrong = about(found, claim)
    assert wrong.verdict == "refuted", str(wrong)
    assert at(tmp_path, wrong).startswith(place), str(wrong)
    assert seen in wrong.seen
    assert "n/a" not in str(found)
    assert "shop.example" not in str(found)
