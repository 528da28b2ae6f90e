"""Decides what a statement about the catalog means, and what the engine is told for it."""

from roundview_sql.metadata.binding.binder import Binder, Bound

__all__ = ["Binder", "Bound"]
