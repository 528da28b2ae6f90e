"""Decides what identity is handed of a person: keys and normalised match fields."""

from __future__ import annotations

from dataclasses import dataclass

RecordId = tuple[str, str]
"""(source, source_key)"""


@dataclass(frozen=True, slots=True)
class Record:
    """One person record of one source; identifiers are (kind, normal form).

    `source_key` is the individual's, with its branch; `birth_date` an ISO date.
    """

    source: str
    source_key: str
    identifiers: tuple[tuple[str, str], ...] = ()
    given_name: str = ""
    family_name: str = ""
    birth_date: str = ""
    postal_code: str = ""
    street: str = ""

    @property
    def id(self) -> RecordId:
        """Returns (source, source_key)."""
        return self.source, self.source_key
