"""Decides which proofs there are for a source, in which order, and what happens without time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from roundview_catalog.errors import RoundviewError, SourceError
from roundview_catalog.model import Catalog
from roundview_federation.connectors import open_connector
from roundview_federation.live.asking import Subject, reason
from roundview_federation.live.columns import prove_columns
from roundview_federation.live.facts import (
    prove_facts,
    prove_freshness,
    prove_keys,
    tell_defaults,
)
from roundview_federation.live.files import prove_buckets, prove_texts
from roundview_federation.live.findings import Finding, Verdict
from roundview_federation.live.indexes import prove_identifiers, prove_person_keys
from roundview_federation.live.on_trino import is_on_trino, prove_on_trino
from roundview_federation.live.paths import prove_paths
from roundview_federation.live.places import Places
from roundview_federation.live.schema import prove_schema
from roundview_federation.live.sizes import distinct, prove_sizes, sizes
from roundview_federation.live.ways import variants
from roundview_federation.resilience.deadline import Deadline

Progress = Callable[[str, int, int | None], None]
_Proof = Callable[[Subject], AsyncIterator[Finding]]

_SERVERS: Final = ("sqlite", "postgres", "mysql")


@dataclass(frozen=True, slots=True)
class Proven:
    """What came of one source; `failure` says why it could not be asked at all.

    `rows` has about how many rows each table has now, `distinct` the same of values of columns.
    """

    findings: tuple[Finding, ...]
    failure: SourceError | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    distinct: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


async def prove_source(
    catalog: Catalog,
    name: str,
    *,
    env: Mapping[str, str],
    seconds: float = 60.0,
    statement_seconds: float = 10.0,
    progress: Progress | None = None,
) -> Proven:
    """Returns what is known of every claim about one source, in the order of its files.

    Nothing is written and samples are bounded. What takes longer than `statement_seconds` is
    looked for in a sample; after `seconds` what is left cannot be proved.
    `progress(stage, done, total)` is called before each kind of proof.
    """
    source = catalog.sources[name]
    # Every way to ask an API alone is a table of one connector: they share its rate and its token.
    alone = dict(variants(source.tables))
    connector = open_connector(replace(source, tables={**source.tables, **alone}), env=env)
    deadline = Deadline.after(seconds)
    subject = Subject(
        catalog, source, connector, Places.of(catalog, name), deadline, env, statement_seconds
    )
    findings: list[Finding] = []
    try:
        findings.append(await _read_only(subject))
        subject.live = await connector.introspect()
        proofs = tuple(_proofs(source.connector))
        if is_on_trino(subject):
            proofs += (("tables on Trino", prove_on_trino),)
        for at, (stage, proof) in enumerate(proofs):
            if progress is not None:
                progress(stage, at, len(proofs))
            findings += await _run(subject, stage, proof)
    except SourceError as error:
        findings.append(
            subject.finding(
                source.position, f"{name} can be asked", Verdict.OPEN, reason(error), error.hint
            )
        )
        return Proven(tuple(findings), error)
    finally:
        await connector.close()
    ordered = tuple(sorted(findings, key=lambda one: (one.position, one.claim)))
    return Proven(ordered, rows=sizes(subject), distinct=distinct(subject))


def _proofs(connector: str) -> Iterator[tuple[str, _Proof]]:
    if connector != "rest":
        yield "tables", _schema
    if connector not in ("postgres", "mysql", "trino"):
        yield "columns", prove_columns
    if connector == "files":
        yield "buckets", prove_buckets
        yield "texts", prove_texts
    if connector == "rest":
        yield "paths and filters", prove_paths
    if connector not in _SERVERS:
        yield "keys", prove_keys
    yield "facts", prove_facts
    yield "freshness", prove_freshness
    yield "keys of persons", prove_person_keys
    yield "identifiers", prove_identifiers
    yield "defaults", _defaults
    yield "sizes", prove_sizes


async def _run(subject: Subject, stage: str, proof: _Proof) -> list[Finding]:
    found: list[Finding] = []
    if subject.deadline.left <= 0:
        return [_late(subject, stage)]
    try:
        async for finding in proof(subject):
            found.append(finding)
            if subject.deadline.left <= 0:
                return [*found, _late(subject, stage)]
    except RoundviewError as error:
        at = subject.source.position
        claim = f"{stage} can be looked at"
        found.append(subject.finding(at, claim, Verdict.OPEN, f"{error.code} {error.message}"))
    return found


async def _read_only(subject: Subject) -> Finding:
    at = subject.places.key("connection")
    claim = f"nothing can be written to {subject.source.name}"
    try:
        how = await subject.connector.prove_read_only()
    except SourceError as error:
        if error.code != "RV407":
            raise
        return subject.finding(at, claim, Verdict.REFUTED, error.message, error.hint)
    return subject.finding(at, claim, Verdict.PROVED, how)


def _late(subject: Subject, stage: str) -> Finding:
    return subject.finding(
        subject.source.position, f"all {stage} are looked at", Verdict.OPEN,
        "the time for this source is over", "give it more: --seconds",
    )  # fmt: skip


async def _schema(subject: Subject) -> AsyncIterator[Finding]:
    for finding in prove_schema(subject):
        yield finding


async def _defaults(subject: Subject) -> AsyncIterator[Finding]:
    for finding in tell_defaults(subject):
        yield finding
