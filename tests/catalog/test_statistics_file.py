"""Proves that sizes of tables are kept beside a source, and change how it is asked, not what."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from roundview_catalog import loader, statistics_file

COMPANY = Path(__file__).parent / "company"
MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(COMPANY, tmp_path / "catalog"))


def problems(root: Path) -> list[tuple[str, str]]:
    return [(one.code, str(one.position)) for one in loader.check(root)]


def test_noted_sizes_are_those_of_the_source(root: Path) -> None:
    before = loader.load(root)
    assert before.sources["shop"].measured_at is None
    local = MOMENT.astimezone(timezone(timedelta(hours=2)))
    table = next(iter(before.sources["shop"].tables))
    path = root / "sources/shop.statistics.yaml"
    column = next(iter(before.sources["shop"].tables[table].columns))
    statistics_file.write(path, {table: 1234, "gone": 5}, local, {table: {column: 7}})
    assert "measured_at: '2026-02-03T04:05:06Z'" in path.read_text(encoding="utf-8")
    after = loader.load(root)
    shop = after.sources["shop"]
    assert (shop.measured_at, shop.tables[table].rows_estimate) == (MOMENT, 1234)
    assert shop.tables[table].distinct == {column: 7}
    assert set(shop.tables) == set(before.sources["shop"].tables)
    assert after.version != before.version
    others = [name for name in shop.tables if name != table]
    assert [shop.tables[one] for one in others] == [
        before.sources["shop"].tables[one] for one in others
    ]


def test_the_same_sizes_are_the_same_bytes(root: Path) -> None:
    path = root / "sources/shop.statistics.yaml"
    texts = []
    for rows in ({"b": 2, "a": 1}, {"a": 1, "b": 2}):
        statistics_file.write(path, rows, MOMENT)
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]
    assert [one.name for one in path.parent.iterdir() if "new" in one.name] == []


@pytest.mark.parametrize(
    "text",
    [
        "measured_at: yesterday\nrows: {a: 1}\n",
        "measured_at: 2026-02-03T04:05:06\nrows: {a: 1}\n",
        "measured_at: 2026-02-03T04:05:06Z\nrows: {a: -1}\n",
        "measured_at: 2026-02-03T04:05:06Z\nrows: [1]\n",
    ],
)
def test_what_is_no_statistics_is_a_problem_at_its_place(root: Path, text: str) -> None:
    (root / "sources/shop.statistics.yaml").write_text(text, encoding="utf-8")
    (found,) = problems(root)
    assert found[0] == "RV206"
    assert found[1].startswith("sources/shop.statistics.yaml:")


def test_sizes_of_no_source_are_a_problem(root: Path) -> None:
    statistics_file.write(root / "sources/shed.statistics.yaml", {"a": 1}, MOMENT)
    assert problems(root) == [("RV227", "sources/shed.statistics.yaml:1:1")]
