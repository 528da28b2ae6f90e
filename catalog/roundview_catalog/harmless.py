"""Decides what of a text may reach a terminal."""

from __future__ import annotations

import unicodedata


def harmless(text: str) -> str:
    """Returns text of the same length in which nothing steers a terminal."""
    if text.isascii() and text.isprintable():
        return text
    # Cc steers terminals, Cf holds the marks that reverse the direction of a whole line.
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)
