"""Decides what a source's values are as Arrow columns: the types, and that no value changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType, NoneType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from roundview_catalog import coerce
from roundview_catalog.errors import InternalError, SourceError
from roundview_catalog.expressions import casts
from roundview_catalog.model import SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.plan import Fragment

_WIDEST_DECIMAL: Final = 38
_WHOLE_SCALE: Final = 19
_ARROW: Final = MappingProxyType(
    {
        Kind.INTEGER: pa.int32(),
        Kind.BIGINT: pa.int64(),
        Kind.FLOAT: pa.float64(),
        Kind.BOOLEAN: pa.bool_(),
        Kind.DATE: pa.date32(),
        Kind.TIMESTAMP: pa.timestamp("us"),
        Kind.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
    }
)
_NATIVE: Final[Mapping[Kind, frozenset[type]]] = MappingProxyType(
    {
        Kind.INTEGER: frozenset({int}),
        Kind.BIGINT: frozenset({int}),
        Kind.FLOAT: frozenset({float}),
        Kind.DECIMAL: frozenset({int, Decimal}),
        Kind.BOOLEAN: frozenset({bool}),
        Kind.DATE: frozenset({date}),
        Kind.TIMESTAMP: frozenset({datetime}),
        Kind.TIMESTAMPTZ: frozenset({datetime}),
    }
)
_CLOCK: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
# Texts that Arrow reads as the decoder of the type does; everything else is the decoder's.
_PLAIN: Final = MappingProxyType(
    {
        Kind.INTEGER: r"^-?[0-9]{1,19}$",
        Kind.BIGINT: r"^-?[0-9]{1,19}$",
        Kind.FLOAT: r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$",
        Kind.DATE: r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        Kind.TIMESTAMP: f"{_CLOCK}$",
        Kind.TIMESTAMPTZ: f"{_CLOCK}(Z|[+-][0-9]{{2}}(:[0-9]{{2}})?)$",
        Kind.UUID: "^[-0-9a-f]*$",
    }
)
_NO_YEAR: Final = "0000"
_FAILURES: Final = (ValueError, TypeError, OverflowError, RecursionError, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class Outline:
    """The columns of a fragment's batches; `names` say where in the source each is from.

    What is handed in are values as drivers give them, or their texts; what comes out means what
    `coerce.decoder` of the column's type says. Raises SourceError RV403 for a value that is not
    of its type, which names the column and never the value.
    """

    source: str
    types: tuple[Type, ...]
    names: tuple[str, ...]
    schema: pa.Schema

    def batch(self, columns: Sequence[Sequence[Any] | pa.Array]) -> pa.RecordBatch:
        """Returns a batch of columns, each a list of values or an array."""
        arrays = [self._array(at, column) for at, column in enumerate(columns)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def rows(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        """Returns a batch of rows of values."""
        return self.batch(tuple(zip(*rows, strict=True)) if rows else [()] * len(self.types))

    def _array(self, at: int, column: Sequence[Any] | pa.Array) -> pa.Array:
        try:
            if isinstance(column, pa.Array):
                return from_arrow(column, self.types[at])
            return from_values(column, self.types[at])
        except _FAILURES:
            raise SourceError(
                self.source,
                f"{self.source} holds a value in {self.names[at]} that is no {self.types[at]}",
                code="RV403",
                hint="correct the value, or declare the column as text",
                retryable=False,
            ) from None


def outline_of(source: str, fragment: Fragment, tables: Mapping[str, SourceTable]) -> Outline:
    """Returns the columns of a fragment without children: c0, c1 … of their declared types."""
    if len(fragment.types) != len(fragment.tree.expressions) or fragment.children:
        raise InternalError(f"{source} was asked for batches without types, or with children")
    aliases = {one.alias_or_name: one.name for one in fragment.tree.find_all(exp.Table)}
    names = tuple(_origin(node, aliases) for node in fragment.tree.expressions)
    fields = [(f"c{at}", arrow_type(type_)) for at, type_ in enumerate(fragment.types)]
    return Outline(source, fragment.types, names, pa.schema(fields))


def arrow_type(type_: Type) -> pa.DataType:
    """Returns the Arrow type of a source type.

    An exact number whose digits the source does not tell, or of more than 38, is text.

    >>> arrow_type(Type(Kind.DECIMAL, 12, 2)), arrow_type(Type(Kind.UUID))
    (Decimal128Type(decimal128(12, 2)), DataType(string))
    """
    if type_.kind is Kind.DECIMAL:
        precision = _WIDEST_DECIMAL if type_.precision is None else type_.precision
        scale = type_.scale
        if scale is not None and 0 <= scale <= precision <= _WIDEST_DECIMAL:
            return pa.decimal128(precision, scale)
    return _ARROW.get(type_.kind, pa.string())


def from_values(values: Sequence[Any], type_: Type) -> pa.Array:
    """Returns a column of values as drivers give them; raises ValueError and Arrow's errors."""
    target = arrow_type(type_)
    classes = set(map(type, values))
    classes.discard(NoneType)
    if not classes:
        return pa.nulls(len(values), target)
    if classes == {str}:
        return from_arrow(pa.array(values, pa.string()), type_)
    if classes == {bytes} and type_.kind is Kind.TEXT:
        return pa.array(values, pa.string())
    if target.id != pa.string().id and classes <= _NATIVE.get(type_.kind, frozenset()):
        if type_.kind is Kind.FLOAT:
            return _numbers_only(pa.array(values, target))
        if type_.kind is Kind.TIMESTAMP:
            return pa.array(map(_naive, values), target)
        try:
            return pa.array(values, target)
        except pa.ArrowInvalid:
            # A decimal with more digits than its type, which is rounded as the type says.
            return _decoded(values, type_)
    if type_.kind is Kind.DECIMAL and classes <= {int, float}:
        # The shortest digits of a double are those of its text; no integer in it is beyond 2^53.
        return from_arrow(pa.array(values, pa.float64()).cast(pa.string()), type_)
    if type_.kind is Kind.BOOLEAN and len(classes) == 1:
        every = list(set(values))
        known = dict(zip(every, _decoded(every, type_).to_pylist(), strict=True))
        return pa.array([known[value] for value in values], target)
    return _decoded(values, type_)


