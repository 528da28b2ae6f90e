"""Decides how the whole customer looks to a program: plain records, gaps named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roundview_federation.plan import Question, Section
    from roundview_federation.result import Output, Result, Rows, SourceStatus, Survived, Withheld

_HEAD = 4
_BIGGEST_JSON_INTEGER = 2**53


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one entity: dictionaries of fields, with `source`, `source_key` and `slot`.

    Records of entities below are under the entity's name. `missing` names sources that gave
    nothing, `has_more` tells that the source has further records, `is_truncated` that a limit
    of a source, not `first`, left some of them out.
    """

    rows: tuple[Mapping[str, Any], ...]
    missing: tuple[str, ...] = ()
    has_more: bool = False
    is_truncated: bool = False

    @property
    def complete(self) -> bool:
        """Tells whether only `first` keeps records back."""
        return not self.missing and not self.is_truncated


@dataclass(frozen=True, slots=True)
class CustomerView:
    """Everything known of one customer at one moment.

    `fields` are the survived fields (`full_name`, `email` …), `entities` the records behind
    and around them, `provenance` the origin of each survived field, `withheld` what is not shown
    for want of consent.

    >>> view.fields["full_name"], view["sales_order"].rows[0]["grand_total"]  # doctest: +SKIP
    """

    customer_id: str
    link_state: str
    fields: Mapping[str, Any]
    entities: Mapping[str, Records]
    provenance: Mapping[str, Survived]
    sources: tuple[SourceStatus, ...]
    fetched_at: datetime
    withheld: tuple[Withheld, ...] = ()

    def __getitem__(self, entity: str) -> Records:
        return self.entities[entity]

    @property
    def complete(self) -> bool:
        """Tells whether every source that was asked gave everything."""
        return all(source.status == "ok" for source in self.sources)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for JSON: decimals and long integers as text, instants in UTC."""
        return {
            "customer_id": self.customer_id,
            "link_state": self.link_state,
            "complete": self.complete,
            "fetched_at": plain(self.fetched_at),
            "fields": plain(self.fields),
            "entities": {
                name: {
                    "complete": records.complete,
                    "missing_sources": list(records.missing),
                    "truncated": records.is_truncated,
                    "has_more": records.has_more,
                    "rows": plain(records.rows),
                }
                for name, records in self.entities.items()
            },
            "provenance": {
                name: {
                    "source": survived.source,
                    "source_key": survived.source_key,
                    "rule": survived.rule,
                    "as_of": plain(survived.as_of),
                    "losing": [
                        {
                            "value": plain(lost.value),
                            "source": lost.source,
                            "source_key": lost.source_key,
                        }
                        for lost in survived.losing
                    ],
                }
                for name, survived in self.provenance.items()
            },
            "sources": [source_dict(source) for source in self.sources],
            "withheld": [
                {
                    "code": "CONSENT_WITHHELD",
                    "entity": one.entity,
                    "field": one.field or None,
                    "purpose": one.purpose,
                    "retryable": not one.is_known,
                }
                for one in self.withheld
            ],
        }


def view_of(question: Question, result: Result) -> CustomerView | None:
    """Turns the answer to a whole-customer question into a view; None for an unknown one.

    Raises the error that the identifier led to (RV600, RV601).
    """
    lookup = question.lookups[0].name
    found = result.found[lookup][0]
    if found.error is not None:
        raise found.error
    if found.customer_id is None:
        return None
    below: dict[str, list[Section]] = {}
    for section in question.sections:
        below.setdefault(section.parent, []).append(section)
    fields: dict[str, Any] = {}
    entities: dict[str, Records] = {}
    provenance: Mapping[str, Survived] = {}
    for section in below.get("", ()):
        output = result.outputs[section.name]
        rows = output.groups.get(0)
        if section.entity == "customer":
            if rows is not None and rows.rows:
                fields = dict(zip(output.columns, rows.rows[0][_HEAD:], strict=True))
            provenance = output.provenance.get(0, {})
        else:
            entities[section.entity] = _records(section, rows, output, below, result)
    return CustomerView(
        customer_id=found.customer_id,
        link_state=found.link_state,
        fields={n: v for n, v in fields.items() if n not in ("customer_id", "link_state")},
        entities=entities,
        provenance=provenance,
        sources=result.sources,
        fetched_at=result.fetched_at,
        withheld=result.withheld,
    )


def source_dict(source: SourceStatus) -> dict[str, Any]:
    """Returns what one source did, as plain data."""
    return {
        "name": source.name,
        "status": source.status,
        "rows": source.rows,
        "calls": source.calls,
        "ms": round(source.ms, 1),
        "as_of": plain(source.as_of),
        "code": source.rv_code,
        "reason": source.reason,
        "hint": source.hint,
        "truncated": source.is_truncated,
        "problems": source.problems,
    }


def plain(value: Any) -> Any:
    """Returns a value as JSON can hold it without loss."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        instant = value if value.tzinfo else value.replace(tzinfo=UTC)
        return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and abs(value) > _BIGGEST_JSON_INTEGER
    ):
        return str(value)
    return value


def _records(
    section: Section,
    rows: Rows | None,
    output: Output,
    below: Mapping[str, list[Section]],
    result: Result,
) -> Records:
    missing = tuple(dict.fromkeys((*output.missing, *(rows.missing if rows else ()))))
    if rows is None:
        return Records((), missing)
    records = []
    for row in rows.rows:
        origin, source_key, slot, _ = row[:_HEAD]
        record: dict[str, Any] = {
            "source": origin.source,
            "source_key": source_key,
            "slot": slot,
            **dict(zip(output.columns, row[_HEAD:], strict=True)),
        }
        for child in below.get(section.name, ()):
            inner = result.outputs[child.name]
            group = inner.groups.get((origin.source, source_key))
            record[child.entity] = _records(child, group, inner, below, result).rows
        records.append(record)
    return Records(tuple(records), missing, rows.has_next or rows.is_truncated, rows.is_truncated)
