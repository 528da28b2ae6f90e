"""Decides how single values are written in answers and read from questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from graphql import GraphQLError

from roundview_catalog import normalizers
from roundview_catalog.model import Catalog, IdentifierKind
from roundview_catalog.types import Kind
from roundview_graphql.names import pascal

_LONGEST_NUMBER = 64
_LARGEST = 2**63 - 1

SCALAR_OF: Mapping[Kind, str] = {
    Kind.TEXT: "String",
    Kind.INTEGER: "Int",
    Kind.BIGINT: "BigInt",
    Kind.DECIMAL: "Decimal",
    Kind.FLOAT: "Float",
    Kind.BOOLEAN: "Boolean",
    Kind.DATE: "Date",
    Kind.TIMESTAMP: "DateTime",
    Kind.TIMESTAMPTZ: "DateTime",
    Kind.UUID: "String",
    Kind.JSON: "JSON",
    Kind.COUNTRY: "String",
    Kind.CURRENCY: "String",
    Kind.LANGUAGE: "String",
}
"""Kind -> name of its scalar; enums have a type of their own."""

DESCRIPTIONS: Mapping[str, str] = {
    "BigInt": "A 64-bit integer, as a string.",
    "Decimal": "An exact decimal number, as a string.",
    "Date": "A day, ISO 8601: 2024-02-29.",
    "DateTime": "An instant, ISO 8601 in UTC: 2024-02-29T12:30:00Z.",
    "JSON": "A JSON value as the source has it.",
}


def as_text(value: Any) -> str | None:
    """Returns a value of any kind as text, as a losing value is shown.

    >>> as_text(True), as_text(Decimal("1.50")), as_text(date(2024, 2, 29))
    ('true', '1.50', '2024-02-29')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        shown = value if value.tzinfo else value.replace(tzinfo=UTC)
        return shown.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def serializers() -> Mapping[str, Callable[[Any], Any]]:
    """Returns how graphql-core writes each scalar, equal to what builders generate."""
    return {
        "BigInt": str,
        "Decimal": str,
        "Date": _same,
        "DateTime": _same,
        "JSON": _same,
    }


def parsers(catalog: Catalog) -> Mapping[str, Callable[[Any], Any]]:
    """Returns how each scalar is read; impossible identifiers are refused here."""
    regions = tuple(
        dict.fromkeys(
            s.defaults.phone_region for s in catalog.sources.values() if s.defaults.phone_region
        )
    )
    return {
        "BigInt": _big_integer,
        "Decimal": _decimal,
        "Date": _date,
        "DateTime": _instant,
        **{
            identifier_scalar(kind.name): _identifier(kind, regions)
            for kind in catalog.canonical.identifiers.values()
        },
    }


def identifier_scalar(kind: str) -> str:
    """Returns the scalar of an identifier kind.

    >>> identifier_scalar("order_number")
    'OrderNumberIdentifier'
    """
    return pascal(kind) + "Identifier"


def refusal(message: str, code: str = "RV105", hint: str = "") -> GraphQLError:
    """Returns the error of a value that cannot be what it should; it never shows the value."""
    # The message is repeated because graphql-core puts its own, with the value, before it.
    extensions = {"rv": code, "message": message}
    return GraphQLError(message, extensions={**extensions, "hint": hint} if hint else extensions)


def _identifier(kind: IdentifierKind, regions: Iterable[str]) -> Callable[[Any], str]:
    shown = kind.name.replace("_", " ")
    known = tuple(regions)

    def parse(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise refusal(f"{shown} is text", "RV101")
        text = str(value)
        if not normalizers.candidates(kind.normalizer, text, known):
            raise refusal(f"not a possible {shown}", "RV101", "check what was typed")
        return text

    return parse


def _big_integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise refusal("BigInt is an integer in a string")
    try:
        number = int(value) if len(str(value)) <= _LONGEST_NUMBER else None
    except ValueError:
        number = None
    if number is None or not -_LARGEST - 1 <= number <= _LARGEST:
        raise refusal("BigInt is a 64-bit integer in a string")
    return number


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int):
        # A float has lost digits before it came here.
        raise refusal("Decimal is a number in a string", hint='write "12.50"')
    try:
        number = Decimal(value) if len(str(value)) <= _LONGEST_NUMBER else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise refusal("Decimal is a finite number in a string")
    return number


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise refusal("Date is a day as in 2024-02-29") from None


def _instant(value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        instant = None
    if instant is None or instant.tzinfo is None:
        raise refusal("DateTime is an instant with its zone", hint="write 2024-02-29T12:30:00Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise refusal("DateTime is out of range") from None


def _same(value: Any) -> Any:
    return value
