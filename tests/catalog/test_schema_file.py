"""What introspection writes is read back as it was, and the same tables give the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundview_catalog import durations, schema_file
from roundview_catalog.document import read
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.report import Report
from roundview_catalog.types import Kind, Type

ODD_NAMES = ["id", "on", "no", "null", "true", "12", "a b", "é", "x: y", "#1", "'q'", '"', "~"]
PRINTABLE = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn", "Co"])
NAMES = st.one_of(st.sampled_from(ODD_NAMES), st.text(PRINTABLE, min_size=1, max_size=8))
TYPES = st.sampled_from([Type(Kind.TEXT), Type(Kind.BIGINT), Type(Kind.DECIMAL, 15, 3)])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, SourceTable]:
    found = {}
    for name in draw(st.lists(NAMES, unique=True, max_size=3)):
        columns = {
            column: SourceColumn(
                column, draw(TYPES), draw(st.booleans()), draw(st.sampled_from(["exact", "ci"]))
            )
            for column in draw(st.lists(NAMES, unique=True, min_size=1, max_size=4))
        }
        keys = st.lists(st.sampled_from(sorted(columns)), min_size=1, unique=True).map(tuple)
        found[name] = SourceTable(
            name=name,
            physical=draw(st.sampled_from([name, "other"])),
            columns=columns,
            primary_key=draw(st.one_of(st.just(()), keys)),
            unique=tuple(draw(st.lists(keys, max_size=2))),
            indexes=tuple(draw(st.lists(keys, max_size=2))),
            rows_estimate=draw(st.one_of(st.none(), st.integers(0, 10**9))),
        )
    return found


@given(tables())
@settings(max_examples=60, deadline=None)
def test_written_tables_are_read_back(given_tables: dict[str, SourceTable]) -> None:
    text = schema_file.text(given_tables)
    assert schema_file.text(dict(reversed(given_tables.items()))) == text
    report = Report()
    document = read(text, "x.schema.yaml", report)
    assert document is not None, (report.problems, text)
    assert schema_file.read(document, report) == given_tables
    assert report.problems == []


def test_the_file_says_who_wrote_it_and_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.schema.yaml"
    path.write_text("old", encoding="utf-8")
    schema_file.write(
        path, {"t": SourceTable("t", "t", {"id": SourceColumn("id", Type(Kind.TEXT))})}
    )
    assert path.read_text(encoding="utf-8") == (
        "# Written by `roundview introspect`; run it again instead of editing this file.\n"
        "tables:\n  t:\n    columns:\n      id: {type: text}\n"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["x.schema.yaml"]


def test_a_damaged_file_is_told() -> None:
    text = (
        "tables:\n  t:\n    columns: {id: {type: bigint, nullabel: true}}\n    primary_key: [i]\n"
    )
    report = Report()
    document = read(text, "x.schema.yaml", report)
    assert document is not None
    assert schema_file.read(document, report) == {}
    assert [(p.code, p.position.line, p.position.column) for p in report.problems] == [
        ("RV205", 3, 34)
    ]


def test_durations_sizes_rates_and_shares() -> None:
    assert [durations.seconds(t) for t in ("800ms", "2s", "1.5m", "1h")] == [0.8, 2.0, 90.0, 3600.0]
    assert durations.size_in_bytes("8MiB") == 8 * 1024 * 1024
    assert durations.size_in_bytes("2GB") == 2 * 10**9
    assert durations.per_second("600/m") == 10.0
    assert durations.share("50%") == 0.5


READERS = [durations.seconds, durations.size_in_bytes, durations.per_second, durations.share]
ODD = ["", "1", "-1s", "1 parsec", "0s", "0B", "0/s", "101%", "nan%", 5, None, [], "s"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_quantity(reader: Callable[[object], float], odd: object) -> None:
    with pytest.raises(ValueError, match="write a"):
        reader(odd)
