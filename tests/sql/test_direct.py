"""Tests which questions are finished without an engine."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from roundview_catalog.types import parse_type
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.rewrite.query.sources import Read
from roundview_federation.sql.direct import Direct, direct, without_lookup

READS = {"r0": Read("r0", LOOKUP, arguments=("email", "a@b.example")), "r1": Read("r1", "payment")}
TYPES = {name: parse_type("text") for name in ("customer_id", "method", "status")}


def finished(text: str) -> Direct | None:
    tree = sqlglot.parse_one(text, read="postgres")
    assert isinstance(tree, exp.Query)
    over, reads, _ = without_lookup(tree, READS)
    return direct(over, reads, TYPES)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT o.method FROM r0 AS l JOIN r1 AS o ON o.customer_id = l.customer_id",
        "SELECT o.method FROM r1 AS o JOIN r0 AS l ON l.customer_id = o.customer_id",
        "SELECT l.customer_id, o.method FROM r0 AS l INNER JOIN r1 AS o"
        " ON o.customer_id = l.customer_id ORDER BY o.method LIMIT 3",
    ],
)
def test_rows_of_the_person_looked_up_need_no_engine(text: str) -> None:
    found = finished(text)
    assert found is not None
    assert found.read == "r1"
    assert found.columns[-1] == "method"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT o.method FROM r0 AS l LEFT JOIN r1 AS o ON o.customer_id = l.customer_id",
        "SELECT o.method FROM r0 AS l CROSS JOIN r1 AS o",
        "SELECT o.method FROM r0 AS l JOIN r1 AS o ON o.customer_id <> l.customer_id",
        "SELECT o.method FROM r0 AS l JOIN r1 AS o ON o.status = l.customer_id",
        "SELECT o.method FROM r0 AS l JOIN r1 AS o ON o.customer_id = o.customer_id",
        "SELECT o.method FROM r0 AS l JOIN r1 AS o ON o.customer_id = l.customer_id AND o.status = 'x'",
        "SELECT l.link_state FROM r0 AS l JOIN r1 AS o ON o.customer_id = l.customer_id",
        "SELECT count(*) FROM r0 AS l JOIN r1 AS o ON o.customer_id = l.customer_id",
    ],
)
def test_what_says_more_of_a_lookup_needs_one(text: str) -> None:
    assert finished(text) is None
