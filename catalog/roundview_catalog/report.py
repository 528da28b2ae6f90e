"""Decides how the mistakes of a catalog are collected and what their codes mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from roundview_catalog.errors import Position, Problem

MOST_PROBLEMS: Final = 1_000
_MOST_COMPARED: Final = 100

PROBLEM_CODES: Mapping[str, str] = MappingProxyType(
    {
        "RV200": "the file cannot be read",
        "RV201": "not YAML 1.2 core",
        "RV202": "a key stands twice",
        "RV203": "anchor, alias, tag or merge key",
        "RV204": "too large or too deep",
        "RV205": "unknown key",
        "RV206": "value of the wrong kind",
        "RV207": "a comma ends a value inside { }",
        "RV208": "a comment cuts SQL",
        "RV209": "not supported yet",
        "RV210": "SQL cannot be read",
        "RV211": "not one of the allowed expressions",
        "RV212": "unknown function",
        "RV213": "unknown table",
        "RV214": "unknown column",
        "RV215": "types do not fit",
        "RV216": "an aggregate names more than one child",
        "RV217": "unknown entity",
        "RV218": "unknown field",
        "RV219": "value outside the canonical enum",
        "RV220": "something required is missing",
        "RV221": "name is taken or not a name",
        "RV222": "literal secret",
        "RV223": "reference cannot be resolved",
        "RV224": "a row may repeat its key",
        "RV225": "unknown branch",
        "RV226": "two mappings of one name",
        "RV227": "unknown source",
        "RV228": "unknown template",
        "RV231": "a person cannot be asked by key",
        "RV236": "a key is an identifier",
        "RV240": "policy names something that does not exist",
    }
)


class TooManyProblems(Exception):
    """A report is full: a file of a megabyte holds more mistakes than anybody could wait for."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


class Report:
    """Collects problems, so that all are shown at once, up to MOST_PROBLEMS."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._is_full = False

    def add(self, position: Position, code: str, message: str, hint: str = "") -> None:
        """Adds one problem; `code` is one of PROBLEM_CODES. Raises TooManyProblems when full."""
        if self._is_full:
            raise TooManyProblems(self.problems)
        self.problems.append(Problem(position, code, message, hint))
        if len(self.problems) >= MOST_PROBLEMS:
            self._is_full = True
            hint = "mend these first"
            self.problems.append(Problem(position, "RV204", "more problems than are shown", hint))
            raise TooManyProblems(self.problems)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns `did you mean x?` for the nearest known name, else an empty text.

    >>> did_you_mean("emial", ["email", "phone"])
    'did you mean email?'
    """
    # Comparing is slow, and a table may have thousands of columns.
    nearest = sorted(known, key=lambda one: abs(len(one) - len(name)))[:_MOST_COMPARED]
    near = difflib.get_close_matches(name[:100], nearest, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""
