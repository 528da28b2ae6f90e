"""Decides how good clusters are: pairwise precision and recall against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """Pairwise figures: of the pairs put together, and of the pairs that belong together."""

    precision: float
    recall: float
    largest: int

    @property
    def f1(self) -> float:
        """Returns the harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def score(found: Mapping[str, Hashable], truth: Mapping[str, Hashable]) -> Score:
    """Scores record -> customer against record -> person, over the records of the truth."""
    customers = Counter(found.get(record, ("alone", record)) for record in truth)
    people = Counter(truth.values())
    both = Counter(
        (found.get(record, ("alone", record)), person) for record, person in truth.items()
    )
    together, belong, right = (sum(map(_pairs, c.values())) for c in (customers, people, both))
    return Score(
        precision=right / together if together else 1.0,
        recall=right / belong if belong else 1.0,
        largest=max(customers.values(), default=0),
    )


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
