"""Answers sections naively: every canonical row of the estate in DuckDB, one SELECT per list.

Rows come from one unfiltered scan of everything; keys, batches, policy, filters, order and
pages are done here by plain SQL, as their definitions say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from roundview_catalog.types import Kind, Type
from roundview_federation.execute.rounds import gather
from roundview_federation.federation import Federation
from roundview_federation.plan import ROW_HEAD, Lookup, Question, Section, selecting
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline

EVERYTHING = Decision("naive", "", {}, {}, {}, frozenset(), {})
OURS = ("customer_id", "link_state", "as_of", "fetched_at")
"""Columns that are not of the row."""

_STORED: Mapping[Kind, tuple[str, pa.DataType]] = {
    Kind.INTEGER: ("BIGINT", pa.int64()),
    Kind.BIGINT: ("BIGINT", pa.int64()),
    Kind.DECIMAL: ("DECIMAL(38, 10)", pa.decimal128(38, 10)),
    Kind.BOOLEAN: ("BOOLEAN", pa.bool_()),
    Kind.DATE: ("DATE", pa.date32()),
    Kind.TIMESTAMPTZ: ("TIMESTAMP", pa.timestamp("us")),
}
_TEXT = ("VARCHAR", pa.string())


@dataclass(frozen=True)
class Rules:
    """What one role may see, written twice: as a policy file has it, and as DuckDB runs it.

    `hidden` columns do not exist; `masks` and `filters` name entities.
    """

    hidden: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    masks: Mapping[tuple[str, str], str] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Consent:
    """What a purpose needs: places ("" for all of an entity), and conditions on consents."""

    needed: tuple[tuple[str, str], ...]
    given: str
    refused: str

    def agreed(self) -> str:
        """Returns the condition that a row is of somebody who agreed."""
        someone = "SELECT h_customer FROM consent WHERE h_customer IS NOT NULL AND"
        return (
            f"h_customer IN ({someone} {self.given}) "
            f"AND h_customer NOT IN ({someone} {self.refused})"
        )


@dataclass(frozen=True)
class Wanted:
    """A list of one customer: `where` is SQL with `$name` for each of `values`."""

    entity: str
    columns: tuple[str, ...]
    where: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[tuple[str, bool], ...] = ()


class Naive:
    """All canonical rows of a federation."""

    def __init__(self, types: Mapping[str, Mapping[str, Type]]) -> None:
        self.types = types
        self._database = duckdb.connect()
        self._database.execute("SET TimeZone = 'UTC'")

    @classmethod
    async def of(cls, federation: Federation) -> Naive:
        """Scans every entity that belongs to people, and whose each row is."""
        catalog = federation.catalog
        entities = {
            e.name: {n: t for n, t in e.types.items() if n not in OURS}
            for e in catalog.canonical.entities.values()
            if e.has_person and catalog.branches(e.name)
        }
        naive = cls(entities)
        sections = tuple(
            Section(name, name, selecting(name, tuple(types)), "")
            for name, types in entities.items()
        )
        planner = federation.current.planner
        question = Question("everything", (Lookup("nobody"),), ())
        plan = await planner.prepare(question, EVERYTHING, hidden=lambda: sections)
        gathered = await gather(
            plan,
            {},
            {},
            Deadline.after(60),
            catalog=catalog,
            connectors=federation.current.connectors,
            clock=lambda: datetime.now(UTC),
        )
        assert not gathered.failures
        assert not gathered.truncated
        for name in entities:
            naive._load(name, gathered.rows[name], federation)
        return naive

    def values(self, entity: str, column: str) -> list[Any]:
        """Returns the distinct values of a column."""
        sql = f"SELECT DISTINCT {column} FROM {entity} WHERE {column} IS NOT NULL ORDER BY 1"
        return [row[0] for row in self._database.execute(sql).fetchall()]

    def rows(
        self,
        wanted: Wanted,
        customer_id: str | None,
        roles: Sequence[Rules],
        principal: Mapping[str, Any],
        consent: Consent | None = None,
    ) -> list[tuple[Any, ...]]:
        """Returns the rows of a list as (source, source_key, slot, parent key, *columns)."""
        entity = wanted.entity
        shown, kept = self._ruled(entity, roles, principal, consent)
        order = "".join(
            f"{column} {'DESC' if descending else 'ASC'} NULLS LAST, "
            for column, descending in wanted.order
        )
        values = {**wanted.values, "customer": customer_id}
        sql = f"""
            SELECT h_source, h_key, h_slot, h_parent{"".join(f", {c}" for c in wanted.columns)}
            FROM (SELECT h_source, h_key, h_slot, h_parent, h_customer, {shown}
                  FROM {entity} WHERE {kept})
            WHERE h_customer = $customer AND ({wanted.where or "TRUE"})
            ORDER BY {order}h_source, h_key, h_slot"""
        return self._database.execute(
            sql, {name: _stored(value) for name, value in values.items()}
        ).fetchall()

    def scanned(
        self,
        entity: str,
        columns: Sequence[str],
        where: str,
        roles: Sequence[Rules],
        principal: Mapping[str, Any],
        consent: Consent | None = None,
    ) -> list[tuple[Any, ...]]:
        """Returns everyone's rows as (customer, source, source_key, slot, *columns)."""
        shown, kept = self._ruled(entity, roles, principal, consent)
        return self._database.execute(f"""
            SELECT h_customer, h_source, h_key, h_slot{"".join(f", {c}" for c in columns)}
            FROM (SELECT h_source, h_key, h_slot, h_customer, {shown} FROM {entity} WHERE {kept})
            WHERE {where or "TRUE"}""").fetchall()

    def seen(
        self,
        entity: str,
        roles: Sequence[Rules],
        principal: Mapping[str, Any],
        consent: Consent | None = None,
    ) -> str:
        """Returns a SELECT of what roles are shown of an entity, with its customer_id."""
        shown, kept = self._ruled(entity, roles, principal, consent)
        return f"SELECT h_customer AS customer_id, {shown} FROM {entity} WHERE {kept}"

    def exists(
        self, customer_id: str, roles: Sequence[Rules], principal: Mapping[str, Any]
    ) -> bool:
        """Tells whether there is a customer for roles: whether they show one of their people."""
        seen = self.seen("individual", roles, principal)
        return bool(
            self._database.execute(
                f"SELECT 1 FROM ({seen}) WHERE customer_id = $who LIMIT 1", {"who": customer_id}
            ).fetchall()
        )

    def asked(self, text: str) -> list[tuple[Any, ...]]:
        """Returns the rows of plain SQL."""
        return self._database.execute(text).fetchall()

    def close(self) -> None:
        """Frees the rows."""
        self._database.close()

    def _ruled(
        self,
        entity: str,
        roles: Sequence[Rules],
        principal: Mapping[str, Any],
        consent: Consent | None,
    ) -> tuple[str, str]:
        """Returns what roles are shown of an entity's columns, and of its rows."""
        shown = ", ".join(
            f"CAST({_agreed(entity, column, _masked(entity, column, roles, _STORED.get(type_.kind, _TEXT)[0]), consent)} AS {_STORED.get(type_.kind, _TEXT)[0]}) AS {column}"
            for column, type_ in self.types[entity].items()
        )
        filters = [role.filters.get(entity) for role in roles]
        kept = "TRUE" if None in filters else " OR ".join(f"({one})" for one in filters)
        if consent is not None and (entity, "") in consent.needed:
            kept = f"({kept}) AND {consent.agreed()}"
        for name, value in principal.items():
            kept = kept.replace(f"principal.{name}", f"'{value}'")
            shown = shown.replace(f"principal.{name}", f"'{value}'")
        return shown, kept

    def _load(self, name: str, by_owner: Mapping[Any, Any], federation: Federation) -> None:
        columns = {f"h_{part}": _TEXT for part in ("source", "key", "slot", "parent", "customer")}
        columns |= {c: _STORED.get(t.kind, _TEXT) for c, t in self.types[name].items()}
        rows = []
        for owner, found in by_owner.items():
            for row in found:
                source = row[0].source
                customer = federation.xref.owner(source, owner) if owner else None
                rows.append((source, *row[1 : len(ROW_HEAD)], customer, *row[len(ROW_HEAD) :]))
        table = pa.table(
            {
                column: pa.array([_stored(row[at]) for row in rows], type=stored)
                for at, (column, (_, stored)) in enumerate(columns.items())
            }
        )
        declared = ", ".join(f"{column} {sql}" for column, (sql, _) in columns.items())
        self._database.execute(f"CREATE TABLE {name} ({declared})")
        self._database.register("arriving", table)
        self._database.execute(f"INSERT INTO {name} SELECT * FROM arriving")
        self._database.unregister("arriving")


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns a row of a result as the naive answer has it."""
    return (row[0].source, *(_stored(value) for value in row[1:]))


def stored_row(row: Sequence[Any]) -> tuple[Any, ...]:
    """Returns a row of an answer in SQL as the naive answer has it."""
    return tuple(_stored(value) for value in row)


def _masked(entity: str, column: str, roles: Sequence[Rules], stored: str) -> str:
    """Returns what the first role shows that shows the row, roles that do not mask it first."""
    reading = [role for role in roles if column not in role.hidden.get(entity, ())]
    if not reading:
        return column
    masks = [(role, role.masks.get((entity, column))) for role in reading]
    masks.sort(key=lambda one: one[1] is not None)
    arms = " ".join(
        f"WHEN {role.filters.get(entity, 'TRUE')} "
        f"THEN CAST({column if mask is None else mask} AS {stored})"
        for role, mask in masks
    )
    return f"CASE {arms} END"


def _agreed(entity: str, column: str, shown: str, consent: Consent | None) -> str:
    if consent is None or (entity, column) not in consent.needed:
        return shown
    return f"CASE WHEN {consent.agreed()} THEN {shown} END"


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, list):
        return [_stored(one) for one in value]
    return value.normalize() if isinstance(value, Decimal) else value
