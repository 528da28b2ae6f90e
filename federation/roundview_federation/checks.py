"""Decides what a view verifies about identity with the live rows it reads anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from roundview_catalog import normalizers
from roundview_catalog.model import Canonical, IdentifierKind
from roundview_federation.execute.collecting import Gathered
from roundview_federation.execute.customers import Customers
from roundview_federation.plan import ROW_HEAD, Plan, PlannedSection, Question, Section, selecting
from roundview_federation.records import fingerprint_columns, fingerprint_record
from roundview_federation.result import Found
from roundview_identity.store import Xref

_CHECK = "check#"
_PRINT = "print#"


def hidden_sections(
    question: Question, kinds: Mapping[str, frozenset[str]], canonical: Canonical
) -> tuple[Section, ...]:
    """Returns what is read beside the asked sections, mostly from the same fragments.

    `kinds`: lookup -> identifier kinds used. For each, the entities that may carry the
    identifier; and the names of individuals where these are read anyway.
    """
    sections = []
    for lookup, used in kinds.items():
        for kind in sorted(used):
            known = canonical.identifiers[kind]
            if known.is_live or kind == "customer_id":
                continue
            for entity, field in canonical.identifier_fields(kind):
                f = canonical.entities[entity].fields[field]
                columns = tuple(filter(None, (field, f.identifier_from)))
                name = f"{_CHECK}{lookup}#{kind}#{entity}.{field}"
                sections.append(Section(name, entity, selecting(entity, columns), lookup))
        reads = any(
            s.entity in ("individual", "customer") for s in question.sections if s.lookup == lookup
        )
        if reads:
            columns = fingerprint_columns(canonical)
            tree = selecting("individual", columns)
            sections.append(Section(f"{_PRINT}{lookup}", "individual", tree, lookup))
    return tuple(sections)


def recheck(
    lookup: str,
    found: tuple[Found, ...],
    asked: Sequence[tuple[str, tuple[str, ...]]],
    gathered: Gathered,
    plan: Plan,
    canonical: Canonical,
) -> tuple[Found, ...]:
    """Keeps only customers on one of whose live records the looked-up value still stands.

    `asked`: (kind, normal forms) per identifier. Where a source that may carry the value did
    not answer, or not with everything, nothing is refuted.
    """
    result = []
    for index, (one, (kind, forms)) in enumerate(zip(found, asked, strict=True)):
        prefix = f"{_CHECK}{lookup}#{kind}#"
        reads = [read for name, read in plan.hidden.items() if name.startswith(prefix)]
        doubtful = any(
            gathered.failures.get(read.section) or read.section in gathered.truncated
            for read in reads
        )
        if one.customer_id is None or not reads or doubtful:
            result.append(one)
            continue
        stands = any(
            _carries([row[at] for at in read.at], canonical.identifiers[kind], forms)
            for read in reads
            for row in gathered.rows[read.section].get(index, ())
        )
        result.append(one if stands else Found())
    return tuple(result)


def mark_mismatched(
    lookup: str,
    found: tuple[Found, ...],
    customers: Customers,
    gathered: Gathered,
    plan: Plan,
    xref: Xref,
    canonical: Canonical,
) -> tuple[Found, ...]:
    """Marks customers one of whose records no longer has the names that were linked.

    A recycled number or a reused key thus never shows a stranger silently.
    """
    read = plan.hidden.get(f"{_PRINT}{lookup}")
    if read is None:
        return found
    result = list(found)
    for index, records in gathered.rows[read.section].items():
        for row in records:
            source = row[0].source
            stored = found[index].fingerprints.get((source, row[1]))
            if stored is None:
                continue
            values = [row[at] for at in read.at]
            record = fingerprint_record(source, row[1], read.columns, values, canonical)
            if stored != xref.fingerprint(record):
                result[index] = replace(result[index], link_state="mismatched")
                customers.link_states[index] = "mismatched"
                break
    return tuple(result)


def restate(
    sections: Mapping[str, PlannedSection], customers: Customers, gathered: Gathered, lookup: str
) -> None:
    """Writes the link state of mismatched customers into the rows that show it."""
    changed = [at for at, state in enumerate(customers.link_states) if state == "mismatched"]
    for name, section in sections.items() if changed else ():
        if section.section.lookup != lookup or "link_state" not in section.columns:
            continue
        at = len(ROW_HEAD) + section.columns.index("link_state")
        for index in changed:
            rows = gathered.rows[name].get(index, ())
            gathered.rows[name][index] = [(*row[:at], "mismatched", *row[at + 1 :]) for row in rows]


def _carries(values: Sequence[Any], kind: IdentifierKind, forms: tuple[str, ...]) -> bool:
    """Tells whether a record has an identifier: its value, and where columns differ, its kind."""
    value = values[0]
    if value is None:
        return False
    if len(values) > 1 and values[1] != kind.name:
        return False
    return value in forms or normalizers.normalize(kind.normalizer, str(value)) in forms
