"""Decides the shapes between the stages: sections in, fragments and steps, results out.

A door writes Sections and reads Results; a connector reads Fragments. Trees are sqlglot
trees in the canonical dialect; values are placeholders (`exp.Placeholder(this=name)`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlglot import exp

from roundview_catalog.types import Type
from roundview_federation.top_rows import Top


@dataclass(frozen=True, slots=True)
class Identifier:
    """What the caller said: a kind of the catalog and the text as typed."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """Asks for customers by identifiers; `params[name]` is the list of Identifiers."""

    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """Cuts a list per customer or parent: names of the parameters with size and cursor.

    `wants_cursor` is False where nobody reads `Rows.end_cursor`: sealing one costs 20 µs.
    """

    first: str
    after: str = ""
    wants_cursor: bool = True


@dataclass(frozen=True, slots=True)
class FirstRows:
    """Cuts a whole list: rows wanted, in an order of (column, descending, NULLs first)."""

    count: int
    order: tuple[tuple[str, bool, bool], ...]


@dataclass(frozen=True, slots=True)
class Partial:
    """One column of a fold: `kind` is rows, count, sum, min or max, of the rows' `column`."""

    name: str
    kind: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Makes rows that are alike in `keys` one row with `partials` of them, of which `rows` counts.

    Only `branches` (id and slot) are worth asking for so; rows of others stay as they are, each
    counting one. Rows that are alike may come several times: who reads them adds them up.
    """

    keys: tuple[str, ...]
    partials: tuple[Partial, ...]
    rows: str
    branches: frozenset[tuple[str, str]]

    @property
    def names(self) -> tuple[str, ...]:
        """Returns the columns of the folded rows."""
        return (*self.keys, *(one.name for one in self.partials))


@dataclass(frozen=True, slots=True)
class Section:
    """One list of one question: `SELECT columns FROM entity [WHERE …] [ORDER BY …]`.

    Rows belong to the customers of `lookup`, or lie below the records of the section `parent`.
    `entity` is a canonical entity or the derived relation `customer`, which has one row per
    customer. `provenance` names the customer fields whose origin is asked. The tree selects plain
    columns of the entity, each once; the WHERE combines comparisons of columns with placeholders.
    With `narrows` it also narrows what sources are asked, as `values` are known then; `row_cap` is
    what one may send (None: as usual). With `first` only the first rows of all matter. Conditions
    on columns that are `spared` hold for every row that a source sends: those need not come.
    """

    name: str
    entity: str
    tree: exp.Select
    lookup: str
    parent: str = ""
    page: Page | None = None
    provenance: tuple[str, ...] = ()
    narrows: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    row_cap: int | None = None
    first: FirstRows | None = None
    fold: Fold | None = None
    spared: frozenset[str] = frozenset()

    @property
    def columns(self) -> tuple[str, ...]:
        """Returns the selected column names in order."""
        return tuple(e.alias_or_name for e in self.tree.expressions)


@dataclass(frozen=True, slots=True)
class Question:
    """Everything of one operation that does not change between requests.

    `shape` names it in plan keys: equal shapes mean equal lookups and sections. `catalog_version`
    is that which a door compiled it for ("": the current), so that no reload changes its meaning.
    """

    shape: str
    lookups: tuple[Lookup, ...]
    sections: tuple[Section, ...]
    catalog_version: str = ""


@dataclass(frozen=True, slots=True)
class ChildRows:
    """Rows below each row: a column whose value is a list of lists.

    `tree` selects `columns` FROM … WHERE …, correlated with the fragment's aliases. Connectors
    with `first_rows` may see an ORDER BY and LIMIT 1: then at most that row is wanted.
    """

    alias: str
    tree: exp.Select


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one source is sent: one SELECT over its tables.

    `tree` names the catalog's tables of the source (the connector knows the physical ones), has
    its projections in order, WHERE conjuncts that may hold `in_keys(column, keyset)` and
    placeholders, perhaps ORDER BY and `LIMIT :limit` (a parameter that is None means no limit).
    After the tree's columns come the `children`, each one list-valued column. `types` are those
    of the tree's columns. `row_cap` bounds the answer. With a `top`, a connector may leave out
    rows of a key that are not among its first.
    """

    id: str
    source: str
    tree: exp.Select
    types: tuple[Type, ...]
    keysets: tuple[str, ...]
    params: tuple[str, ...]
    children: tuple[ChildRows, ...] = ()
    row_cap: int = 10_000
    is_scan: bool = False
    top: Top | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a connector returns for a fragment.

    `as_of`: None if live, else the time of the file or first fetch. `dropped` counts rows that
    came though they were not asked for.
    """

    rows: list[tuple[Any, ...]]
    as_of: datetime | None = None
    is_truncated: bool = False
    calls: int = 1
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when the rows of one fragment were read; shared by all its rows."""

    source: str
    source_system: str
    source_instance: str
    fetched_at: datetime
    as_of: datetime


UNKNOWN_CODE = "code of "
"""Stands before the field in the note of a code that its mapping does not name."""

NOT_ASKED = "person"
"""The note of a row that belongs to nobody who was asked for."""

ROW_HEAD = ("origin", "source_key", "slot", "parent_key")
"""What stands before a section's columns in a row tuple; None each in rows of `customer`."""


