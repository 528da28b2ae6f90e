"""Decides which values a column can hold at all: others find nothing, and are not sent.

Only asked when the driver or the server has refused a value, so ordinary calls pay nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import asyncpg

from roundview_catalog import coerce
from roundview_catalog.errors import RequestError
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.postgres import failures
from roundview_federation.connectors.postgres.statement import PostgresCall

_WHOLE: Final = {"int2": 15, "int4": 31, "int8": 63}
_TIMES: Final = {
    "date": Type(Kind.DATE),
    "timestamp": Type(Kind.TIMESTAMP),
    "timestamptz": Type(Kind.TIMESTAMPTZ),
}
_NUMBERS: Final = frozenset({*_WHOLE, "oid", "numeric", "float4", "float8"})
_FAMILIES: Final = MappingProxyType(
    {
        Kind.TEXT: frozenset({"text", "varchar", "bpchar", "citext", "name", "char"}),
        Kind.INTEGER: _NUMBERS,
        Kind.BIGINT: _NUMBERS,
        Kind.DECIMAL: _NUMBERS,
        Kind.UUID: frozenset({"uuid"}),
    }
)


class _TypeChanged(Exception):
    """A column has another type than the catalog says."""


class Unfit(Exception):
    """A value fits no column, so that nothing equals it."""


def fitting(
    source: str,
    call: PostgresCall,
    bound: Sequence[Any],
    statement: asyncpg.prepared_stmt.PreparedStatement[Any],
) -> list[Any]:
    """Returns the parameters as a statement's own types hold them, without keys that cannot be.

    Raises Unfit where nothing can be found, RequestError RV105 for a value that has no meaning
    there, SourceError RV403 where a column is not what the catalog says.
    """
    types = [parameter.name for parameter in statement.get_parameters()]
    try:
        return _fitting(call, bound, types)
    except _TypeChanged:
        raise failures.changed(source) from None
    except Unfit:
        if set(call.parameters) - call.keysets <= call.equalities:
            raise
        raise RequestError("a value does not fit its column", code="RV105") from None


def _fitting(call: PostgresCall, bound: Sequence[Any], types: Sequence[str]) -> list[Any]:
    result: list[Any] = []
    fitted: dict[str, list[Any]] = {}
    for name, value, type_ in zip(call.parameters, bound, types, strict=True):
        base = type_.removesuffix("[]")
        if name in call.keysets:
            family = _FAMILIES.get(call.declared.get(name, Kind.JSON))
            if family is not None and base not in family:
                raise _TypeChanged
            fitted[name] = [_fit(key, base) for key in value]
            result.append(fitted[name])
        else:
            fit = None if value is None else _fit(value, base)
            if fit is None and value is not None:
                raise Unfit
            result.append(fit)
    alone = [(name,) for name in fitted if not any(name in row for row in call.rows)]
    for row in (*alone, *call.rows):
        # Each key is kept or dropped as a whole.
        together = zip(*(fitted[name] for name in row), strict=True)
        kept = [key for key in together if None not in key]
        if not kept:
            raise Unfit
        for name, values in zip(row, zip(*kept, strict=True), strict=True):
            fitted[name][:] = values
    return result


def _fit(value: Any, base: str) -> Any:
    if base in _WHOLE:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole and -(1 << _WHOLE[base]) <= value < 1 << _WHOLE[base] else None
    try:
        if base == "uuid":
            return str(UUID(str(value)))
        if base == "numeric":
            return Decimal(value)
        if base in ("float4", "float8"):
            return float(value)
        if base in _TIMES:
            return value if isinstance(value, date | datetime) else _time(value, _TIMES[base])
        if base == "bool":
            return value if isinstance(value, bool) else None
    except (ValueError, InvalidOperation, TypeError):
        return None
    text = value if isinstance(value, str) else str(value)
    has_surrogate = any("\ud800" <= letter <= "\udfff" for letter in text)
    return None if "\0" in text or has_surrogate else text


def _time(value: Any, type_: Type) -> Any:
    decode = coerce.decoder(type_)
    return decode(value) if decode is not None else value
