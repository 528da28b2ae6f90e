"""Decides which tables Trino finds behind the bridge, with which columns, types and keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_catalog.model import Catalog, SourceColumn, SourceTable
from roundview_catalog.tables import FileTable
from roundview_catalog.types import Kind, Type
from roundview_federation.bridge import messages
from roundview_federation.bridged import (
    OWN_SCHEMA,
    XREF_COLUMNS,
    XREF_TABLE,
    BridgedType,
    bridged_schemas,
    bridged_type,
    trino_names,
)
from roundview_federation.connectors.port import Connector
from roundview_federation.key_sets import in_keys
from roundview_federation.plan import Fragment

KEY_KINDS: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.BIGINT})
"""What equal keys are equal texts or numbers of in every source."""
_ALIAS: Final = "t"
_XREF_KEYS: Final = (
    frozenset({"source_key"}),
    frozenset({"source", "source_key"}),
    frozenset({"customer_id"}),
    frozenset({"source", "customer_id"}),
)


@dataclass(frozen=True)
class BridgedTable:
    """One table as Trino sees it; `columns` are by their names there.

    `source` is "" for what is ours. `keys` are the sets of columns by which rows are found
    without reading the table.
    """

    schema: str
    name: str
    source: str
    table: SourceTable
    columns: Mapping[str, SourceColumn]

    @cached_property
    def types(self) -> Mapping[str, BridgedType]:
        """Returns how the values of each column travel."""
        return {name: bridged_type(column.type) for name, column in self.columns.items()}

    def keys(self, connector: Connector | None) -> tuple[frozenset[str], ...]:
        """Returns the sets of columns by which rows are found without reading the table."""
        if connector is None:
            return _XREF_KEYS
        names = {column.name: name for name, column in self.columns.items()}
        found = dict.fromkeys(
            frozenset(names[column] for column in columns)
            for columns in _indexed(self.table, connector)
            if all(column in names and _is_key(self.table.columns[column]) for column in columns)
        )
        return tuple(found)

    def described(self, connector: Connector | None) -> messages.Table:
        """Returns the table's metadata for Trino."""
        columns = [
            messages.Column(
                name=name, type=self.types[name].trino, comment=str(column.type), hidden=False
            )
            for name, column in self.columns.items()
        ]
        keys = [set(key) for key in self.keys(connector)]
        name = messages.TableName(schema=self.schema, table=self.name)
        return messages.Table(name=name, columns=columns, keys=keys)


def bridged_tables(catalog: Catalog) -> Mapping[tuple[str, str], BridgedTable]:
    """Returns every table behind the bridge by its schema and name in Trino."""
    found = [_xref_table()]
    for source_name, schema in bridged_schemas(catalog).items():
        source = catalog.sources[source_name]
        names = trino_names(source.tables)
        for name, table in source.tables.items():
            columns = trino_names(table.columns)
            found.append(
                BridgedTable(
                    schema=schema,
                    name=names[name],
                    source=source.name,
                    table=table,
                    columns={columns[one]: column for one, column in table.columns.items()},
                )
            )
    return MappingProxyType({(one.schema, one.name): one for one in found})


def column_of(name: str) -> exp.Column:
    """Returns a column of the one table that a fragment of the bridge reads."""
    return exp.column(exp.to_identifier(name, quoted=True), table=_ALIAS)


def selecting(table: SourceTable, columns: Sequence[exp.Column]) -> exp.Select:
    """Returns a SELECT of columns of one table, called c0, c1 …"""
    named = exp.Table(
        this=exp.to_identifier(table.name, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(_ALIAS)),
    )
    return exp.select(
        *(exp.alias_(column.copy(), f"c{at}") for at, column in enumerate(columns))
    ).from_(named)


def _xref_table() -> BridgedTable:
    columns = {name: SourceColumn(name, type_) for name, type_ in XREF_COLUMNS.items()}
    table = SourceTable(name=XREF_TABLE, physical=XREF_TABLE, columns=columns)
    return BridgedTable(OWN_SCHEMA, XREF_TABLE, "", table, columns)


def _indexed(table: SourceTable, connector: Connector) -> Iterator[tuple[str, ...]]:
    """Yields the columns by which a source finds rows of a table.

    An API says so by its paths and filters, a file by its buckets: any other key would be a
    reading of the whole table for every batch of keys.
    """
    if isinstance(table.access, FileTable):
        if table.access.bucket_by is not None:
            yield (table.access.bucket_by.column,)
    elif table.access is not None:
        yield from ((column,) for column in table.columns if _takes_keys(table, column, connector))
    else:
        for columns in (table.primary_key, *table.unique, *table.indexes):
            if columns:
                yield columns[:1]
                yield columns


def _is_key(column: SourceColumn) -> bool:
    return column.type.kind in KEY_KINDS


def _takes_keys(table: SourceTable, column: str, connector: Connector) -> bool:
    """Tells whether an API is better asked for keys of a column than for the whole table.

    With a call for each key it is not, unless there is no other way.
    """
    named = column_of(column)
    tree = selecting(table, [named])
    scan = Fragment("keys", connector.source, tree, (Type(Kind.TEXT),), (), (), is_scan=True)
    keyed = replace(
        scan, tree=tree.where(in_keys(named.copy(), "keys")), keysets=("keys",), is_scan=False
    )
    try:
        call = connector.compile(keyed)
    except RequestError:
        return False
    if getattr(call, "keys_per_call", 0) != 1:
        return True
    try:
        connector.compile(scan)
    except RequestError:
        return True
    return False
