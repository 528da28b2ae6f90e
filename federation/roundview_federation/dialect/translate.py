"""Decides what a resolved question means to DuckDB, and the types of its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.types import Type
from roundview_federation.dialect.names import NAMES
from roundview_federation.dialect.queries import Translator
from roundview_federation.dialect.types import PgType, of_column


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of a result: PostgreSQL's name, which need not be unique, and type."""

    name: str
    type: PgType


@dataclass(frozen=True, slots=True)
class Translated:
    """A question in DuckDB's meaning.

    `parameters` are the types of $1, $2 …, written `$p1`, `$p2` in the tree (unknown where
    nothing says more); `uses_clock` tells that the time of the statement is to be given as `$now`.
    """

    tree: exp.Query
    columns: tuple[OutputColumn, ...]
    parameters: Mapping[int, PgType]
    uses_clock: bool


def translate(tree: exp.Query, schema: Mapping[str, Mapping[str, Type]]) -> Translated:
    """Makes a resolved tree mean to DuckDB what it means to PostgreSQL.

    Works on the tree it is given. `schema` has every relation that the tree reads, which may be
    more than what `resolve` was given. Raises RequestError for what is unsupported (0A000) or
    has no meaning (42883, 42804 …), with its position.
    """
    translator = Translator(_Relations(schema))
    names = tree.meta_get(NAMES)
    made, types = translator.rows(tree)
    inner = made
    while not isinstance(inner, exp.Select):
        inner = inner.this
    if names is None:
        names = tuple(projection.alias for projection in inner.expressions)
    columns = tuple(OutputColumn(name, type_) for name, type_ in zip(names, types, strict=True))
    return Translated(made, columns, translator.parameters, translator.uses_clock)


class _Relations(dict[str, Mapping[str, PgType]]):
    """The types of relations, each read when it is first asked for."""

    def __init__(self, schema: Mapping[str, Mapping[str, Type]]) -> None:
        super().__init__()
        self._schema = schema

    def __missing__(self, name: str) -> Mapping[str, PgType]:
        found = {column: of_column(type_) for column, type_ in self._schema[name].items()}
        self[name] = found
        return found

    def get(self, name: str, default: object = None) -> Mapping[str, PgType] | None:  # type: ignore[override]
        return self[name] if name in self._schema else None
