"""Decides what a column of a REST table is in the JSON of its resource, at any depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roundview_catalog import coerce
from roundview_catalog.errors import RequestError
from roundview_catalog.model import SourceTable
from roundview_catalog.tables import Column, RestTable
from roundview_catalog.types import Type
from roundview_federation.connectors.rest.values import Get, getter, reader, root_of


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """Where a column's value is: `get` finds it in a row, `decode` gives it its type.

    `resource_column` is the column of the resource that it is or comes from ("" for none):
    what paths and filters can bind.
    """

    get: Get
    decode: Get
    resource_column: str


@dataclass(frozen=True, slots=True)
class RestRows:
    """One REST table: its resource, the arrays to unfold below each row, and its columns.

    A row of the resource is its JSON object; a row of an array inside is (item, row above).
    """

    name: str
    resource: SourceTable
    declared: RestTable
    arrays: tuple[Get, ...]
    columns: Mapping[str, ColumnValue]
    needs: Mapping[str, frozenset[str]]
    """column -> top names of the resource's JSON that it needs; "" for the whole object"""

    def unfold(self, rows: Iterable[Any]) -> list[Any]:
        """Returns the table's rows below rows of the resource."""
        found = list(rows)
        for array in self.arrays:
            found = [(item, above) for above in found for item in array(_leaf(above)) or ()]
        return found


def rest_rows(name: str, tables: Mapping[str, SourceTable]) -> RestRows:
    """Returns how a table of the catalog is read; raises RequestError if it is not REST."""
    table = tables.get(name)
    if table is None or not isinstance(table.access, RestTable):
        raise RequestError(f"{name} is not a REST table", code="RV103")
    access = table.access
    if access.within is None:
        columns = {
            column: ColumnValue(
                _formatted(getter(declared.path or column), declared.format),
                _decoder(table.columns[column].type),
                column,
            )
            for column, declared in access.columns.items()
        }
        needs = {
            column: frozenset({root_of(declared.path or column)})
            for column, declared in access.columns.items()
        }
        return RestRows(name, table, access, (), columns, needs)
    above = rest_rows(access.within, tables)
    # What lies in an array is found only if the array is there.
    array = frozenset({root_of(access.rows)}) if not above.arrays else _any_need(above)
    inner: dict[str, ColumnValue] = {}
    needs = {}
    for column, declared in access.columns.items():
        inner[column], own = _inside(column, declared, table.columns[column].type, above)
        needs[column] = array | own
    arrays = (*above.arrays, getter(access.rows))
    return RestRows(name, above.resource, above.declared, arrays, inner, needs)


def _inside(
    column: str, declared: Column, type_: Type, above: RestRows
) -> tuple[ColumnValue, frozenset[str]]:
    path = declared.path or column
    if not path.startswith("^"):
        own = getter(path)
        get = _formatted(lambda row: own(row[0]), declared.format)
        return ColumnValue(get, _decoder(type_), ""), frozenset()
    name = path.removeprefix("^")
    known = above.columns.get(name)
    if known is not None:
        outer = known.get
        value = ColumnValue(lambda row: outer(row[1]), _decoder(type_), known.resource_column)
        return value, above.needs[name]
    found = getter(name)
    get = _formatted(lambda row: found(_leaf(row[1])), declared.format)
    needs = frozenset() if above.arrays else frozenset({root_of(name)})
    return ColumnValue(get, _decoder(type_), ""), needs


def _any_need(above: RestRows) -> frozenset[str]:
    return frozenset.intersection(*above.needs.values()) if above.needs else frozenset()


def _leaf(row: Any) -> Any:
    return row[0] if row.__class__ is tuple else row


def _formatted(get: Get, form: str) -> Get:
    read = reader(form)
    if read is None:
        return get
    return lambda row: read(get(row))


def _decoder(type_: Type) -> Get:
    return coerce.decoder(type_) or (lambda value: value)
