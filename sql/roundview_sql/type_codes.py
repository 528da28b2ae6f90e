"""Decides which of PostgreSQL's types a column is: OID, size and modifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from roundview_federation.dialect.translate import OutputColumn
from roundview_federation.dialect.types import PgType

BOOL: Final = 16
BYTEA: Final = 17
CHAR: Final = 18
NAME: Final = 19
INT8: Final = 20
INT2: Final = 21
INT2VECTOR: Final = 22
INT4: Final = 23
REGPROC: Final = 24
TEXT: Final = 25
OID: Final = 26
XID: Final = 28
CID: Final = 29
OIDVECTOR: Final = 30
JSON: Final = 114
FLOAT4: Final = 700
FLOAT8: Final = 701
UNKNOWN: Final = 705
BPCHAR: Final = 1042
VARCHAR: Final = 1043
DATE: Final = 1082
TIME: Final = 1083
TIMESTAMP: Final = 1114
TIMESTAMPTZ: Final = 1184
INTERVAL: Final = 1186
NUMERIC: Final = 1700
UUID: Final = 2950
JSONB: Final = 3802
RECORD: Final = 2249
REGCLASS: Final = 2205
REGTYPE: Final = 2206
REGNAMESPACE: Final = 4089

OIDS: Final = (OID, XID, CID, REGPROC, REGCLASS, REGTYPE, REGNAMESPACE)
"""Types whose binary form is a whole number of 4 bytes without a sign."""

_NAMES: Mapping[str, int] = MappingProxyType(
    {
        "boolean": BOOL, "smallint": INT2, "integer": INT4, "bigint": INT8, "real": FLOAT4,
        "double precision": FLOAT8, "numeric": NUMERIC, "text": TEXT,
        "character varying": VARCHAR, "date": DATE, "time without time zone": TIME,
        "timestamp without time zone": TIMESTAMP, "timestamp with time zone": TIMESTAMPTZ,
        "interval": INTERVAL, "uuid": UUID, "json": JSON, "unknown": TEXT, "record": RECORD,
    }
)  # fmt: skip
_ARRAYS: Mapping[int, int] = MappingProxyType(
    {
        BOOL: 1000, BYTEA: 1001, CHAR: 1002, NAME: 1003, INT2: 1005, INT2VECTOR: 1006, INT4: 1007,
        REGPROC: 1008, TEXT: 1009, OID: 1028, OIDVECTOR: 1013, BPCHAR: 1014, VARCHAR: 1015,
        INT8: 1016, FLOAT4: 1021, FLOAT8: 1022, DATE: 1182, TIME: 1183, TIMESTAMP: 1115,
        TIMESTAMPTZ: 1185, INTERVAL: 1187, NUMERIC: 1231, UUID: 2951, JSON: 199, JSONB: 3807,
        REGCLASS: 2210, REGTYPE: 2211,
    }
)  # fmt: skip
_ELEMENTS: Mapping[int, int] = MappingProxyType({array: one for one, array in _ARRAYS.items()})
_SIZES: Mapping[int, int] = MappingProxyType(
    {
        BOOL: 1, CHAR: 1, INT2: 2, INT4: 4, INT8: 8, FLOAT4: 4, FLOAT8: 8, DATE: 4, TIME: 8,
        TIMESTAMP: 8, TIMESTAMPTZ: 8, INTERVAL: 16, UUID: 16, NAME: 64, UNKNOWN: -2,
        **dict.fromkeys(OIDS, 4),
    }
)  # fmt: skip
_DECLARED: Mapping[int, str] = MappingProxyType(
    {
        **{oid: name for name, oid in _NAMES.items() if name not in ("unknown", "record")},
        BPCHAR: "text", NAME: "text", CHAR: "text", JSONB: "json", OID: "bigint",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """Describes one column of a result: its name, and its type as RowDescription has it.

    Without `is_exact` a numeric has as many places as it needs. `table` and `number` are the
    relation and column that it shows, 0 where it shows none.
    """

    name: str
    oid: int
    typmod: int = -1
    is_exact: bool = True
    table: int = 0
    number: int = 0

    @property
    def size(self) -> int:
        """Returns the bytes of each value, -1 where they differ."""
        return _SIZES.get(self.oid, -1)


def oid_of(type_: PgType) -> int:
    """Returns the OID of a type of the dialect.

    >>> from roundview_federation.dialect.types import BIGINT, array_of
    >>> oid_of(BIGINT), oid_of(array_of(BIGINT))
    (20, 1016)
    """
    if type_.element is not None:
        return _ARRAYS.get(oid_of(type_.element), _ARRAYS[TEXT])
    return _NAMES.get(type_.name, TEXT)


def column_of(column: OutputColumn) -> Column:
    """Returns how a column of an answer is described."""
    type_ = column.type
    return Column(column.name, oid_of(type_), type_.modifier, type_.exact)


def declared(oid: int) -> str:
    """Returns what the dialect calls the type that a client declares, "" for one to be inferred.

    >>> declared(23), declared(1007), declared(0)
    ('integer', 'integer[]', '')
    """
    element = _ELEMENTS.get(oid)
    if element is not None:
        name = _DECLARED.get(element, "")
        return f"{name}[]" if name else ""
    return _DECLARED.get(oid, "")


def element_of(oid: int) -> int | None:
    """Returns the OID of the elements of an array type, None for what is no array."""
    return _ELEMENTS.get(oid)


def array_of(oid: int) -> int:
    """Returns the OID of the arrays of a type, that of texts where there is none."""
    return _ARRAYS.get(oid, _ARRAYS[TEXT])


def size_of(oid: int) -> int:
    """Returns the bytes of each value of a type, -1 where they differ."""
    return _SIZES.get(oid, -1)
