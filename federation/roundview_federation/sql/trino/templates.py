"""Decides which questions one statement of Trino serves: those whose values make it the same.

What the values of a question make of the conditions on each branch is asked anew; where that is
what it was, only constants of the statement differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from roundview_federation.execute.customers import values_of
from roundview_federation.plan import KeySet
from roundview_federation.rewrite.narrow import Verdicts, alike, judged, named
from roundview_federation.rewrite.trino.holes import is_plain
from roundview_federation.rewrite.trino.lists import MANY
from roundview_federation.rewrite.verdict import Turned
from roundview_federation.sql.planned import PlannedQuery
from roundview_federation.sql.trino.statement import NOW, Statement

_OTHERS: Final = (bool, list, tuple)


@dataclass(frozen=True, slots=True)
class Open:
    """The values that stand open in one branch of a read: constants, and keys of `keyset`.

    `alike` is what values must make of the conditions for the branch to be the same.
    """

    name: str
    read: str
    conditions: tuple[Turned, ...]
    alike: tuple[Any, ...]
    keyset: KeySet | None = None
    keys: int = 0

    def values(self, told: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns values by their names in the statement, None where they make another branch."""
        verdicts = judged(self.conditions, told)
        if alike([verdicts]) != self.alike:
            return None
        if verdicts is None:
            return {}
        found = open_names(self.name, named(self.conditions, verdicts, {}))
        if self.keyset is not None:
            keys = list(values_of(self.keyset, told))
            if len(keys) != self.keys:
                return None
            found |= open_names(self.name, keys_by_name(keys))
        return found if may_be_open(found) else None


@dataclass(frozen=True, slots=True)
class Template:
    """A statement of one plan; where not all values stand open, of one question.

    `params` are the attributes of the principal, which stand in it.
    """

    planned: PlannedQuery
    params: Mapping[str, Any]
    open: Sequence[Open]
    is_open: bool
    statement: Statement

    def serves(
        self, planned: PlannedQuery, params: Mapping[str, Any], now: datetime
    ) -> Statement | None:
        """Returns the statement of a question; None where it needs another."""
        is_same = self.planned is planned
        if not is_same and not (self.is_open and self.planned.residual is planned.residual):
            return None
        if self.params != params:
            return None
        if is_same:
            values = {**self.statement.values, NOW: now}
            return replace(self.statement, values=values)
        values = {**planned.values, NOW: now}
        for one in self.open:
            found = one.values(planned.reads[one.read].conditions.values)
            if found is None:
                return None
            values |= found
        return replace(self.statement, values=values)


def opened(name: str, read: str, conditions: tuple[Turned, ...], verdicts: Verdicts) -> Open:
    """Returns what of a branch stands open whose conditions values made these verdicts of."""
    return Open(name, read, conditions, alike([verdicts]))


def open_names(branch: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values by what they are called in a statement."""
    return {f"{branch}_{name}": value for name, value in values.items()}


def keys_by_name(keys: Sequence[Any]) -> dict[str, Any]:
    """Returns keys by what they are called in their branch."""
    return {f"key{at}": key for at, key in enumerate(keys)}


def may_be_open(values: Mapping[str, Any]) -> bool:
    """Tells whether values can stand open: few, and each written as any other of its type."""
    return len(values) <= MANY and not any(
        isinstance(one, _OTHERS) or not is_plain(one) for one in values.values()
    )
