"""Proves that answers fit a terminal and that values in them stay text."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from roundview.output import cell, show_customer, show_rows, show_states
from roundview.view import CustomerView, Records
from roundview_federation.result import Losing, SourceStatus, Survived
from roundview_federation.snapshot import SourceState

GOLDEN = Path(__file__).parents[1] / "golden/cli"
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
VIEW = CustomerView(
    customer_id="0193a8c0-0000-7000-8000-000000000001",
    link_state="linked",
    fields={
        "full_name": "Zoë 王",
        "given_name": "Zoë",
        "birth_date": date(1984, 2, 29),
        "email": "zoe@mail.example",
        "phone": "+4930123456",
        "gender": None,
    },
    entities={
        "sales_order": Records(
            (
                {
                    "source": "pos.north",
                    "source_key": "7",
                    "slot": "",
                    "order_number": "INV-7",
                    "ordered_at": AT,
                    "status": "completed",
                    "sales_channel": "store",
                    "currency": "EUR",
                    "grand_total": Decimal("1249.5000"),
                    "note_text": "a very long remark that somebody at the till typed in, twice",
                    "sales_order_product": ({"sku": "KET-1"},),
                },
                {
                    "source": "shop",
                    "source_key": "main:9",
                    "slot": "",
                    "order_number": "S-9",
                    "ordered_at": AT,
                    "status": "returned",
                    "sales_channel": "online",
                    "currency": "CHF",
                    "grand_total": Decimal("-3"),
                    "note_text": None,
                    "sales_order_product": (),
                },
            ),
            has_more=True,
        ),
        "support_case": Records((), missing=("support",)),
        "consent": Records(()),
    },
    provenance={
        "email": Survived(
            "email", "crm", "17", "most_recent", AT, (Losing("z@old.example", "pos.north", "4"),)
        )
    },
    sources=(
        SourceStatus("crm", "ok", AT, 3.2, 4, 1),
        SourceStatus("pos.north", "ok", AT, 12.0, 2, 1),
        SourceStatus(
            "support", "failed", None, 800.0, 0, 1, "SOURCE_TIMEOUT", "RV401", "no answer in time"
        ),
    ),
    fetched_at=AT,
)
STATES = (
    SourceState("crm", "CRM", "sqlite", "ready", "the file is open read-only", ("individual",)),
    SourceState(
        "support", "Support", "rest", "unavailable", "no answer", ("support_case", "message")
    ),
)


def printed(show: Callable[[Console], None], width: int) -> str:
    """Returns what a function prints on a console of that width."""
    out = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    show(out)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.mark.parametrize("width", [80, 120])
def test_a_customer_can_be_read(golden: Callable[[Path, str], None], width: int) -> None:
    text = printed(lambda out: show_customer(VIEW, out), width)
    golden(GOLDEN / f"customer.{width}.txt", text)
    assert all(Text(line).cell_len <= width for line in text.splitlines())


@pytest.mark.parametrize("width", [80, 120])
def test_sources_can_be_read(golden: Callable[[Path, str], None], width: int) -> None:
    text = printed(lambda out: show_states(STATES, out), width)
    golden(GOLDEN / f"sources.{width}.txt", text)


@pytest.mark.row("B4")
def test_a_missing_source_is_named_where_its_rows_would_be() -> None:
    text = printed(lambda out: show_customer(VIEW, out), 80)
    assert "support case (0, missing: support)" in text
    assert "RV401 no answer in time" in text


@given(st.text())
def test_values_never_steer_the_terminal(value: str) -> None:
    text = printed(lambda out: show_rows(("value",), [(value,)], out), 120)
    assert not set(text) & {chr(c) for c in (*range(10), *range(11, 32), 127, *range(128, 160))}
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert len(text.splitlines()) == 3


def test_markup_of_the_terminal_library_is_text() -> None:
    assert "[red]x[/red]" in printed(lambda out: show_rows(("v",), [("[red]x[/red]",)], out), 80)


def test_cells_read_like_values() -> None:
    cells = [cell(value) for value in (None, True, AT, Decimal("12.5000"), Decimal(3), ["a", 1])]
    assert cells == ["", "yes", "2026-11-01 12:00", "12.50", "3", '["a",1]']
