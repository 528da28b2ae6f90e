"""Decides how tables of sources look to Trino through the Thrift bridge: names, types, restoring.

The bridge writes what this module says, the Trino engine reads it back. Trino's Thrift connector
knows few types and only lower-case names; its timestamps have milliseconds. So exact numbers
travel as whole numbers of their last digit, times as microseconds since 1970.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from roundview_catalog.model import Catalog
from roundview_catalog.types import Kind, Type

BRIDGED: Final = frozenset({"sqlite", "files", "rest"})
"""Connectors whose sources Trino reaches through the bridge only."""
OWN_SCHEMA: Final = "roundview"
"""The schema of what is ours: never that of a source."""
XREF_TABLE: Final = "xref"
XREF_COLUMNS: Final[Mapping[str, Type]] = MappingProxyType(
    {
        "source": Type(Kind.TEXT),
        "source_key": Type(Kind.TEXT),
        "customer_id": Type(Kind.TEXT),
        "link_state": Type(Kind.TEXT),
    }
)
"""Whose record it is: a row for every record of a person. Sealed keys are opened."""

_FORBIDDEN: Final = re.compile("[^a-z0-9_]")
_MARK_CHARACTERS: Final = 8
_WIDEST_WORD: Final = 18
"""Digits of a decimal that always fit 64 bits."""
_WIDEST_DECIMAL: Final = 38
_NANOSECONDS: Final = "1000"
_TYPES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.INTEGER: "integer",
        Kind.BIGINT: "bigint",
        Kind.FLOAT: "double",
        Kind.BOOLEAN: "boolean",
        Kind.DATE: "date",
        Kind.TIMESTAMP: "bigint",
        Kind.TIMESTAMPTZ: "bigint",
    }
)


@dataclass(frozen=True, slots=True)
class BridgedType:
    """How values of one type travel: `trino` is the column's type there."""

    type: Type
    trino: str

    @property
    def is_scaled(self) -> bool:
        """Tells whether a value is the whole number of a decimal's last digits."""
        return is_exact(self.type)

    @property
    def is_word(self) -> bool:
        """Tells whether such a whole number travels as a bigint, which has an order."""
        return self.is_scaled and self.trino == "bigint"

    def restored(self, column: exp.Expr) -> exp.Expr:
        """Returns what gives a column of the bridge its own type again in Trino.

        A number whose digits the source does not tell stays the text that it is.

        >>> BridgedType(Type(Kind.DECIMAL, 12, 2), "bigint").restored(exp.column("a")).sql("trino")
        'CAST(CAST(a AS DECIMAL(38, 0)) * 0.01 AS DECIMAL(12, 2))'
        """
        if self.type.is_time:
            micros = _whole(column)
            nanos = exp.Mul(this=micros, expression=exp.Literal.number(_NANOSECONDS))
            instant = exp.Anonymous(this="from_unixtime_nanos", expressions=[nanos])
            zone = " WITH TIME ZONE" if self.type.kind is Kind.TIMESTAMPTZ else ""
            return _cast(instant, f"TIMESTAMP(6){zone}")
        if not self.is_scaled:
            return column.copy()
        number = _whole(column)
        scale = self.type.scale or 0
        if scale:
            last = exp.Literal.number(f"0.{'1'.rjust(scale, '0')}")
            number = exp.Mul(this=number, expression=last)
        return _cast(number, f"DECIMAL({self.type.precision}, {scale})")


def bridged_type(type_: Type) -> BridgedType:
    """Returns how values of a type travel.

    >>> bridged_type(Type(Kind.DECIMAL, 12, 2)).trino, bridged_type(Type(Kind.UUID)).trino
    ('bigint', 'varchar')
    """
    if is_exact(type_) and (type_.precision or 0) <= _WIDEST_WORD:
        return BridgedType(type_, "bigint")
    return BridgedType(type_, _TYPES.get(type_.kind, "varchar"))


def is_exact(type_: Type) -> bool:
    """Tells whether a type is a decimal whose digits are known and fit Trino's."""
    if type_.kind is not Kind.DECIMAL or type_.precision is None or type_.scale is None:
        return False
    return 0 <= type_.scale <= type_.precision <= _WIDEST_DECIMAL


def bridged_schemas(catalog: Catalog) -> Mapping[str, str]:
    """Returns the schema of each source behind the bridge; `roundview` is none of them.

    Tables in it, and columns in those, are called as `trino_names` says.
    """
    sources = (one.name for one in catalog.sources.values() if one.connector in BRIDGED)
    return trino_names(sources, taken=(OWN_SCHEMA,))


def trino_names(names: Iterable[str], taken: Iterable[str] = ()) -> Mapping[str, str]:
    """Returns what tables or columns that stand side by side are called in Trino.

    A name that another one would be mistaken for carries a mark made of itself, so that a name
    that Trino remembers never means something else after the catalog changed.

    >>> trino_names(["pos.north", "Id"])
    mappingproxy({'pos.north': 'pos_north', 'Id': 'id'})
    """
    asked = tuple(dict.fromkeys(names))
    counted = Counter((*map(_simple, asked), *taken))
    return MappingProxyType(
        {name: simple if counted[simple := _simple(name)] == 1 else _marked(name) for name in asked}
    )


def _simple(name: str) -> str:
    simple = _FORBIDDEN.sub("_", name.lower())
    return simple if simple[:1].isascii() and simple[:1].isalpha() else f"t{simple}"


def _marked(name: str) -> str:
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_simple(name)}_{mark[:_MARK_CHARACTERS]}"


def _whole(column: exp.Expr) -> exp.Expr:
    return _cast(column.copy(), f"DECIMAL({_WIDEST_DECIMAL}, 0)")


def _cast(value: exp.Expr, target: str) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build(target, dialect="trino"))
