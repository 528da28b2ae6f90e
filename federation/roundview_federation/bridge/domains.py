"""Decides what of Trino's constraint on a table a source is asked, on top of exact keys.

A condition may let through more rows than the constraint, never fewer: Trino judges every row
of a scan again. Keys of an index join are another matter, they are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.model import SourceColumn
from roundview_catalog.types import Kind
from roundview_federation.bridge.blocks import values
from roundview_federation.bridge.frames import MalformedError
from roundview_federation.bridge.messages import (
    ABOVE,
    BELOW,
    EXACTLY,
    Constraint,
    Domain,
    Marker,
    Page,
    Range,
)
from roundview_federation.bridge.tables import KEY_KINDS, column_of
from roundview_federation.bridged import bridged_type
from roundview_federation.connectors.port import Capabilities
from roundview_federation.key_sets import in_keys, part_of_keyset


@dataclass(slots=True)
class Conditions:
    """Conjuncts over the columns of a table, and the values that they name."""

    conjuncts: list[exp.Expr] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    keysets: list[str] = field(default_factory=list)

    def equal(self, column: exp.Expr, known: Sequence[Any]) -> None:
        """Adds that a column has one of some values, or a row of columns one of some rows."""
        name = f"v{len(self.values)}"
        if len(known) == 1 and isinstance(column, exp.Column):
            self.compare(exp.EQ, column, known[0])
            return
        self.values[name] = list(known)
        self.keysets.append(name)
        self.conjuncts.append(in_keys(column, name))
        if isinstance(column, exp.Tuple):
            for at, part in enumerate(zip(*known, strict=True)):
                self.values[part_of_keyset(name, at)] = list(part)

    def compare(self, way: type[exp.Expr], column: exp.Expr, value: Any) -> None:
        """Adds a comparison with one value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        self.conjuncts.append(way(this=column, expression=exp.Placeholder(this=name)))


class NothingError(Exception):
    """No row can meet the constraint."""


def add_constraint(
    conditions: Conditions,
    constraint: Constraint | None,
    columns: Mapping[str, SourceColumn],
    capabilities: Capabilities,
) -> None:
    """Adds what a source can use of a constraint on columns by their names in Trino.

    Raises NothingError where no row can meet it, MalformedError where it cannot be meant.
    """
    if constraint is None:
        return
    if constraint.domains is None:
        raise NothingError
    for name, domain in constraint.domains.items():
        column = columns.get(name)
        if column is None:
            raise MalformedError
        _add_domain(conditions, domain, column, capabilities)


def key_rows(columns: Sequence[SourceColumn], keys: Page | None) -> list[tuple[Any, ...]]:
    """Returns the rows of a batch of keys; raises MalformedError for what cannot be keys."""
    blocks = [] if keys is None else keys.blocks or []
    if not columns or len(blocks) != len(columns):
        raise MalformedError
    try:
        found = [values(block) for block in blocks]
        rows = list(zip(*found, strict=True))
    except (ValueError, UnicodeDecodeError):
        raise MalformedError from None
    for column, held in zip(columns, found, strict=True):
        if not _are_values(column, [one for one in held if one is not None]):
            raise MalformedError
    return [row for row in dict.fromkeys(rows) if None not in row]


_NUMBERS: Final = (Kind.INTEGER, Kind.BIGINT)


def _add_domain(
    conditions: Conditions, domain: Domain, column: SourceColumn, capabilities: Capabilities
) -> None:
    known = domain.values
    if known is None:
        raise MalformedError
    takes_nulls = bool(domain.nulls)
    if known.everything is not None:
        if not takes_nulls:
            _add_all(conditions, bool(known.everything.all), column, capabilities)
        elif not known.everything.all:
            _add_null(conditions, column, capabilities)
        return
    listed = known.listed
    ranges = known.ranges.ranges or [] if known.ranges is not None else []
    if listed is not None and not listed.inclusive:
        return
    is_empty = not (listed.values if listed is not None else ranges)
    if is_empty and not takes_nulls:
        raise NothingError
    if is_empty:
        _add_null(conditions, column, capabilities)
    elif takes_nulls or listed is not None:
        return
    elif column.type.kind in KEY_KINDS:
        _add_ranges(conditions, ranges, column, capabilities)
    elif capabilities.dialect == "duckdb":
        _add_span(conditions, ranges, column)


def _add_all(
    conditions: Conditions, has_values: bool, column: SourceColumn, capabilities: Capabilities
) -> None:
    if not has_values:
        raise NothingError
    if "Is" in capabilities.filters:
        conditions.conjuncts.append(exp.Not(this=_is_null(column)))


def _add_null(conditions: Conditions, column: SourceColumn, capabilities: Capabilities) -> None:
    if "Is" in capabilities.filters:
        conditions.conjuncts.append(_is_null(column))


def _is_null(column: SourceColumn) -> exp.Expr:
    return exp.Is(this=column_of(column.name), expression=exp.Null())


def _add_ranges(
    conditions: Conditions,
    ranges: Sequence[Range],
    column: SourceColumn,
    capabilities: Capabilities,
) -> None:
    known = list(_single_values(ranges))
    if None not in known:
        if not _are_values(column, known):
            raise MalformedError
        conditions.equal(column_of(column.name), known)
        return
    if column.type.kind not in _NUMBERS:
        # What comes before what in a text, a source may see otherwise.
        return
    low, high = ranges[0].low, ranges[-1].high
    for marker, exclusive, ways in (
        (low, ABOVE, (exp.GTE, exp.GT)),
        (high, BELOW, (exp.LTE, exp.LT)),
    ):
        value = _marked(marker)
        if value is None or marker is None:
            continue
        if not _are_values(column, [value]):
            raise MalformedError
        way = ways[marker.bound == exclusive]
        if way.__name__ in capabilities.filters:
            conditions.compare(way, column_of(column.name), value)


def _add_span(conditions: Conditions, ranges: Sequence[Range], column: SourceColumn) -> None:
    """Adds from where to where dates and exact numbers lie, a step wider on both sides.

    A file may hold more digits than are declared: what is rounded to a bound lies beside it.
    """
    for marker, way, step in ((ranges[0].low, exp.GTE, -1), (ranges[-1].high, exp.LTE, 1)):
        bound = _marked(marker)
        with suppress(OverflowError):
            if column.type.kind is Kind.DATE and type(bound) is date:
                widened: Any = bound + timedelta(days=step)
            elif bridged_type(column.type).is_word and type(bound) is int:
                widened = Decimal(bound + step).scaleb(-(column.type.scale or 0))
            else:
                continue
            conditions.compare(way, column_of(column.name), widened)


def _single_values(ranges: Sequence[Range]) -> Iterator[Any]:
    """Yields the value of each range that is one value, and None for the first that is not."""
    for one in ranges:
        low, high = one.low, one.high
        if low is None or high is None:
            raise MalformedError
        if not low.bound == high.bound == EXACTLY:
            yield None
            return
        value = _marked(low)
        if value is None or value != _marked(high):
            yield None
            return
        yield value


def _marked(marker: Marker | None) -> Any:
    """Returns the value of a bound, None where there is none."""
    if marker is None or marker.value is None:
        return None
    try:
        found = values(marker.value)
    except (ValueError, UnicodeDecodeError):
        raise MalformedError from None
    if len(found) != 1:
        raise MalformedError
    return found[0]


def _are_values(column: SourceColumn, known: Sequence[Any]) -> bool:
    """Tells whether values can be compared with those of a key column."""
    expected = {int} if column.type.kind in _NUMBERS else {str}
    return column.type.kind in KEY_KINDS and set(map(type, known)) <= expected
