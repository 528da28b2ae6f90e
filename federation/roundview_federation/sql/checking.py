"""Decides when what sources sent cannot be the answer: rows cut off, missing, or of odd values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roundview_catalog.errors import RequestError, SourceError
from roundview_federation.plan import NOT_ASKED, UNKNOWN_CODE
from roundview_federation.result import SourceStatus
from roundview_federation.sql.planned import PlannedRead
from roundview_federation.sql.streaming import too_many_rows


def check(
    planned: PlannedRead,
    statuses: Sequence[SourceStatus],
    failures: Mapping[str, SourceError],
    *,
    is_truncated: bool,
    is_partial: bool,
) -> None:
    """Raises for what would make the answer wrong: rows cut off, rows that did not come."""
    if is_truncated:
        raise too_many_rows(*(one.name for one in statuses if one.is_truncated))
    if not is_partial:
        check_values(planned, statuses)
        if failures:
            raise failures[min(failures)]


def check_values(planned: PlannedRead, statuses: Sequence[SourceStatus]) -> None:
    """Raises for values that are not of the type of their field, which would be NULL."""
    for status in statuses:
        unfit = sorted(
            name for name in status.noted if name != NOT_ASKED and not name.startswith(UNKNOWN_CODE)
        )
        if unfit:
            # What was not asked for, a row filter's column, may be hidden from the asker.
            named = [planned.named(name) for name in unfit if name in planned.inputs]
            fields = ", ".join(named) or planned.read.relation
            raise RequestError(
                f"{status.name} has values of {fields} that are not of their type",
                code="RV105",
                hint="map them with try_cast, or let them be NULL with --partial",
            )