def from_arrow(array: pa.Array, type_: Type) -> pa.Array:
    """Returns a column of an Arrow array, texts of any type included; raises like from_values."""
    target = arrow_type(type_)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _from_text(array.cast(pa.string()), type_, target)
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return _from_text(array.cast(pa.string()), type_, target)
    if _is_same(array.type, type_, target):
        if type_.kind is Kind.DECIMAL and pa.types.is_integer(array.type):
            # Arrow judges the type of whole numbers, not the numbers.
            array = array.cast(pa.decimal128(_WIDEST_DECIMAL, target.scale))
        # Nanoseconds are cut, as every driver of Python does.
        found = array.cast(target, safe=getattr(array.type, "unit", "") != "ns")
        if type_.kind is Kind.FLOAT:
            return _numbers_only(found)
        return _days_only(found) if pa.types.is_temporal(target) else found
    return from_values(array.to_pylist(maps_as_pydicts="strict"), type_)


def _is_same(given: pa.DataType, type_: Type, target: pa.DataType) -> bool:
    """Tells whether Arrow's own cast keeps every value that it takes."""
    if type_.kind in (Kind.INTEGER, Kind.BIGINT):
        return bool(pa.types.is_integer(given))
    if type_.kind is Kind.FLOAT:
        return bool(pa.types.is_floating(given))
    if type_.kind is Kind.DECIMAL and pa.types.is_decimal128(target):
        is_decimal = pa.types.is_decimal128(given) and given.scale <= target.scale
        return bool(is_decimal or (pa.types.is_integer(given) and target.scale <= _WHOLE_SCALE))
    if type_.is_time:
        has_fitting_zone = type_.kind is Kind.TIMESTAMPTZ or getattr(given, "tz", None) is None
        return bool(pa.types.is_timestamp(given)) and has_fitting_zone
    return bool(given == target)


