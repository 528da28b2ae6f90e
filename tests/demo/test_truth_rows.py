"""Proves the expected rows by values that were computed by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

HEROINE, LEAD_ONLY = 0, 10


def test_totals_of_the_heroine(truth_rows: Any) -> None:
    orders = sorted(truth_rows.rows("sales_order", HEROINE), key=lambda row: row["ordered_at"])
    assert [(o["status"], o["currency"], o["grand_total"]) for o in orders] == [
        ("completed", "EUR", Decimal("48.27")),  # 2 × 18.90 + 3 × 3.49
        ("completed", "EUR", Decimal("28.00")),  # 2 × 14.00
        ("completed", "CHF", Decimal("60.60")),  # 45.00 + 4 × 3.90
        ("completed", "EUR", Decimal("215.50")),  # 219.00 − 10 % + 18.90 − 0.50
        ("returned", "EUR", Decimal("-3.49")),
    ]
    assert [o["discount"] for o in orders] == [0, 0, 0, Decimal("22.40"), 0]
    # The hour that came twice is taken as the earlier one, in summer time.
    assert orders[1]["ordered_at"] == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


def test_taxes_on_top_are_added(truth_rows: Any, made: Any) -> None:
    british = made.truth["personas"]["british"]["person"]
    (order,) = truth_rows.rows("sales_order", british)
    assert order["subtotal"] == Decimal("1294.725")  # 1290.00 + 0.25 × 18.90
    assert order["tax"] == Decimal("258.94")  # 258.00 + 0.94
    assert order["grand_total"] == Decimal("1553.665")
    assert order["currency"] == "GBP"


def test_everything_else_of_the_heroine(truth_rows: Any) -> None:
    def values(entity: str, field: str) -> list[Any]:
        return sorted(row[field] for row in truth_rows.rows(entity, HEROINE))

    assert values("individual", "source") == ["crm", "mail", "pos", "support"]
    assert len(values("contact_point_email", "email_address")) == 6
    assert len(values("contact_point_phone", "phone_raw")) == 4
    assert values("support_case", "status") == ["closed", "open"]
    assert values("engagement", "type") == [
        "bounce", "call", "click", "open", "open", "unsubscribe",
    ]  # fmt: skip
    assert values("consent", "status") == [
        "opt_in", "opt_in", "opt_in", "opt_out", "opt_out", "pending",
    ]  # fmt: skip
    # One address of the CRM is deleted, one is an account's.
    assert values("contact_point_address", "source") == ["crm", "mail", "pos"]


def test_a_lead_is_a_person_of_its_own_branch(truth_rows: Any) -> None:
    (row,) = truth_rows.rows("individual", LEAD_ONLY)
    assert row["source_key"].startswith("lead:")
    assert [r["email_address"] for r in truth_rows.rows("contact_point_email", LEAD_ONLY)] == [
        "agnes.fournier@post.example"
    ]


@pytest.mark.parametrize("entity", ["sales_order", "sales_order_product", "support_case"])
def test_nobodys_rows_belong_to_nobody(truth_rows: Any, entity: str) -> None:
    assert truth_rows.rows(entity, LEAD_ONLY) == []
