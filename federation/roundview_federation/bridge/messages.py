"""Decides what the calls of Trino's Thrift connector look like on the wire.

Field numbers are the protocol's, attribute names are ours.
"""

from __future__ import annotations

from typing import Any, Final

from thrift.Thrift import TType

BELOW, EXACTLY, ABOVE = 1, 2, 3
"""Where a bound lies: just below, at, or just above its value."""


class Struct:
    """A struct of the protocol: what was not sent is None."""

    thrift_spec: tuple[Any, ...] = ()

    def __init__(self, **fields: Any) -> None:
        if fields:
            self.__dict__.update(fields)


def _spec(**fields: Any) -> tuple[Any, ...]:
    """Returns a spec from fields in the protocol's order, numbered from 1; `_` skips a number."""
    numbered = [
        None if name.startswith("_") else (at, kind[0], name, kind[1], None)
        for at, (name, kind) in enumerate(fields.items(), 1)
    ]
    return (None, *numbered)


def _struct(of: type[Struct]) -> tuple[int, Any]:
    return TType.STRUCT, [of, of.thrift_spec]


def _list(of: tuple[int, Any]) -> tuple[int, Any]:
    return TType.LIST, (of[0], of[1], False)


def _set(of: tuple[int, Any]) -> tuple[int, Any]:
    return TType.SET, (of[0], of[1], False)


_BOOL: Final = (TType.BOOL, None)
_I32: Final = (TType.I32, None)
_I64: Final = (TType.I64, None)
_DOUBLE: Final = (TType.DOUBLE, None)
_TEXT: Final = (TType.STRING, "UTF8")
_BYTES: Final = (TType.STRING, "BINARY")


class Integers(Struct):
    nulls: list[bool] | None = None
    values: list[int] | None = None
    thrift_spec = _spec(nulls=_list(_BOOL), values=_list(_I32))


class Bigints(Struct):
    nulls: list[bool] | None = None
    values: list[int] | None = None
    thrift_spec = _spec(nulls=_list(_BOOL), values=_list(_I64))


class Doubles(Struct):
    nulls: list[bool] | None = None
    values: list[float] | None = None
    thrift_spec = _spec(nulls=_list(_BOOL), values=_list(_DOUBLE))


class Booleans(Struct):
    nulls: list[bool] | None = None
    values: list[bool] | None = None
    thrift_spec = _spec(nulls=_list(_BOOL), values=_list(_BOOL))


class Texts(Struct):
    """Texts one after the other in `bytes`; a NULL has the size 0."""

    nulls: list[bool] | None = None
    sizes: list[int] | None = None
    bytes: bytes | None = None
    thrift_spec = _spec(nulls=_list(_BOOL), sizes=_list(_I32), bytes=_BYTES)


class Block(Struct):
    """Values of one column: exactly one of these is there."""

    integer: Integers | None = None
    bigint: Bigints | None = None
    double: Doubles | None = None
    varchar: Texts | None = None
    boolean: Booleans | None = None
    date: Integers | None = None
    timestamp: Bigints | None = None
    thrift_spec = _spec(
        integer=_struct(Integers),
        bigint=_struct(Bigints),
        double=_struct(Doubles),
        varchar=_struct(Texts),
        boolean=_struct(Booleans),
        date=_struct(Integers),
        timestamp=_struct(Bigints),
    )


class Id(Struct):
    id: bytes | None = None
    thrift_spec = _spec(id=_BYTES)


class Token(Struct):
    token: Id | None = None
    thrift_spec = _spec(token=_struct(Id))


class TableName(Struct):
    schema: str | None = None
    table: str | None = None
    thrift_spec = _spec(schema=_TEXT, table=_TEXT)


class Marker(Struct):
    """A bound; without a value it is no bound at all."""

    value: Block | None = None
    bound: int | None = None
    thrift_spec = _spec(value=_struct(Block), bound=_I32)


class Range(Struct):
    low: Marker | None = None
    high: Marker | None = None
    thrift_spec = _spec(low=_struct(Marker), high=_struct(Marker))


class Everything(Struct):
    all: bool | None = None
    thrift_spec = _spec(all=_BOOL)


class Listed(Struct):
    inclusive: bool | None = None
    values: list[Block] | None = None
    thrift_spec = _spec(inclusive=_BOOL, values=_list(_struct(Block)))


class Ranges(Struct):
    ranges: list[Range] | None = None
    thrift_spec = _spec(ranges=_list(_struct(Range)))


class ValueSet(Struct):
    everything: Everything | None = None
    listed: Listed | None = None
    ranges: Ranges | None = None
    thrift_spec = _spec(
        everything=_struct(Everything), listed=_struct(Listed), ranges=_struct(Ranges)
    )


class Domain(Struct):
    """What a column's values may be."""

    values: ValueSet | None = None
    nulls: bool | None = None
    thrift_spec = _spec(values=_struct(ValueSet), nulls=_BOOL)


