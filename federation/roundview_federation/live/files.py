"""Decides whether files lie as declared: buckets, and texts that have the declared types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from sqlglot import exp

from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import SourceTable
from roundview_catalog.tables import BucketBy, FileTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors import open_connector
from roundview_federation.live.asking import SAMPLE, Subject, column, reason, scanned
from roundview_federation.live.findings import Finding, Verdict, counted, share

_BUCKETS_ASKED: Final = 20
_TEXT: Final = Type(Kind.TEXT)


async def prove_buckets(subject: Subject) -> AsyncIterator[Finding]:
    """Yields whether rows lie in the bucket that the rule says: else they are never found."""
    for name, table in subject.source.tables.items():
        access = table.access
        if not isinstance(access, FileTable) or access.bucket_by is None:
            continue
        by = access.bucket_by
        at = subject.places.key("tables", name, "bucket_by")
        claim = f"files of {name} are buckets of {by.column} by {by.hash} {by.buckets}"
        try:
            verdict, seen = await _buckets(subject, name, by)
        except (SourceError, RequestError) as error:
            verdict, seen = Verdict.OPEN, reason(error)
        hint = "compare hash and buckets with what writes the files"
        yield subject.finding(at, claim, verdict, seen, hint if verdict is Verdict.REFUTED else "")


async def prove_texts(subject: Subject) -> AsyncIterator[Finding]:
    """Yields which declared columns of text files hold texts that are no values of their type."""
    for name, table in subject.source.tables.items():
        access = table.access
        if not isinstance(access, FileTable) or access.kind == "parquet":
            continue
        typed = tuple(c for c in table.columns if table.columns[c].type.kind is not Kind.TEXT)
        try:
            wrong = await _unreadable(subject, table, access, typed)
        except (SourceError, RequestError) as error:
            at = subject.places.key("tables", name)
            yield subject.finding(at, f"columns of {name} hold their types", Verdict.OPEN,
                                  reason(error))  # fmt: skip
            continue
        for one, (bad, values) in wrong.items():
            is_written = one in access.columns
            at = (
                subject.places.key("tables", name, "columns", one)
                if is_written
                else subject.places.in_schema("tables", name, "columns", one)
            )
            seen = f"{bad:,} of {values:,} values ({share(bad, values)}) cannot be read so"
            yield subject.finding(
                at, f"{name}.{one} is {table.columns[one].type}", Verdict.REFUTED, seen,
                "write their format, or declare text",
            )  # fmt: skip


async def _buckets(subject: Subject, name: str, by: BucketBy) -> tuple[Verdict, str]:
    sample = await subject.sample(name, (by.column,))
    keys = list(dict.fromkeys(sample.values(by.column)))
    step = max(1, len(keys) // _BUCKETS_ASKED)
    asked = keys[::step][:_BUCKETS_ASKED]
    if not asked:
        return Verdict.OPEN, "there are no rows to look at"
    type_ = subject.source.tables[name].columns[by.column].type
    keyed = exp.EQ(this=column(by.column), expression=exp.Any(this=exp.Placeholder(this="keys")))
    tree = exp.select(column(by.column)).from_(scanned(name)).where(keyed)
    lost = 0
    for key in asked:
        answer = await subject.ask(tree, most=1, types=(type_,), params={"keys": [key]})
        lost += not answer.rows
    if lost:
        return Verdict.REFUTED, f"{lost} of {len(asked)} keys are not in the file of their bucket"
    return Verdict.NOT_REFUTED, f"{counted(len(asked), 'key')} were found in their bucket"


async def _unreadable(
    subject: Subject, table: SourceTable, access: FileTable, typed: tuple[str, ...]
) -> dict[str, tuple[int, int]]:
    """Returns column -> (texts that are no values, texts), read twice: as text and typed."""
    if not typed:
        return {}
    plain = {
        name: one.model_copy(update={"type": "text", "format": ""})
        for name, one in access.columns.items()
    }
    texts = replace(
        table,
        columns={name: replace(one, type=_TEXT) for name, one in table.columns.items()},
        access=access.model_copy(update={"columns": plain}),
    )
    source = replace(subject.source, tables={**subject.source.tables, table.name: texts})
    tree = exp.select(*(column(name) for name in typed)).from_(scanned(table.name))
    reader = open_connector(source, env=subject.env)
    try:
        written = await subject.ask(
            tree, most=SAMPLE, types=tuple(_TEXT for _ in typed), connector=reader
        )
    finally:
        await reader.close()
    types = tuple(table.columns[name].type for name in typed)
    read = await subject.ask(tree, most=SAMPLE, types=types)
    found: dict[str, tuple[int, int]] = {}
    for at, name in enumerate(typed):
        pairs = [
            (text[at], value[at])
            for text, value in zip(written.rows, read.rows, strict=False)
            if text[at] is not None and str(text[at]).strip()
        ]
        bad = sum(value is None for _, value in pairs)
        if bad:
            found[name] = (bad, len(pairs))
    return found
