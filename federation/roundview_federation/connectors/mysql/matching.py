"""Decides whether the server's tables can still be those that a catalog means."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from roundview_catalog.model import SourceColumn
from roundview_catalog.types import Kind
from roundview_federation.connectors.mysql.layout import Layout, NativeColumn
from roundview_federation.connectors.mysql.values import Nature, nature_of
from roundview_federation.connectors.statement import Scope
from roundview_federation.plan import Fragment


class Mismatch(Exception):
    """The server's tables are not those of the schema file; the text says which."""


def check(fragment: Fragment, scope: Scope, layout: Layout) -> None:
    """Raises Mismatch where a table or column is gone, or has values of another nature."""
    for alias, table in scope.tables.items():
        if table.view is not None:
            continue
        if not layout.has_table(table.physical):
            raise Mismatch(f"has no table {table.name}")
        for name in _used(fragment, scope, alias):
            declared = table.columns.get(name)
            native = layout.column(table.physical, name)
            if native is None:
                raise Mismatch(f"has no column {table.name}.{name}")
            if declared is not None and not _fits(declared, native):
                raise Mismatch(f"has another type than declared in {table.name}.{name}")


def _used(fragment: Fragment, scope: Scope, alias: str) -> Iterator[str]:
    declared = scope.tables[alias].columns
    for tree in (fragment.tree, *(child.tree for child in fragment.children)):
        for column in tree.find_all(exp.Column):
            if column.table == alias or (not column.table and column.name in declared):
                yield column.name


def _fits(declared: SourceColumn, native: NativeColumn) -> bool:
    """Tells whether a column can still be meant: text is no number, and no number is text."""
    meant = nature_of(declared.type.kind)
    if meant is Nature.NUMBER and declared.type.kind is not Kind.BOOLEAN:
        return native.nature is Nature.NUMBER
    return meant is not Nature.TEXT or native.nature is not Nature.NUMBER
