"""Knows every function that an expression may call: its types, Python and exactness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp

from roundview_catalog.types import Kind, Type

TEXT, BOOLEAN, INTEGER, BIGINT = (
    Type(Kind.TEXT),
    Type(Kind.BOOLEAN),
    Type(Kind.INTEGER),
    Type(Kind.BIGINT),
)
DECIMAL, FLOAT = Type(Kind.DECIMAL), Type(Kind.FLOAT)

_ALL = frozenset({"sqlite", "duckdb", "postgres", "mysql", "trino"})
_NOT_SQLITE = _ALL - {"sqlite"}
_POSTGRES = frozenset({"postgres"})


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the table.

    `arguments`: (key of the node, family) in the order of the Python function; a family that
    ends in `?` may be left out, one that ends in `!` may be NULL. Families: text, number,
    whole, any. `result` None is the first argument's type. `exact` names the dialects that
    compute it as PostgreSQL does for text and integers; `can_fail` tells whether some values
    raise an error.
    """

    name: str
    python: str
    arguments: tuple[tuple[str, str], ...]
    result: Type | None
    exact: frozenset[str] = frozenset()
    can_fail: bool = False


def _row(
    name: str,
    python: str,
    arguments: str,
    result: Type | None,
    exact: frozenset[str] = frozenset(),
    *,
    can_fail: bool = False,
) -> Function:
    pairs = [argument.split(":") for argument in arguments.split()]
    return Function(name, python, tuple((k, f) for k, f in pairs), result, exact, can_fail)


_TWO = "this:text expression:"
NODES: Mapping[type[exp.Expr], Function] = MappingProxyType(
    {
        exp.Lower: _row("lower", "lower", "this:text", TEXT, _POSTGRES),
        exp.Upper: _row("upper", "upper", "this:text", TEXT, _POSTGRES),
        exp.Left: _row("left", "left", _TWO + "whole", TEXT, _POSTGRES),
        exp.Right: _row("right", "right", _TWO + "whole", TEXT, _POSTGRES),
        exp.Substring: _row(
            "substring",
            "substring",
            "this:text start:whole length:whole?",
            TEXT,
            _POSTGRES,
            can_fail=True,
        ),
        exp.Length: _row("length", "len", "this:text", INTEGER, _ALL - {"mysql"}),
        exp.Replace: _row(
            "replace", "replace", "this:text expression:text replacement:text", TEXT, _NOT_SQLITE
        ),
        exp.SplitPart: _row(
            "split_part",
            "split_part",
            "this:text delimiter:text part_index:whole",
            TEXT,
            _POSTGRES,
            can_fail=True,
        ),
        exp.StrPosition: _row("strpos", "strpos", "this:text substr:text", INTEGER, _POSTGRES),
        exp.Pad: _row(
            "lpad",
            "lpad",
            "this:text expression:whole fill_pattern:text?",
            TEXT,
            _POSTGRES,
            can_fail=True,
        ),
        exp.Trim: _row("trim", "trim", "this:text expression:text?", TEXT, _POSTGRES),
        exp.Abs: _row("abs", "absolute", "this:number", None, _POSTGRES, can_fail=True),
        exp.Floor: _row("floor", "floor", "this:number", None, _POSTGRES, can_fail=True),
        exp.Ceil: _row("ceil", "ceil", "this:number", None, _POSTGRES, can_fail=True),
        exp.Round: _row(
            "round", "rounded", "this:number decimals:whole?", None, _POSTGRES, can_fail=True
        ),
    }
)
"""Functions that have a node of their own and whose arguments must not be NULL."""

OWN: Mapping[str, Function] = MappingProxyType(
    {
        row.name: row
        for row in (
            _row("normalize_email", "normalize_email", "0:text", TEXT),
            _row("normalize_phone", "normalize_phone", "0:text 1:text?!", TEXT),
            _row("normalize_name", "normalize_name", "0:text", TEXT),
            _row("normalize_code", "normalize_code", "0:text", TEXT),
            _row("normalize_handle", "normalize_handle", "0:text", TEXT),
            _row("country_code", "country_code", "0:text", TEXT),
            _row("email_domain", "email_domain", "0:text", TEXT),
            _row("phone_country", "phone_country", "0:text", TEXT),
            _row("is_mobile", "is_mobile", "0:text", BOOLEAN),
        )
    }
)
"""Functions that only Roundview has; they are computed on arrival."""

AGGREGATES: Mapping[type[exp.Expr], tuple[str, str]] = MappingProxyType(
    {
        exp.Sum: ("sum", "aggregate_sum"),
        exp.Count: ("count", "aggregate_count"),
        exp.Min: ("min", "aggregate_min"),
        exp.Max: ("max", "aggregate_max"),
        exp.Avg: ("avg", "aggregate_avg"),
        exp.GroupConcat: ("string_agg", "aggregate_text"),
        exp.LogicalOr: ("bool_or", "aggregate_or"),
        exp.LogicalAnd: ("bool_and", "aggregate_and"),
    }
)
"""Aggregates over the rows of a child: SQL name and Python name."""

_FORMS = (
    "coalesce nullif greatest least concat concat_ws substr ltrim rtrim btrim rpad position mod "
    "cast try_cast date_trunc extract to_timestamp char_length"
)
NAMES: tuple[str, ...] = tuple(
    sorted(
        {row.name for row in NODES.values()}
        | set(OWN)
        | {sql for sql, _ in AGGREGATES.values()}
        | set(_FORMS.split())
    )
)
"""Every name that a call may have, for suggestions."""

CAST_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "INT": Kind.INTEGER,
        "SMALLINT": Kind.INTEGER,
        "BIGINT": Kind.BIGINT,
        "TEXT": Kind.TEXT,
        "VARCHAR": Kind.TEXT,
        "DECIMAL": Kind.DECIMAL,
        "DOUBLE": Kind.FLOAT,
        "BOOLEAN": Kind.BOOLEAN,
        "DATE": Kind.DATE,
        "TIMESTAMP": Kind.TIMESTAMP,
        "TIMESTAMPTZ": Kind.TIMESTAMPTZ,
        "UUID": Kind.UUID,
        "JSON": Kind.JSON,
        "JSONB": Kind.JSON,
    }
)
"""Types that a CAST may name, as the parser calls them."""

TRUNC_UNITS = frozenset(["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"])
EXTRACT_UNITS = frozenset(
    [
        "YEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "DAY",
        "DOW",
        "ISODOW",
        "DOY",
        "HOUR",
        "MINUTE",
        "SECOND",
        "EPOCH",
    ]
)
EXTRACT_TIMES = frozenset({"HOUR", "MINUTE", "SECOND"})
