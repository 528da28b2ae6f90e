"""Decides what a source's mappings mean: branches, each a SELECT in disguise."""

from __future__ import annotations

from roundview_catalog.mapping.compiler import compile_branches
from roundview_catalog.mapping.mirrors import check_mirrors
from roundview_catalog.mapping.selection import readable, select

__all__ = ["check_mirrors", "compile_branches", "readable", "select"]
