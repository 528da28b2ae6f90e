"""Decides what a source's mappings mean: branches, each a SELECT in disguise."""

from __future__ import annotations

from roundview_catalog.mapping.compiler import compile_branches
from roundview_catalog.mapping.selection import readable, select

__all__ = ["compile_branches", "readable", "select"]
