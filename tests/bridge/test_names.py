"""What Trino calls a table or column is one thing, today and after the catalog changed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from roundview_catalog.types import parse_type
from roundview_federation.bridged import OWN_SCHEMA, bridged_type, trino_names

VALID = re.compile("[a-z][a-z0-9_]*")


@given(st.lists(st.text(max_size=4), unique=True))
def test_names_are_valid_and_differ(names: list[str]) -> None:
    found = trino_names(names)
    assert list(found) == names
    assert all(VALID.fullmatch(one) for one in found.values())
    assert len(set(found.values())) == len(names)


@given(st.lists(st.text("aA_é1", min_size=1, max_size=2), unique=True), st.data())
def test_a_name_never_means_another_table_later(names: list[str], data: st.DataObject) -> None:
    fewer = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    before, after = trino_names(fewer), trino_names(names)
    meant = {simple: name for name, simple in after.items()}
    for name, simple in before.items():
        assert meant.get(simple, name) == name


def test_no_source_takes_our_schema() -> None:
    named = trino_names(["roundview", "pos.north", "pos_north", "crm"], taken=(OWN_SCHEMA,))
    assert named["crm"] == "crm"
    assert "roundview" not in named.values()
    assert len(set(named.values())) == 4


@pytest.mark.parametrize(
    ("kind", "trino", "restored"),
    [
        ("text", "varchar", "a"),
        ("uuid", "varchar", "a"),
        ("json", "varchar", "a"),
        ("decimal", "varchar", "a"),
        ("boolean", "boolean", "a"),
        ("decimal(5,0)", "bigint", "CAST(CAST(a AS DECIMAL(38, 0)) AS DECIMAL(5, 0))"),
        ("decimal(18,4)", "bigint",
         "CAST(CAST(a AS DECIMAL(38, 0)) * 0.0001 AS DECIMAL(18, 4))"),
        ("decimal(19,1)", "varchar", "CAST(CAST(a AS DECIMAL(38, 0)) * 0.1 AS DECIMAL(19, 1))"),
        ("timestamp", "bigint",
         "CAST(FROM_UNIXTIME_NANOS(CAST(a AS DECIMAL(38, 0)) * 1000) AS TIMESTAMP(6))"),
        ("timestamptz", "bigint",
         "CAST(FROM_UNIXTIME_NANOS(CAST(a AS DECIMAL(38, 0)) * 1000)"
         " AS TIMESTAMP(6) WITH TIME ZONE)"),
    ],
)  # fmt: skip
def test_types_travel_and_are_restored(kind: str, trino: str, restored: str) -> None:
    found = bridged_type(parse_type(kind))
    assert found.trino == trino
    assert found.restored(exp.column("a")).sql("trino") == restored
