"""Decides by the values of one question how others are planned too, and notes what of them did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roundview_federation.connectors.port import Capabilities
from roundview_federation.rewrite.narrow import Narrowed, alike, judged, narrow, turned
from roundview_federation.rewrite.query.conditions import Later, ValuesDecide, said
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.rewrite.verdict import Turned


@dataclass(frozen=True, slots=True)
class Decided:
    """What values made of the conditions on one branch when a question was planned."""

    conditions: tuple[Turned, ...]
    values: Mapping[str, Any]
    alike: tuple[Any, ...]

    def is_alike(self, texts: Sequence[str]) -> bool:
        """Tells whether those of other texts make the same of them."""
        values = said(self.values, texts)
        return values is not None and alike([judged(self.conditions, values)]) == self.alike


class Witness:
    """The texts of the parameters of the question for which a plan is made."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self.decided: list[Decided] = []
        self._texts = texts

    def said(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns values as the texts say them; raises ValuesDecide where one says none."""
        found = said(values, self._texts)
        if found is None:
            raise ValuesDecide(*_numbers(values))
        return found

    def narrowing(
        self, unfolded: Unfolded, values: Mapping[str, Any], capabilities: Capabilities
    ) -> Narrowed | None:
        """Returns how conditions narrow a branch, None where no row can match; and notes why."""
        conditions = turned(unfolded, frozenset(values), capabilities)
        verdicts = judged(conditions, self.said(values))
        if _numbers(values):
            self.decided.append(Decided(conditions, values, alike([verdicts])))
        return None if verdicts is None else narrow(conditions, verdicts, {})


def _numbers(values: Mapping[str, Any]) -> list[int]:
    several = [one if isinstance(one, list) else [one] for one in values.values()]
    return [one.number for some in several for one in some if isinstance(one, Later)]
