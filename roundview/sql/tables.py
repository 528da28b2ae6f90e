"""Decides how an answer looks in a terminal: a table that fits, or record by record."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from roundview.sql.answers import SqlAnswer
from roundview.sql.texts import text_columns
from roundview_catalog.harmless import harmless

_WIDEST_CELL = 60
_GAP = 3
_NULL = Text("NULL", style="dim")
_NUMERIC = "N"

Rows = Sequence[Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Shown:
    """How many rows were shown, and whether there are more."""

    rows: int
    has_more: bool


def show_answer(answer: SqlAnswer, most: int) -> Shown:
    """Prints at most so many rows on standard output, then closes the answer.

    In a terminal long values are cut, and what is too wide is shown record by record; elsewhere
    nothing is cut.
    """
    is_terminal = sys.stdout.isatty()
    columns = answer.result.columns
    rows: list[tuple[str | None, ...]] = []
    for batch in answer.batches():
        texts = (
            array.to_pylist()
            for array in text_columns(batch.slice(0, most + 1 - len(rows)), columns)
        )
        rows += zip(*texts, strict=True)
        if len(rows) > most:
            break
    answer.close()
    shown = Shown(min(len(rows), most), len(rows) > most)
    widest = _WIDEST_CELL if is_terminal else None
    clean = [[_cell(value, widest) for value in row] for row in rows[:most]]
    names = [harmless(column.name) for column in columns]
    needed = _needed(names, clean)
    width = shutil.get_terminal_size().columns if is_terminal else max(needed, 80)
    out = Console(width=width, highlight=False, markup=False, emoji=False)
    if needed > width:
        _show_records(names, clean, out)
    else:
        right = [column.type.category == _NUMERIC for column in columns]
        out.print(_table(names, clean, right))
    return shown


def footer(answer: SqlAnswer, shown: Shown, seconds: float | None) -> list[str]:
    """Returns what is said below an answer: what it took, what is missing, what is NULL instead."""
    rows = f"{shown.rows} row{'' if shown.rows == 1 else 's'}"
    parts = [f"first {rows}, there are more" if shown.has_more else rows]
    if seconds is not None:
        parts.append(f"{seconds:.2f} s")
    parts += [f"{answer.rows_fetched} rows fetched", answer.engine]
    reasons = {one.name: f" {one.rv_code} {one.reason}" for one in answer.sources if one.rv_code}
    missing = [f"missing: {name}{reasons.get(name, '')}" for name in answer.missing]
    notices = [f"notice: {one}" for one in answer.notices]
    return [" · ".join(parts), *(harmless(line).rstrip() for line in (*missing, *notices))]


def _cell(value: str | None, widest: int | None) -> str | None:
    if value is None:
        return None
    clean = harmless(value)
    return clean if widest is None or len(clean) <= widest else f"{clean[: widest - 1]}…"


def _needed(names: Sequence[str], rows: Rows) -> int:
    widths = [cell_len(name) for name in names]
    for row in rows:
        widths = [
            max(width, 4 if value is None else cell_len(value))
            for width, value in zip(widths, row, strict=True)
        ]
    return sum(width + _GAP for width in widths)


def _table(names: Sequence[str], rows: Rows, right: Sequence[bool]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for name, is_number in zip(names, right, strict=True):
        table.add_column(Text(name), justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_NULL if value is None else Text(value) for value in row))
    return table


def _show_records(names: Sequence[str], rows: Rows, out: Console) -> None:
    for number, row in enumerate(rows, 1):
        out.print(Text(f"row {number}", style="bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, max_width=out.width // 2)
        grid.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            grid.add_row(Text(name, style="dim"), _NULL if value is None else Text(value))
        out.print(grid)
