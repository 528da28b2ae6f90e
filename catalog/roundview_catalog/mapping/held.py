"""Decides which tables of an API may be joined: those that are held in memory, by equality."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.mapping.reader import Path, Reader
from roundview_catalog.tables import RestTable


def check_held(reader: Reader, joins: Sequence[exp.Join], path: Path) -> None:
    """Raises Wrong, with a problem in the report, for a join that only a database can do."""
    for join in joins:
        at = expressions.offset_of(join.this)
        name = join.this.name
        access = reader.tables[name].access if isinstance(join.this, exp.Table) else None
        if not isinstance(access, RestTable) or access.hold is None:
            hint = "hold it if it is small and has no customers; else use parent or in:"
            raise reader.wrong(path, "RV211", f"{name} is not held and cannot be joined", hint, at)
        if join.side not in ("", "LEFT") or not _is_by_columns(join):
            hint = f"JOIN {name} h ON h.id = x.column"
            message = "an API's tables are joined by equal columns"
            raise reader.wrong(path, "RV211", message, hint, at)


def _is_by_columns(join: exp.Join) -> bool:
    """Tells whether each condition equates a column of the held table with one of another."""
    found = list(expressions.conjuncts(join.args.get("on")))
    alias = join.this.alias_or_name
    return bool(found) and all(
        isinstance(one, exp.EQ)
        and isinstance(one.this, exp.Column)
        and isinstance(one.expression, exp.Column)
        and (one.this.table == alias) != (one.expression.table == alias)
        for one in found
    )