@dataclass(frozen=True, slots=True)
class PlanKey:
    """Names a cached plan.

    `narrowing` is what the values of the question made of its conditions: values that narrow
    alike share the plan.
    """

    shape: str
    catalog_version: str
    policy_shape: str
    engine: str
    narrowing: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys that a fragment waits for.

    With `lookup` alone: the person keys of the found customers in `source`, of individual `branch`,
    as values of `types` without the mapping's `prefixes`, tuples where there are several columns;
    `opened` opens sealed ones. With `fragment`: its column at `column` when it has run, whose rows
    are those of customers of `lookup` ("": of everyone). With `param`: its values.
    """

    name: str
    source: str
    branch: str
    types: tuple[Type, ...]
    prefixes: tuple[str, ...] = ("",)
    lookup: str = ""
    fragment: str = ""
    column: int = -1
    opened: Callable[[str], str | None] | None = None
    param: str = ""
    is_record_key: bool = False


@dataclass(slots=True)
class ArrivalContext:
    """What generated arrival code reads while it turns one answer into rows.

    `owners`: native person key -> index of the customer; `note(name)` counts a field's problem
    (UNKNOWN_CODE before the name, or NOT_ASKED).
    """

    origin: Origin
    owners: Mapping[Any, Any]
    customer_ids: Sequence[str | None]
    link_states: Sequence[str]
    params: Mapping[str, Any]
    note: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Turns a fragment's rows into rows of one section.

    `convert(rows, out, context)` appends each row to `out[owner]`: the customer's index, or the
    person's source key where nothing binds customers (None: nobody).
    `made_of` is the unfolded branch and what of it the source computes.
    """

    section: str
    branch: str
    slot: str
    convert: Callable[[list[tuple[Any, ...]], Any, ArrivalContext], None]
    made_of: tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Handover:
    """Gives the keys of a fragment's rows to the fragment that waits for `keyset`.

    `convert(rows, out, owners, params)` sets `out[key] = owner`, with keys as the waiting column
    holds them; `owners` is that of the rows, as in ArrivalContext.
    """

    keyset: str
    convert: Callable[
        [list[tuple[Any, ...]], dict[Any, Any], Mapping[Any, Any], Mapping[str, Any]], None
    ]


@dataclass(slots=True)
class Pace:
    """How many seconds the answers of a fragment took of late."""

    seconds: float = 0.0

    def took(self, seconds: float) -> None:
        """Takes one more answer into account, as RFC 6298 smooths round trip times."""
        self.seconds += (seconds - self.seconds) / 8


@dataclass(frozen=True, slots=True)
class PlannedFragment:
    """A fragment, compiled by its connector, with what happens to its rows.

    `round` is 1 where nothing of another fragment is needed, else one more than that of the
    fragment it waits for. `keys_per_call` is 0 where one call takes any number of keys. A
    `top_call` asks for the first rows of each key alone, enough for the first pages of `pages`;
    `call` then takes the parameter MOST. `pace` is learnt from request to request.
    """

    fragment: Fragment
    call: Any
    arrivals: tuple[Arrival, ...]
    handovers: tuple[Handover, ...] = ()
    round: int = 1
    keys_per_call: int = 0
    top_call: Any = None
    pages: tuple[Page, ...] = ()
    pace: Pace = field(default_factory=Pace, compare=False)


@dataclass(frozen=True, slots=True)
class Mirror:
    """What rows of the source `owner` take from a section, as indexes into row tuples.

    `by_here` and `by_there` have the same value in the same fact; `columns`: (here, there).
    """

    section: str
    owner: str
    by_here: int
    by_there: int
    columns: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PlannedSection:
    """What remains to be done with the rows of one section.

    `columns` are those of the rows: the section's, then hidden ones that order and pages need.
    `order`: (index into the row tuple, descending).
    """

    section: Section
    columns: tuple[str, ...]
    order: tuple[tuple[int, bool], ...]
    sources: tuple[str, ...]
    text: str
    """the section's tree as SQL, which cursors are bound to; empty where there are no pages"""
    parameters: tuple[str, ...]
    mirrors: tuple[Mirror, ...] = ()


@dataclass(frozen=True, slots=True)
class HiddenRead:
    """Where the rows are that we read for ourselves: in a section of ours, or in an asked one.

    `at` says where the `columns` are in its row tuples.
    """

    section: str
    columns: tuple[str, ...]
    at: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one question is answered; cached and shared between requests.

    Fragments stand after those they wait for. `notes` say which need a round of their own.
    """

    key: PlanKey
    keysets: Mapping[str, KeySet]
    fragments: tuple[PlannedFragment, ...]
    sections: Mapping[str, PlannedSection]
    outputs: tuple[str, ...]
    """the asked sections; what is read for ourselves never leaves"""
    customer: Mapping[str, Any]
    """section name of `customer` -> how it survives (execute.survive.CustomerPlan)"""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """values of parameters that the plan itself brings"""
    turned: tuple[tuple[Any, ...], ...] = ()
    """conditions on each branch that values narrow (rewrite.turn.Turned)"""
    notes: tuple[str, ...] = ()
    hidden: Mapping[str, HiddenRead] = field(default_factory=dict)


def selecting(entity: str, columns: tuple[str, ...]) -> exp.Select:
    """Returns `SELECT columns FROM entity`."""
    table = exp.Table(this=exp.to_identifier(entity))
    return exp.select(*(exp.column(c) for c in columns)).from_(table, copy=False)
