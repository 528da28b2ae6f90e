"""Decides how answers look in a terminal: tables that fit, values that stay text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from roundview.view import plain
from roundview_catalog.harmless import harmless

if TYPE_CHECKING:
    from roundview.view import CustomerView, Records
    from roundview_federation.result import SourceStatus, Withheld
    from roundview_federation.snapshot import SourceState

_WIDEST_CELL = 28
_LONGEST_REASON = 240
_GAP = 3
_NUMERIC = (int, float, Decimal)
_TOLD_FIRST = (
    "ordered_at", "opened_at", "occurred_at", "submitted_at", "subject", "status", "type",
    "grand_total", "currency", "text", "score", "topic", "member_no", "tier",
)  # fmt: skip
_STATUS_STYLES = (
    ("ok", "green"),
    ("ready", "green"),
    ("partial", "yellow"),
    ("unproven", "yellow"),
    ("failed", "red"),
    ("unavailable", "red"),
)


def console(width: int | None = None) -> Console:
    """Returns a console on standard output; not a terminal: 80 columns, no colour."""
    return Console(width=width, highlight=False, markup=False, emoji=False)


def print_json(data: Any) -> None:
    """Writes data as one indented JSON document on standard output."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(plain(data), option=options).decode())


def show_customer(view: CustomerView, out: Console) -> None:
    """Prints who the customer is, each list, and what each source did."""
    name = cell(view.fields.get("full_name")) or "customer without a name"
    out.print(Text(name, style="bold"))
    out.print(Text(f"{view.customer_id}  {view.link_state}", style="dim"))
    shown = {
        key: value
        for key, value in view.fields.items()
        if value is not None and key not in ("full_name", "given_name", "family_name")
    }
    grid = Table.grid(padding=(0, 2))
    for key, value in shown.items():
        origin = view.provenance.get(key)
        grid.add_row(
            Text(label(key), style="dim"),
            Text(cell(value, _WIDEST_CELL * 2)),
            Text(origin.source if origin else "", style="dim"),
        )
    out.print(grid)
    for entity, records in view.entities.items():
        if records.rows or records.missing:
            _show_records(entity, records, out)
    for line in _withheld(view.withheld):
        out.print(Text(line, style="yellow"))
    out.print()
    show_statuses(view.sources, out)


def _withheld(places: Sequence[Withheld]) -> Iterable[str]:
    by_reason: dict[tuple[str, bool], list[str]] = {}
    for one in places:
        named = label(f"{one.entity}_{one.field}".rstrip("_"))
        by_reason.setdefault((one.purpose, one.is_known), []).append(named)
    for (purpose, is_known), names in by_reason.items():
        why = f"no consent to {purpose} is known" if is_known else "consents cannot be read"
        yield f"withheld, {why}: {', '.join(names)}"


def show_statuses(sources: Sequence[SourceStatus], out: Console) -> None:
    """Prints what each source did for one answer."""
    table = _table("source", "state", "rows", "ms", "reason", right=("rows", "ms"))
    for one in sources:
        reason = f"{one.rv_code} {one.reason}".strip() if one.status != "ok" else ""
        told = f"{reason} — {one.hint}" if reason and one.hint else reason
        table.add_row(
            Text(one.name), _state(one.status), str(one.rows), f"{one.ms:.0f}",
            Text(cell(told, _LONGEST_REASON)),
        )  # fmt: skip
    out.print(table)


def show_states(states: Iterable[SourceState], out: Console) -> None:
    """Prints whether each source may be asked."""
    table = _table("source", "connector", "state", "entities", "detail")
    for one in states:
        names = ", ".join(label(name) for name in one.entities)
        table.add_row(
            Text(one.name),
            Text(one.connector),
            _state(one.state),
            Text(names),
            Text(cell(one.detail, 60)),
        )
    out.print(table)


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], out: Console) -> None:
    """Prints plain rows as a table."""
    table = _table(*columns)
    for row in rows:
        table.add_row(*(Text(cell(value, 60)) for value in row))
    out.print(table)


def cell(value: Any, widest: int = _WIDEST_CELL) -> str:
    """Returns a value as one line of text without anything that steers a terminal.

    >>> cell("a\\x1b[31mb\\nc")
    'a [31mb c'
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = _number(value) if isinstance(value, Decimal) else plain(value)
    if isinstance(text, dict | list):
        text = orjson.dumps(text).decode()
    text = str(text)
    if "T" in text and text.endswith("Z") and text[:4].isdigit():
        text = text[:16].replace("T", " ")
    clean = harmless(text)
    return clean if len(clean) <= widest else clean[: widest - 1] + "…"


def label(name: str) -> str:
    """Returns a canonical name as people read it."""
    return name.replace("_", " ")


def _show_records(entity: str, records: Records, out: Console) -> None:
    more = " and more" if records.has_more else ""
    gaps = ", truncated" if records.is_truncated else ""
    gaps += f", missing: {', '.join(records.missing)}" if records.missing else ""
    out.print()
    out.print(Text(f"{label(entity)} ({len(records.rows)}{more}{gaps})", style="bold"))
    if not records.rows:
        return
    columns = _fitting(records.rows, out.width)
    numbers = tuple(c for c in columns if _is_numeric(records.rows, c))
    table = _table(*(label(c) for c in columns), right=tuple(label(c) for c in numbers))
    for row in records.rows:
        table.add_row(*(Text(cell(row.get(column)), no_wrap=True) for column in columns))
    out.print(table)


def _fitting(rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Chooses the columns that hold something and fit beside each other; source is last."""
    ours = ("source", "source_key", "slot", "as_of", "fetched_at", "business_unit", "region")
    chosen: list[str] = []
    left = width + _GAP - _width(rows, "source")
    order = list(rows[0])
    # The first field of an entity names the record, so it comes before all others.
    wanted = sorted(order, key=lambda c: (_rank(c), order.index(c)))
    first = next((c for c in order if c not in ours and rows[0].get(c) is not None), None)
    for column in dict.fromkeys([*([first] if first else []), *wanted]):
        if column in ours or column.endswith("_key") or column.startswith("source_"):
            continue
        values = [row.get(column) for row in rows]
        if all(value is None for value in values):
            continue
        if any(isinstance(value, list | tuple | dict) for value in values):
            continue
        needed = _width(rows, column)
        if needed <= left:
            chosen.append(column)
            left -= needed
    return [*sorted(chosen, key=order.index), "source"]


def _rank(column: str) -> int:
    return _TOLD_FIRST.index(column) if column in _TOLD_FIRST else len(_TOLD_FIRST)


def _width(rows: Sequence[Mapping[str, Any]], column: str) -> int:
    widest = max(Text(cell(row.get(column))).cell_len for row in rows)
    return max(widest, len(label(column))) + _GAP


def _is_numeric(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    values = [row[column] for row in rows if row.get(column) is not None]
    return bool(values) and all(
        isinstance(value, _NUMERIC) and not isinstance(value, bool) for value in values
    )


def _number(value: Decimal) -> str:
    """Returns a decimal with two places, or as many as it needs.

    >>> _number(Decimal("12.5000")), _number(Decimal("3"))
    ('12.50', '3')
    """
    if "." not in format(value, "f"):
        return format(value, "f")
    whole, _, places = format(value, "f").partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def _state(name: str) -> Text:
    return Text(name, style=dict(_STATUS_STYLES).get(name, ""))


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    return table