class Constraint(Struct):
    """What holds of columns together; without domains no row meets it."""

    domains: dict[str, Domain] | None = None
    thrift_spec = _spec(
        domains=(TType.MAP, (TType.STRING, "UTF8", TType.STRUCT, _struct(Domain)[1], False))
    )


class Page(Struct):
    blocks: list[Block] | None = None
    rows: int | None = None
    next: Id | None = None
    thrift_spec = _spec(blocks=_list(_struct(Block)), rows=_I32, next=_struct(Id))


class SchemaOrNull(Struct):
    schema: str | None = None
    thrift_spec = _spec(schema=_TEXT)


class ColumnsOrNull(Struct):
    columns: set[str] | None = None
    thrift_spec = _spec(columns=_set(_TEXT))


class Column(Struct):
    name: str | None = None
    type: str | None = None
    comment: str | None = None
    hidden: bool | None = None
    thrift_spec = _spec(name=_TEXT, type=_TEXT, comment=_TEXT, hidden=_BOOL)


class Table(Struct):
    name: TableName | None = None
    columns: list[Column] | None = None
    comment: str | None = None
    keys: list[set[str]] | None = None
    thrift_spec = _spec(
        name=_struct(TableName),
        columns=_list(_struct(Column)),
        comment=_TEXT,
        keys=_list(_set(_TEXT)),
    )


class TableOrNull(Struct):
    table: Table | None = None
    thrift_spec = _spec(table=_struct(Table))


class Host(Struct):
    host: str | None = None
    port: int | None = None
    thrift_spec = _spec(host=_TEXT, port=_I32)


class Split(Struct):
    id: Id | None = None
    hosts: list[Host] | None = None
    thrift_spec = _spec(id=_struct(Id), hosts=_list(_struct(Host)))


class Splits(Struct):
    splits: list[Split] | None = None
    next: Id | None = None
    thrift_spec = _spec(splits=_list(_struct(Split)), next=_struct(Id))


class Failure(Struct):
    message: str | None = None
    retryable: bool | None = None
    thrift_spec = _spec(message=_TEXT, retryable=_BOOL)


# -- answers: field 0 of what comes back, or field 1 for a failure ---------------------------


class Schemas(Struct):
    found: list[str] | None = None
    thrift_spec = ((0, TType.LIST, "found", _list(_TEXT)[1], None),)


class Tables(Struct):
    found: list[TableName] | None = None
    thrift_spec = ((0, TType.LIST, "found", _list(_struct(TableName))[1], None),)


class Failed(Struct):
    failure: Failure | None = None
    thrift_spec = _spec(failure=_struct(Failure))


class Unknown(Struct):
    """An error of the protocol itself."""

    message: str | None = None
    type: int | None = None
    thrift_spec = _spec(message=_TEXT, type=_I32)


# -- calls: the arguments of each method -----------------------------------------------------


class ListSchemas(Struct):
    name = "trinoListSchemaNames"
    thrift_spec = (None,)


class ListTables(Struct):
    name = "trinoListTables"
    of: SchemaOrNull | None = None
    thrift_spec = _spec(of=_struct(SchemaOrNull))


class GetTable(Struct):
    name = "trinoGetTableMetadata"
    table: TableName | None = None
    thrift_spec = _spec(table=_struct(TableName))


class GetSplits(Struct):
    """`desired` bounds the columns; every method gets those it wants anyway."""

    name = "trinoGetSplits"
    table: TableName | None = None
    desired: ColumnsOrNull | None = None
    constraint: Constraint | None = None
    most: int | None = None
    next: Token | None = None
    thrift_spec = _spec(
        table=_struct(TableName),
        desired=_struct(ColumnsOrNull),
        constraint=_struct(Constraint),
        most=_I32,
        next=_struct(Token),
    )


class GetIndexSplits(Struct):
    """`keys` has a block for each of `key_columns`: unique rows without NULL."""

    name = "trinoGetIndexSplits"
    table: TableName | None = None
    key_columns: list[str] | None = None
    columns: list[str] | None = None
    keys: Page | None = None
    constraint: Constraint | None = None
    most: int | None = None
    next: Token | None = None
    thrift_spec = _spec(
        table=_struct(TableName),
        key_columns=_list(_TEXT),
        columns=_list(_TEXT),
        keys=_struct(Page),
        constraint=_struct(Constraint),
        most=_I32,
        next=_struct(Token),
    )


class GetRows(Struct):
    name = "trinoGetRows"
    split: Id | None = None
    columns: list[str] | None = None
    most_bytes: int | None = None
    next: Token | None = None
    thrift_spec = _spec(
        split=_struct(Id), columns=_list(_TEXT), most_bytes=_I64, next=_struct(Token)
    )


CALLS: Final[tuple[type[Any], ...]] = (
    ListSchemas,
    ListTables,
    GetTable,
    GetSplits,
    GetIndexSplits,
    GetRows,
)
