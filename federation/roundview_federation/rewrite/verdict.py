"""Decides what can come of a condition of the asker on a branch: the words of turning it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlglot import exp

from roundview_federation.rewrite.bounds import Bound


class Outcome(IntEnum):
    """What values make of a condition on a branch.

    No row can match, all do, the source is not asked, it compares, or it can be asked by the
    values as keys.
    """

    NOWHERE = 0
    EVERYWHERE = 1
    OPEN = 2
    ASKED = 3
    BY_KEY = 4


Verdict = tuple[Outcome, tuple[Any, ...]]
"""An outcome and, where the source compares, with what."""

OPEN: Verdict = (Outcome.OPEN, ())
NOWHERE: Verdict = (Outcome.NOWHERE, ())
EVERYWHERE: Verdict = (Outcome.EVERYWHERE, ())
BY_KEY: Verdict = (Outcome.BY_KEY, ())

Judge = Callable[[Sequence[Any]], Verdict]
Placed = Callable[[Sequence[exp.Placeholder]], exp.Expr]


@dataclass(frozen=True, slots=True)
class Keyed:
    """A way to ask for rows by the values of a parameter; `is_record_key`: they are source keys."""

    bound: Bound
    param: str
    is_record_key: bool = False


@dataclass(frozen=True, slots=True)
class Turned:
    """A condition as the columns of one branch have it.

    `judge` says what the values of `param` make of it (None: they are not known before it runs).
    Where the source compares, `placed` is the condition over placeholders, and conditions of one
    `form` compare with the same for equal values; `is_exact` tells whether it lets through
    nothing that the asker's does not.
    """

    param: str = ""
    judge: Judge | None = None
    always: Verdict = OPEN
    placed: Placed | None = None
    form: str = ""
    key: Keyed | None = None
    is_exact: bool = False
