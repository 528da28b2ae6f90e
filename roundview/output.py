"""Decides how a customer looks on a terminal: the person first, then what is below."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

_HEAD = ("full_name", "email", "phone", "address", "birth_date", "gender")
_HIDDEN = frozenset(
    {"source_key", "source_created_at", "source_updated_at", "as_of", "fetched_at",
     "business_unit", "region", "slot", "source"}
)  # fmt: skip


def customer_text(view: dict[str, Any]) -> str:
    """Returns a customer view as lines that fit 100 columns."""
    lines = []
    if view["customer_id"] is None:
        lines.append("nobody is known by that")
    else:
        lines.append(f"{view.get('full_name') or 'no name'}  ({view['link_state']})")
        lines += [f"  {name:12} {view[name]}" for name in _HEAD[1:] if view.get(name) is not None]
        for name, rows in view.items():
            if isinstance(rows, list) and name != "sources" and rows:
                lines.append(f"{name.replace('_', ' ')}: {len(rows)}")
                lines += [_row(row) for row in rows[:10]]
    for source in view["sources"]:
        said = f"{source['status']}, {source['rows']} rows, {source['ms']:.1f} ms"
        lines.append(f"[{source['name']}] {said} {source['reason']}".rstrip())
    if not view["complete"]:
        lines.append("this view is not complete: see the sources above")
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    shown = [
        _value(value)
        for name, value in row.items()
        if value is not None and name not in _HIDDEN and not name.endswith("_key")
    ]
    text = "  ".join(shown)
    return f"  {row['source']:8} {text[:88]}"


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list):
        return f"{len(value)} below"
    return str(value)
