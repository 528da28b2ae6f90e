"""Tests which reads are about a few rows that indexes find."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot

import roundview.demo
from roundview_catalog.loader import load
from roundview_catalog.model import Catalog
from roundview_federation.rewrite.query.conditions import plain
from roundview_federation.rewrite.query.sources import Read
from roundview_federation.sql.points import is_point


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Returns the demo's catalog."""
    return load(Path(roundview.demo.__file__).parent / "catalog")


@pytest.mark.parametrize(
    ("relation", "condition", "expected"),
    [
        ("individual", "source_key = '5'", True),
        ("payment", "source_key = '5'", True),
        ("sales_order", "order_number = 'P1'", True),
        ("sales_order", "source = 'pos'", False),
        ("sales_order", "region = 'eu'", False),
        ("sales_order", "status = 'completed'", False),
        ("sales_order", "grand_total = 5", False),
        ("sales_order", "source_key = '5' AND source = 'pos'", True),
    ],
)
def test_only_values_of_an_index_make_a_point(
    catalog: Catalog, relation: str, condition: str, expected: bool
) -> None:
    types = catalog.canonical.entities[relation].types
    tree = sqlglot.parse_one(condition, read="postgres")
    found = plain(list(tree.flatten()) if " AND " in condition else [tree], types)
    assert is_point(Read("r0", relation), found, types, catalog) is expected
