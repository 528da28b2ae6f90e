"""Decides how keys stand in a statement of PostgreSQL, and what types they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sqlglot import exp

from roundview_catalog.model import SourceColumn
from roundview_catalog.types import Kind
from roundview_federation.connectors.postgres import columns
from roundview_federation.connectors.statement import Nodes, Scope
from roundview_federation.key_sets import keyset_of, part_of_keyset

_EXACT: Final = frozenset({"smallint", "integer", "bigint", "uuid"})
_KEYS: Final = "roundview_keys"


def is_exact(column: SourceColumn | None) -> bool:
    """Tells whether keys can be a table of the column's own type and be joined with it."""
    if column is None:
        return False
    base = columns.base_of(column)
    if column.type.is_text and base != "uuid":
        return columns.is_known_text(column) and not columns.is_blind(column)
    return base in _EXACT


def is_row(row: exp.Tuple, scope: Scope) -> bool:
    """Tells whether the columns of a composite key are compared as one row."""
    return all(
        isinstance(column, exp.Column) and is_exact(scope.column(column))
        for column in row.expressions
    )


def typed_array(keyset: str, column: SourceColumn) -> exp.Expr:
    """Returns a key set as an array of the column's own type."""
    base = columns.base_of(column)
    if column.type.is_text and base != "uuid":
        # Cut to the column's length, two keys would be one.
        base = "bpchar" if base.startswith("character(") else "text"
    kind = exp.DataType.build(f"{base}[]", "postgres")
    return exp.Cast(this=exp.Placeholder(this=keyset), to=kind)


def bind_rows(tree: exp.Select, scope: Scope) -> Iterator[tuple[str, ...]]:
    """Replaces `(a, b) = ANY(:keys)` by the rows of one array for each column; in place.

    Yields the names of the arrays that belong together.
    """
    for node in list(tree.find_all(exp.EQ)):
        found = keyset_of(node)
        if found is None or not isinstance(found[0], exp.Tuple):
            continue
        row, name = found
        parts = [part_of_keyset(name, at) for at in range(len(row.expressions))]
        names = [exp.to_identifier(f"k{at}") for at in range(len(parts))]
        arrays = [
            typed_array(part, declared)
            for part, column in zip(parts, row.expressions, strict=True)
            if (declared := scope.column(column)) is not None
        ]
        alias = exp.TableAlias(this=exp.to_identifier(_KEYS), columns=names)
        keys = exp.select(*(exp.column(one.copy(), table=_KEYS) for one in names))
        keys = keys.from_(exp.Unnest(expressions=arrays, alias=alias))
        node.replace(exp.In(this=row.copy(), query=exp.Subquery(this=keys)))
        yield tuple(parts)


def declared_kinds(nodes: Nodes, scope: Scope) -> Mapping[str, Kind]:
    """Returns the kind that the catalog says of the column of each key set."""
    found: dict[str, Kind] = {}
    for node in nodes.get(exp.EQ, ()):
        keys = keyset_of(node)
        if keys is None:
            continue
        column, name = keys
        parts = {name: column}
        if isinstance(column, exp.Tuple):
            parts = {part_of_keyset(name, at): c for at, c in enumerate(column.expressions)}
        for part, one in parts.items():
            declared = scope.column(one) if isinstance(one, exp.Column) else None
            if declared is not None:
                found[part] = declared.type.kind
    return found
