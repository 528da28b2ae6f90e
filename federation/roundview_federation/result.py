"""Decides what comes back: rows per section, customers found, what each source did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from roundview_catalog.errors import RoundviewError


@dataclass(slots=True)
class Rows:
    """One list of a result: row tuples (ROW_HEAD + the section's columns)."""

    rows: list[tuple[Any, ...]]
    has_next: bool = False
    end_cursor: str | None = None
    is_truncated: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Losing:
    """A value that survivorship did not choose."""

    value: Any
    source: str
    source_key: str


@dataclass(frozen=True, slots=True)
class Survived:
    """Why a customer field has its value."""

    field: str
    source: str
    source_key: str
    rule: str
    as_of: datetime
    losing: tuple[Losing, ...] = ()


@dataclass(slots=True)
class Output:
    """The answer to one section.

    `groups`: index of the customer in `Result.found[lookup]`, or for sections below a parent
    (source, parent's source_key) -> Rows, absent where there are none. `failed` is set when every
    source failed; `missing` names those that did. `provenance`: customer -> field -> Survived.
    """

    columns: tuple[str, ...]
    groups: dict[Any, Rows] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    failed: RoundviewError | None = None
    provenance: dict[int, dict[str, Survived]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several customers that an identifier leads to; the hint is masked."""

    customer_id: str
    hint: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one identifier led to: a customer, nothing (both None), or an error.

    `error.extensions["candidates"]` holds Candidates where there are several. `fingerprints`: what
    the customer's records, (source, source key), were linked with.
    """

    customer_id: str | None = None
    link_state: str = "linked"
    error: RoundviewError | None = None
    fingerprints: Mapping[tuple[str, str], bytes] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What one source did for this answer; `status` is ok | partial | failed.

    `code` is GraphQL's. `problems` counts values that did not convert and rows not asked for;
    `noted` names their fields.
    """

    name: str
    status: str
    as_of: datetime | None
    ms: float
    rows: int
    calls: int
    code: str = ""
    rv_code: str = ""
    reason: str = ""
    hint: str = ""
    is_truncated: bool = False
    problems: int = 0
    noted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Agreed:
    """The customers who agreed to a purpose: nobody where that is not known."""

    ids: frozenset[str]
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Withheld:
    """What is not shown of some customers for want of their consent to a purpose.

    `field` "" means whole rows of the entity. It is said of whatever was asked for and needs
    consent, so that nobody learns whether there is anything. Where consents were not read,
    `is_known` is False, and all customers are named.
    """

    entity: str
    field: str
    purpose: str
    customers: tuple[str, ...]
    is_known: bool = True


@dataclass(slots=True)
class Result:
    """The answer to one question."""

    found: dict[str, tuple[Found, ...]]
    outputs: dict[str, Output]
    sources: tuple[SourceStatus, ...]
    fetched_at: datetime
    withheld: tuple[Withheld, ...] = ()

    @property
    def complete(self) -> bool:
        """Tells whether every source that was asked gave everything."""
        return all(status.status == "ok" for status in self.sources)
