"""Decides what types expressions have: PostgreSQL's, and what DuckDB holds them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sqlglot import exp

from roundview_catalog.types import Kind, Type

MAX_DIGITS = 38


@dataclass(frozen=True, slots=True)
class PgType:
    """One type of PostgreSQL: `PgType("numeric", 18, 4)`.

    A numeric's precision and scale are those of the DECIMAL that holds it; `exact` tells that
    PostgreSQL shows every value with just that scale. `element` is that of an array. `modifier` is
    what PostgreSQL calls that: of a column or a cast with a size, -1 of anything else.
    """

    name: str
    precision: int | None = None
    scale: int | None = None
    exact: bool = True
    element: PgType | None = None
    modifier: int = field(default=-1, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.element}[]" if self.element is not None else self.name

    @property
    def category(self) -> str:
        """Returns N number, S string, B boolean, D date or time, T interval, X unknown."""
        return _CATEGORIES.get(self.name, "U")

    @property
    def is_integer(self) -> bool:
        """Tells whether it is one of the three whole numbers."""
        return self.name in _INTEGERS

    @property
    def digits(self) -> int:
        """Returns how many digits the number can have before the point."""
        if self.name == "numeric":
            return (self.precision or MAX_DIGITS) - (self.scale or 0)
        return _INTEGERS[self.name]


SMALLINT = PgType("smallint")
INTEGER = PgType("integer")
BIGINT = PgType("bigint")
REAL = PgType("real")
DOUBLE = PgType("double precision")
TEXT = PgType("text")
VARCHAR = PgType("character varying")
BOOLEAN = PgType("boolean")
DATE = PgType("date")
TIME = PgType("time without time zone")
TIMESTAMP = PgType("timestamp without time zone")
TIMESTAMPTZ = PgType("timestamp with time zone")
INTERVAL = PgType("interval")
UUID = PgType("uuid")
JSON = PgType("json")
UNKNOWN = PgType("unknown")
ROW = PgType("record")

_INTEGERS = {"smallint": 5, "integer": 10, "bigint": 19}
_RANKS = {
    "smallint": 0, "integer": 1, "bigint": 2, "numeric": 3, "real": 4, "double precision": 5,
    "date": 0, "timestamp without time zone": 1, "timestamp with time zone": 2,
}  # fmt: skip
_CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "smallint": "N", "integer": "N", "bigint": "N", "numeric": "N", "real": "N",
        "double precision": "N", "text": "S", "character varying": "S", "boolean": "B",
        "date": "D", "timestamp without time zone": "D", "timestamp with time zone": "D",
        "time without time zone": "M", "interval": "T", "unknown": "X",
    }
)  # fmt: skip
_DUCK = {
    "smallint": exp.DType.SMALLINT,
    "integer": exp.DType.INT,
    "bigint": exp.DType.BIGINT,
    "real": exp.DType.FLOAT,
    "double precision": exp.DType.DOUBLE,
    "text": exp.DType.VARCHAR,
    "character varying": exp.DType.VARCHAR,
    "boolean": exp.DType.BOOLEAN,
    "date": exp.DType.DATE,
    "time without time zone": exp.DType.TIME,
    "timestamp without time zone": exp.DType.TIMESTAMP,
    "timestamp with time zone": exp.DType.TIMESTAMPTZ,
    "interval": exp.DType.INTERVAL,
    "uuid": exp.DType.UUID,
    "json": exp.DType.JSON,
}
_KINDS = {
    Kind.INTEGER: INTEGER,
    Kind.BIGINT: BIGINT,
    Kind.FLOAT: DOUBLE,
    Kind.BOOLEAN: BOOLEAN,
    Kind.DATE: DATE,
    Kind.TIMESTAMP: TIMESTAMP,
    Kind.TIMESTAMPTZ: TIMESTAMPTZ,
    Kind.UUID: UUID,
    Kind.JSON: JSON,
}


def numeric(precision: int, scale: int, exact: bool = True) -> PgType:
    """Returns the numeric that a DECIMAL of this size holds, no larger than DuckDB has it."""
    return PgType("numeric", max(1, min(MAX_DIGITS, max(precision, scale))), scale, exact)


def sized(type_: PgType) -> PgType:
    """Returns a numeric whose size was declared: PostgreSQL tells it to clients."""
    modifier = ((type_.precision or 0) << 16 | (type_.scale or 0)) + 4
    return replace(type_, modifier=modifier)


def array_of(element: PgType) -> PgType:
    """Returns the type of arrays of an element."""
    return PgType("array", element=element)


def of_column(type_: Type) -> PgType:
    """Returns the type of a canonical column."""
    if type_.kind is Kind.DECIMAL:
        return sized(numeric(*type_.digits))
    return _KINDS.get(type_.kind, TEXT)


def as_numeric(type_: PgType) -> PgType:
    """Returns the numeric that holds every value of a numeric or whole number."""
    return type_ if type_.name == "numeric" else numeric(type_.digits, 0)


def duck(type_: PgType) -> exp.DataType:
    """Returns DuckDB's type as a new tree."""
    if type_.name == "numeric":
        return exp.DataType(
            this=exp.DType.DECIMAL,
            expressions=[
                exp.DataTypeParam(this=exp.Literal(this=str(size), is_string=False))
                for size in (type_.precision or MAX_DIGITS, type_.scale or 0)
            ],
        )
    if type_.element is not None:
        return exp.DataType(this=exp.DType.ARRAY, expressions=[duck(type_.element)], nested=True)
    return exp.DataType(this=_DUCK[type_.name])


def implicit(source: PgType, target: PgType) -> bool:
    """Tells whether PostgreSQL converts without being asked."""
    if source.name == target.name or source is UNKNOWN:
        return source.element == target.element
    if source.category != target.category or source.name not in _RANKS:
        return source.category == "S" == target.category
    return target.name in _RANKS and _RANKS[source.name] < _RANKS[target.name]


def common(types: Iterable[PgType]) -> PgType | None:
    """Returns the type that CASE, COALESCE, IN, VALUES and set operations give, None if none.

    All unknown gives text.
    """
    found: PgType | None = None
    modifiers = set()
    for type_ in types:
        modifiers.add(type_.modifier)
        if type_ is UNKNOWN:
            continue
        if found is None:
            found = type_
        elif type_.name == "numeric" == found.name:
            found = _wider(found, type_)
        elif type_.name == found.name and type_.element == found.element:
            continue
        elif type_.category != found.category:
            return None
        elif type_.category == "S":
            continue
        elif implicit(found, type_):
            found = _wider(found, type_) if type_.name == "numeric" else type_
        elif implicit(type_, found):
            found = _wider(found, type_) if found.name == "numeric" else found
        else:
            return None
    if found is None:
        return TEXT
    modifier = modifiers.pop() if len(modifiers) == 1 else -1
    return found if found.modifier == modifier else replace(found, modifier=modifier)


def _wider(left: PgType, right: PgType) -> PgType:
    first, second = as_numeric(left), as_numeric(right)
    scale = max(first.scale or 0, second.scale or 0)
    exact = first.exact and second.exact and first.scale == second.scale
    return replace(numeric(max(first.digits, second.digits) + scale, scale), exact=exact)
