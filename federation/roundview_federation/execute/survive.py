"""Chooses the value of each customer field when it is read, and remembers why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from roundview_catalog.types import Kind
from roundview_federation.plan import Origin
from roundview_federation.result import Losing, Rows, Survived
from roundview_federation.rewrite.derive import CustomerPlan, SurvivingField

_NEVER = datetime.min.replace(tzinfo=UTC)


def survive(
    plan: CustomerPlan,
    reads: Mapping[str, Mapping[int, list[tuple[Any, ...]]]],
    index: int,
    customer_id: str | None,
    link_state: str,
) -> tuple[Rows, dict[str, Survived]]:
    """Returns the one row of a customer and the provenance of the fields that were asked.

    `reads`: section -> customer index -> rows. Ties fall to the row that changed last, then to
    one that is declared primary, then to the smallest (source, source_key, slot), so that the
    choice does not depend on which source answered first. A row without a value has no say.
    """
    values: list[Any] = []
    provenance: dict[str, Survived] = {}
    chosen: dict[str, tuple[Any, tuple[Any, ...] | None, list[tuple[Any, ...]]]] = {}
    for name, how in plan.fields.items():
        rows = [row for row in reads[how.section].get(index, ()) if row[how.index] is not None]
        chosen[name] = (*_choose(how, rows), rows)
    for name in plan.columns:
        if name == "customer_id":
            values.append(customer_id)
        elif name == "link_state":
            values.append(link_state)
        else:
            values.append(chosen[name][0])
    for name in plan.provenance:
        if name not in chosen:
            continue
        value, winner, rows = chosen[name]
        if winner is not None:
            provenance[name] = _provenance(plan.fields[name], value, winner, rows)
    row = (None, None, None, None, *values)
    return Rows([row]), provenance


def _choose(how: SurvivingField, rows: list[tuple[Any, ...]]) -> tuple[Any, tuple[Any, ...] | None]:
    if not rows:
        return None, None
    if len(rows) == 1:
        return rows[0][how.index], rows[0]
    rule = _rule(how)
    if rule == "union":
        ranked = _ranked(how, rows)
        return ", ".join(dict.fromkeys(row[how.index] for row in ranked)), ranked[0]
    if rule == "trusted":
        rows = _most_trusted(rows, how.rule.trusted)
    elif rule == "most_frequent":
        counts = Counter(row[how.index] for row in rows)
        most = max(counts.values())
        rows = [row for row in rows if counts[row[how.index]] == most]
    elif rule == "most_complete":
        lengths = [len(str(row[how.index])) for row in rows]
        longest = max(lengths)
        rows = [row for row, length in zip(rows, lengths, strict=True) if length == longest]
    # Where the rule has chosen, and that is usual, nothing is left to rank.
    winner = rows[0] if len(rows) == 1 else _ranked(how, rows)[0]
    return winner[how.index], winner


def _ranked(how: SurvivingField, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sorts rows among which the rule does not choose: changed last, primary, smallest record."""
    ranked = sorted(rows, key=_tie)
    if how.primary_index >= 0:
        ranked.sort(key=lambda row: row[how.primary_index] is not True)
    ranked.sort(key=lambda row: row[how.updated_index] or _NEVER, reverse=True)
    return ranked


def _rule(how: SurvivingField) -> str:
    """Returns the rule that a field follows: a union is of texts, other values do not add up."""
    if how.rule.trusted:
        return "trusted"
    if how.rule.rule == "union" and how.type.kind is not Kind.TEXT:
        return "most_recent"
    return how.rule.rule


def _tie(row: tuple[Any, ...]) -> tuple[str, str, str]:
    origin: Origin = row[0]
    return origin.source, row[1], row[2]


def _most_trusted(rows: list[tuple[Any, ...]], trusted: Sequence[str]) -> list[tuple[Any, ...]]:
    """Returns the rows of the first source or system that has any, all where none has."""
    for name in trusted:
        own = [row for row in rows if name in (row[0].source, row[0].source_system)]
        if own:
            return own
    return rows


def _provenance(
    how: SurvivingField, value: Any, winner: tuple[Any, ...], rows: list[tuple[Any, ...]]
) -> Survived:
    origin: Origin = winner[0]
    rule = _rule(how)
    losing: tuple[Losing, ...] = ()
    if rule != "union":
        losing = tuple(
            Losing(row[how.index], row[0].source, row[1])
            for row in sorted(rows, key=_tie)
            if row[how.index] != value
        )
    return Survived(how.name, origin.source, winner[1], rule, origin.as_of, losing)
