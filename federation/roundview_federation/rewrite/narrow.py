"""Decides which conditions of the asker a source can use, turned onto its own columns.

A condition that goes to the source may let through more rows than the asker's, never fewer:
rows that arrive are judged again. A branch in which no row can match is not asked at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_federation.connectors.port import Capabilities
from roundview_federation.rewrite.turn import turn
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.rewrite.verdict import Keyed, Outcome, Turned, Verdict

Names = dict[tuple[str, str, int], str]
"""Parameters of one plan by what they stand for: the asker's parameter, form and place."""


Verdicts = tuple[Verdict, ...] | None
"""What values make of the conditions on one branch; None where no row of it can match."""


@dataclass(slots=True)
class Narrowed:
    """What a branch is asked with: conjuncts over its columns, their values, and ways by key.

    `is_exact` tells whether the source lets through no row that the asker's conditions do not.
    """

    conditions: list[exp.Expr] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    keys: list[Keyed] = field(default_factory=list)
    is_exact: bool = True


def turned(
    unfolded: Unfolded, known: frozenset[str], capabilities: Capabilities
) -> tuple[Turned, ...]:
    """Returns the asker's conditions on a branch, for any values of the `known` parameters."""
    where = unfolded.where
    return tuple(
        turn(conjunct, known, unfolded, capabilities.dialect)
        for conjunct in (expressions.conjuncts(where) if where is not None else ())
    )


def judged(conditions: Sequence[Turned], values: Mapping[str, Any]) -> Verdicts:
    """Returns what values make of the conditions on a branch."""
    verdicts = []
    for one in conditions:
        verdict = one.always
        if one.judge is not None:
            value = values[one.param]
            verdict = one.judge(value if isinstance(value, list) else (value,))
        if verdict[0] is Outcome.NOWHERE:
            return None
        verdicts.append(verdict)
    return tuple(verdicts)


def alike(verdicts: Sequence[Verdicts]) -> tuple[Any, ...]:
    """Returns what values have in common that make the same plan: all but the constants."""
    return tuple(
        None if one is None else tuple([(outcome, len(values)) for outcome, values in one])
        for one in verdicts
    )


def named(
    conditions: Sequence[Turned], verdicts: Sequence[Verdict], names: Names
) -> dict[str, Any]:
    """Returns the values that the source compares with, by the parameters that hold them."""
    constants = {}
    for one, (_, values) in zip(conditions, verdicts, strict=True):
        for at, value in enumerate(values):
            key = (one.param, one.form, at)
            constants[names.setdefault(key, f"{one.param}_{len(names)}")] = value
    return constants


def compared(branches: Sequence[Sequence[Turned]], verdicts: Sequence[Verdicts]) -> dict[str, Any]:
    """Returns the values that all branches of a plan compare with, as `named` names them."""
    names: Names = {}
    constants: dict[str, Any] = {}
    for conditions, found in zip(branches, verdicts, strict=True):
        if found is not None:
            constants |= named(conditions, found, names)
    return constants


def narrow(conditions: Sequence[Turned], verdicts: Sequence[Verdict], names: Names) -> Narrowed:
    """Returns how the asker's conditions narrow a branch in which rows can match."""
    narrowed = Narrowed(constants=named(conditions, verdicts, names))
    for one, (outcome, values) in zip(conditions, verdicts, strict=True):
        is_exact = outcome is Outcome.EVERYWHERE
        if outcome is Outcome.ASKED and one.placed is not None:
            places = [names[(one.param, one.form, at)] for at in range(len(values))]
            narrowed.conditions.append(one.placed([exp.Placeholder(this=name) for name in places]))
            is_exact = one.is_exact
        elif outcome is Outcome.BY_KEY and one.key is not None:
            narrowed.keys.insert(0 if one.key.is_record_key else len(narrowed.keys), one.key)
        narrowed.is_exact &= is_exact
    return narrowed
