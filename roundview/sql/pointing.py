"""Decides how the place of a mistake in a statement is shown: its line and a caret."""

from __future__ import annotations

from rich.cells import cell_len

from roundview_catalog.harmless import harmless

_WIDEST = 76


def pointed(text: str, position: int) -> str:
    """Returns the line of a statement with a caret below its `position`-th character (from 1).

    >>> print(pointed("SELECT a,\\n  bb FROM c", 13))
    LINE 2:   bb FROM c
              ^
    """
    at = min(max(position - 1, 0), len(text))
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : len(text) if end < 0 else end]
    column = at - start
    number = text.count("\n", 0, start) + 1
    left = max(0, column - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = line[left : left + _WIDEST]
    before = f"LINE {number}: {'…' if left else ''}"
    tail = "…" if left + _WIDEST < len(line) else ""
    indent = cell_len(before + harmless(shown[: column - left]))
    return f"{before}{harmless(shown)}{tail}\n{' ' * indent}^"