def _from_text(array: pa.Array, type_: Type, target: pa.DataType) -> pa.Array:
    if type_.is_text and type_.kind is not Kind.UUID:
        return array
    pattern = _plain(type_, target)
    if pattern and _all_match(array, pattern):
        try:
            return array.cast(target)
        except pa.ArrowInvalid:
            # Whatever Arrow cannot read, the decoder may, or tells that nobody can.
            return _from_few(array, type_, target)
    if type_.kind is Kind.TIMESTAMPTZ and _all_match(array, _plain(Type(Kind.TIMESTAMP), target)):
        # A time that says no zone is UTC.
        return _from_text(array, Type(Kind.TIMESTAMP), pa.timestamp("us")).cast(target)
    return _from_few(array, type_, target)


def _plain(type_: Type, target: pa.DataType) -> str:
    if type_.kind is not Kind.DECIMAL:
        return _PLAIN.get(type_.kind, "")
    scale = target.scale if pa.types.is_decimal128(target) else _WIDEST_DECIMAL
    fraction = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    # Without a scale the number stays the text that it is, which must then be the only one.
    whole = "-?[0-9]+" if pa.types.is_decimal128(target) else "(0|-?[1-9][0-9]*)"
    return f"^{whole}{fraction}$"


def _all_match(array: pa.Array, pattern: str) -> bool:
    matched = pc.match_substring_regex(array, pattern)
    if pc.all(matched, min_count=0).as_py() is False:
        return False
    if not pattern.startswith("^[0-9]{4}-"):
        return True
    return not pc.any(pc.starts_with(array, _NO_YEAR)).as_py()


def _from_few(array: pa.Array, type_: Type, target: pa.DataType) -> pa.Array:
    """Returns the decoded texts, each distinct one decoded once."""
    encoded = array.dictionary_encode()
    decoded = _decoded(encoded.dictionary.to_pylist(), type_)
    return decoded.take(encoded.indices).cast(target)


def _decoded(values: Sequence[Any], type_: Type) -> pa.Array:
    decode = _cell(type_)
    found = [None if value is None else decode(value) for value in values]
    return pa.array(found, arrow_type(type_))


def _cell(type_: Type) -> Callable[[Any], Any]:
    """Returns what turns a value that is there into what Arrow holds of it."""
    if type_.kind is Kind.JSON:
        return _json_text
    decode = coerce.decoder(type_) or coerce.decoder(Type(Kind.TEXT))
    if decode is None:
        raise InternalError(f"{type_} cannot be decoded")
    if type_.kind is Kind.TIMESTAMP:
        return lambda value: _naive(decode(value))
    if type_.kind is Kind.DECIMAL and not pa.types.is_decimal128(arrow_type(type_)):
        return lambda value: casts.to_text(decode(value))
    return decode


def _json_text(value: Any) -> str | None:
    """Returns JSON as the text that it came as, or as PostgreSQL prints it; null is NULL."""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        return None if casts.to_json(value) is None else value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not JSON")
    return casts.to_text(value)


def _naive(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is not None:
        # Only a mapping knows the zone that a time without one is in.
        raise ValueError("a time with a zone in a column without one")
    return value


def _numbers_only(array: pa.Array) -> pa.Array:
    if pc.any(pc.is_nan(array)).as_py():
        raise ValueError("not a number")
    return array


def _days_only(array: pa.Array) -> pa.Array:
    # Infinity is the largest number to DuckDB; after the year 9999 there is no other time.
    first, last = (date.min, date.max)
    if pa.types.is_timestamp(array.type):
        zone = UTC if array.type.tz else None
        first, last = datetime.min.replace(tzinfo=zone), datetime.max.replace(tzinfo=zone)
    found = pc.min_max(array)
    if pc.less(found["min"], pa.scalar(first, array.type)).as_py() or (
        pc.greater(found["max"], pa.scalar(last, array.type)).as_py()
    ):
        raise ValueError("no time")
    return array


def _origin(node: exp.Expr, aliases: Mapping[str, str]) -> str:
    value = node.this if isinstance(node, exp.Alias) else node
    if not isinstance(value, exp.Column):
        return str(node.alias_or_name)
    only = next(iter(aliases.values())) if len(aliases) == 1 else ""
    table = aliases.get(value.table, only)
    return f"{table}.{value.name}" if table else str(value.name)
