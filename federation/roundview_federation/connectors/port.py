"""Decides what every connector offers, so that the planner knows no technology."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from roundview_catalog.model import SourceTable
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline

if TYPE_CHECKING:
    import pyarrow as pa

NO_CAP: Final = 2**62
"""A fragment's `row_cap` above every number of rows, which every source takes as a LIMIT."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector's sources compute themselves; the conformance suite proves each.

    `dialect` names the rendering of the expression table ("sqlite", "duckdb", "" for none:
    projections and filters are then plain columns). `filters` are the comparison node names
    (EQ, NEQ, LT, LTE, GT, GTE, In, Like, Is) it applies exactly; a REST table applies those
    its catalog declares and everything is filtered again on arrival. `first_rows`: rows below a row
    may come with an ORDER BY and LIMIT 1; else all come and the first is chosen on arrival.
    `pages`: a scan may be read page by page, as Paged says. `top_rows`: of each key the first
    rows may be asked for alone. `batches`: any fragment without children may be read as Arrow, as
    Bulk says.
    """

    dialect: str
    filters: frozenset[str]
    joins: bool = False
    children: bool = False
    first_rows: bool = False
    order: bool = False
    limit: bool = False
    pages: bool = False
    batches: bool = False
    top_rows: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """How a source says that it would read one table of a call.

    `alias` is the table's in the fragment, `index` what it searches by. With `is_scan` it reads
    the whole table; `index` is then one that could have served, empty if there is none.
    """

    alias: str
    index: str
    is_scan: bool = False


class Connector(Protocol):
    """One source, ready to be asked. Cancelling the task of `rows` cancels in the source."""

    source: str
    capabilities: Capabilities

    def compile(self, fragment: Fragment) -> Any:
        """Returns the fragment's call, made once per plan; raises RequestError RV117 where
        no access path is bound and the fragment is not a scan. A call that takes only some
        keys at once says so as `keys_per_call`."""

    async def rows(self, call: Any, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Runs the call with key sets (lists) and parameters bound; raises SourceError."""

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns what the source says of itself: metadata only."""

    async def prove_read_only(self) -> str:
        """Returns how it is known that nothing can be written, or raises SourceError RV407."""

    async def warm(self, calls: Sequence[Any], deadline: Deadline) -> None:
        """Does once what first calls would wait for: connects, proves, prepares some calls.

        No row is read. Raises SourceError; asking works all the same.
        """

    def explain(self, call: Any) -> str:
        """Returns the statement or call as a person reads it, without values."""

    async def accesses(
        self, call: Any, params: Mapping[str, Any], deadline: Deadline
    ) -> tuple[Access, ...]:
        """Returns how the source itself would read each table of a call; nothing is read."""

    async def close(self) -> None:
        """Frees connections, threads and files."""


class Paged(Connector, Protocol):
    """A connector whose scans have any number of rows, in pages that the source makes."""

    def pages(self, call: Any, deadline: Deadline) -> AsyncIterator[Answer]:
        """Yields the answer to a scan without parameters, page by page; raises SourceError.

        Neither limits.rows nor limits.pages holds; a list that does not end is an error.
        """


class Bulk(Connector, Protocol):
    """A connector whose answers also come as Arrow, any number of rows in bounded memory."""

    def batches(
        self, call: Any, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[pa.RecordBatch]:
        """Yields the rows of a call without children, key sets and parameters bound as in `rows`.

        Columns are c0, c1 … of the types that `columns.arrow_type` says. At most `row_cap` + 1
        rows come (NO_CAP: all), so that who counts them sees the cut; limits.bytes bounds a
        value, not the answer. The source is not read faster than the iterator, and what runs in
        it ends with the iterator, its task or the deadline. Raises SourceError: RV403 for a value
        that is not of its declared type.
        """
