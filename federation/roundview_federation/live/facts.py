"""Decides what becomes of each claim that people made: `facts`, keys, freshness, defaults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlglot import exp

from roundview_catalog import coerce, normalizers
from roundview_catalog.errors import RequestError, SourceError
from roundview_catalog.model import SourceColumn
from roundview_catalog.types import Kind
from roundview_federation.live.asking import (
    MOST_COUNTED,
    SMALL,
    Subject,
    column,
    reason,
    scanned,
)
from roundview_federation.live.findings import Finding, Verdict, counted, share

_DEFAULTS: Final = ("time_zone", "phone_region", "currency")
_KEYS_ASKED: Final = 50
_SERVERS: Final = ("sqlite", "postgres", "mysql")


async def prove_facts(subject: Subject) -> AsyncIterator[Finding]:
    """Yields a finding for every claim under `facts`."""
    for place, claims in subject.places.facts.items():
        table, _, name = place.partition(".")
        for key, value in claims.items():
            if value is None or value is False:
                continue
            try:
                found = await _prove(subject, table, name, key, value)
            except (SourceError, RequestError) as error:
                found = Verdict.OPEN, reason(error), ""
            verdict, seen, hint = found
            at = subject.places.key("facts", place, key)
            yield subject.finding(at, _claim(place, key, value), verdict, seen, hint)


async def prove_keys(subject: Subject) -> AsyncIterator[Finding]:
    """Yields whether the declared keys of file and REST tables name one row each."""
    for name, table in subject.source.tables.items():
        if table.access is None or not table.primary_key or subject.source.connector == "rest":
            continue
        at = subject.places.key("tables", name, "key")
        claim = f"{name} is unique by {', '.join(table.primary_key)}"
        try:
            verdict, seen, hint = await _unique(subject, name, table.primary_key)
        except (SourceError, RequestError) as error:
            verdict, seen, hint = Verdict.OPEN, reason(error), ""
        yield subject.finding(at, claim, verdict, seen, hint)


async def prove_freshness(subject: Subject) -> AsyncIterator[Finding]:
    """Yields whether the newest value of the freshness column can be read as a time."""
    freshness = subject.source.freshness
    if freshness is None:
        return
    table, _, name = freshness[0].partition(".")
    at = subject.places.key("freshness", "column")
    claim = f"{freshness[0]} tells the age of the data"
    type_ = subject.source.tables[table].columns[name].type
    if not type_.is_time and type_.kind is not Kind.DATE:
        yield subject.finding(
            at, claim, Verdict.REFUTED, f"it is {type_}, not a time", "name a time column"
        )
        return
    try:
        newest = await _newest(subject, table, name)
        decode = coerce.decoder(type_)
        value = decode(newest) if decode is not None else newest
    except (SourceError, RequestError) as error:
        yield subject.finding(at, claim, Verdict.OPEN, reason(error))
        return
    except ValueError:
        yield subject.finding(
            at, claim, Verdict.REFUTED, f"its newest value is no {type_}", "name another column"
        )
        return
    if value is None:
        yield subject.finding(at, claim, Verdict.OPEN, "it has no value yet")
        return
    yield subject.finding(at, claim, Verdict.PROVED, "its newest value can be read")


def tell_defaults(subject: Subject) -> Iterator[Finding]:
    """Yields what only people know: zones, regions and currencies that rows do not say."""
    given = subject.places.section("defaults")
    for key in _DEFAULTS:
        if given.get(key):
            yield subject.finding(
                subject.places.key("defaults", key), f"{key} is {given[key]}", Verdict.OPEN,
                "nothing in a source says so", "ask who owns the source",
            )  # fmt: skip


async def _prove(
    subject: Subject, table: str, name: str, key: str, value: Any
) -> tuple[Verdict, str, str]:
    if key == "unique":
        return await _unique(subject, table, (name,) if value is True else tuple(value))
    if key == "index":
        return await _indexed(subject, table, (name,) if value is True else tuple(value))
    if key == "references":
        other, _, target = str(value).partition(".")
        return await _references(subject, table, name, other, target)
    if key == "normal_form":
        claims = subject.places.facts[f"{table}.{name}"]
        copy = str(claims.get("search") or "")
        # With a column to search, the form is that of the values there.
        return await _normal(subject, table, copy or name, str(value))
    if key == "search":
        form = str(subject.places.facts[f"{table}.{name}"].get("normal_form") or "")
        return await _searched(subject, table, name, str(value), form)
    if key == "domain":
        return await _domain(subject, table, name, tuple(str(one) for one in value))
    if key == "collation":
        return _collation(subject, table, name, str(value))
    return Verdict.OPEN, "nothing in a source says so", "ask who owns the source"


async def _unique(subject: Subject, table: str, columns: Sequence[str]) -> tuple[Verdict, str, str]:
    live = subject.live_table(table)
    is_enforced = subject.source.connector in _SERVERS
    if is_enforced and live is not None and live.is_unique(frozenset(columns)):
        return Verdict.PROVED, "a unique index of the source says so", ""
    if subject.source.connector == "rest":
        return await _unique_in_sample(subject, table, columns)
    found = await subject.duplicates(table, columns)
    if found is None:
        return await _unique_in_sample(subject, table, columns)
    if found:
        number = f"more than {MOST_COUNTED - 1:,}" if found >= MOST_COUNTED else f"{found:,}"
        seen = f"{number} {'value stands' if found == 1 else 'values stand'} in several rows"
        return Verdict.REFUTED, seen, "name more columns, or take the claim out"
    hint = "a unique index would prove it" if is_enforced else ""
    return Verdict.NOT_REFUTED, "no value stands in two rows today", hint


async def _unique_in_sample(
    subject: Subject, table: str, columns: Sequence[str]
) -> tuple[Verdict, str, str]:
    sample = await subject.sample(table, columns, is_one_piece=True)
    places = [sample.columns.index(one) for one in columns]
    keys = [tuple(row[at] for at in places) for row in sample.rows]
    known = [key for key in keys if None not in key]
    if not known:
        return Verdict.OPEN, "there are no rows to look at", ""
    twice = len(known) - len(set(map(str, known)))
    if twice:
        seen = f"{twice:,} of {sample.said} repeat a value"
        return Verdict.REFUTED, seen, "name more columns, or take the claim out"
    return Verdict.NOT_REFUTED, f"no value twice in {sample.said}", ""


async def _indexed(
    subject: Subject, table: str, columns: Sequence[str]
) -> tuple[Verdict, str, str]:
    live = subject.live_table(table)
    keys = () if live is None else (live.primary_key, *live.unique, *live.indexes)
    if any(key[: len(columns)] == tuple(columns) for key in keys):
        return Verdict.PROVED, "the source has such an index", ""
    rows = await subject.rows_of(table)
    if rows is not None and rows <= SMALL:
        seen = f"no such index is seen, and the table has {counted(rows, 'row')} only"
        return Verdict.NOT_REFUTED, seen, ""
    if live is not None and subject.source.connector in _SERVERS and live.primary_key:
        return Verdict.REFUTED, "the source has no such index", "make one, or take the claim out"
    # A view has no indexes of its own, and one over an expression names no column.
    return Verdict.OPEN, "no such index is seen in what the source says of itself", ""


async def _references(
    subject: Subject, table: str, name: str, other: str, target: str
) -> tuple[Verdict, str, str]:
    live = subject.live_table(table)
    declared = live.columns.get(name) if live is not None else None
    is_enforced = subject.source.connector in ("postgres", "mysql")
    if is_enforced and declared is not None and declared.references == f"{other}.{target}":
        return Verdict.PROVED, "a foreign key of the source says so", ""
    hint = "repair the rows, or take the claim out"
    if subject.source.connector == "rest":
        return await _referring(subject, table, name, other, target, hint)
    lost = await subject.orphans(table, name, other, target)
    if lost is None:
        return await _referring(subject, table, name, other, target, hint)
    rows = await subject.count(table)
    if lost:
        number = f"more than {MOST_COUNTED - 1:,}" if lost >= MOST_COUNTED else f"{lost:,}"
        part = f" ({share(lost, rows)})" if rows and lost < MOST_COUNTED else ""
        of = f" of {counted(rows, 'row')}{part}" if rows else ""
        seen = f"{number}{of} refer to no row of {other}"
        return Verdict.REFUTED, seen, hint
    seen = "every row refers to one that exists today" if rows else "there are no rows yet"
    return Verdict.NOT_REFUTED, seen, ""


async def _referring(
    subject: Subject, table: str, name: str, other: str, target: str, hint: str
) -> tuple[Verdict, str, str]:
    """Asks for some of the rows that a sample refers to."""
    sample = await subject.sample(table, (name,))
    keys = list(dict.fromkeys(map(str, sample.values(name))))[:_KEYS_ASKED]
    raw = list(dict.fromkeys(sample.values(name)))[:_KEYS_ASKED]
    if not keys:
        return Verdict.OPEN, "there are no values to follow", ""
    one = exp.column(exp.to_identifier(target, quoted=True), table="t")
    keyed = exp.EQ(this=one, expression=exp.Any(this=exp.Placeholder(this="keys")))
    tree = exp.select(column(target)).from_(scanned(other)).where(keyed)
    type_ = subject.source.tables[other].columns[target].type
    answer = await subject.ask(tree, most=MOST_COUNTED, types=(type_,), params={"keys": raw})
    lost = len(set(keys) - {str(row[0]) for row in answer.rows})
    if lost:
        return Verdict.REFUTED, f"{lost} of {len(keys)} values lead to no row of {other}", hint
    return Verdict.NOT_REFUTED, f"{counted(len(keys), 'value')} of {sample.said} were followed", ""


async def _normal(subject: Subject, table: str, name: str, form: str) -> tuple[Verdict, str, str]:
    sample = await subject.sample(table, (name,))
    values = [str(value) for value in sample.values(name) if str(value).strip()]
    if not values:
        return Verdict.OPEN, f"there is no value in {sample.said}", ""
    region = subject.source.defaults.phone_region
    forms = [_form(form, value, region) for value in values]
    other = sum(one is not None and one != value for one, value in zip(forms, values, strict=True))
    none = forms.count(None)
    if other or none == len(values):
        wrong = other or none
        seen = (
            f"{wrong:,} of {len(values):,} values ({share(wrong, len(values))}) have another form"
        )
        return Verdict.REFUTED, seen, "a look-up misses them: take the claim out"
    seen = f"{len(values):,} values of {sample.said} have this form"
    if none:
        # What is no address or number at all is never asked for.
        seen = f"{len(values) - none:,} of {seen}, the others are no {form} at all"
    return Verdict.NOT_REFUTED, seen, ""


async def _searched(
    subject: Subject, table: str, name: str, copy: str, form: str
) -> tuple[Verdict, str, str]:
    sample = await subject.sample(table, (name, copy))
    pairs = [(a, b) for a, b in sample.rows if a is not None and str(a).strip()]
    if not pairs:
        return Verdict.OPEN, f"there is no value in {sample.said}", ""
    region = subject.source.defaults.phone_region
    wrong = sum(
        b is None or _form(form or "lower", str(a), region) != (str(b) if form else str(b).lower())
        for a, b in pairs
    )
    if wrong:
        seen = f"{wrong:,} of {len(pairs):,} rows ({share(wrong, len(pairs))}) have something else"
        return Verdict.REFUTED, f"{seen} in {copy}", "search the column itself: take it out"
    return Verdict.NOT_REFUTED, f"{copy} holds the same in {sample.said}", ""


async def _domain(
    subject: Subject, table: str, name: str, domain: tuple[str, ...]
) -> tuple[Verdict, str, str]:
    live = subject.live_table(table)
    declared = live.columns.get(name) if live is not None else None
    known = frozenset(domain)
    if declared is not None and _is_closed(declared, known):
        return Verdict.PROVED, "the type of the column has no other values", ""
    found = None if subject.source.connector == "rest" else await subject.distinct(table, name)
    if found is None:
        sample = await subject.sample(table, (name,))
        values, looked = list(dict.fromkeys(sample.values(name))), sample.said
    else:
        values, looked = found[0], "all rows"
        if not found[1]:
            seen = f"it has more than {MOST_COUNTED:,} values"
            return Verdict.REFUTED, seen, "take the claim out"
    if not values:
        return Verdict.OPEN, "there is no value yet", ""
    outside = sum(known.isdisjoint(_spellings(value, declared)) for value in values)
    if outside:
        seen = f"{outside} of {counted(len(values), 'value')} are not among the {len(known)} named"
        return Verdict.REFUTED, seen, "add them, or take the claim out"
    return (
        Verdict.NOT_REFUTED,
        f"{counted(len(values), 'value')} in {looked}, all of them named",
        "",
    )


def _collation(subject: Subject, table: str, name: str, claimed: str) -> tuple[Verdict, str, str]:
    live = subject.live_table(table)
    declared = live.columns.get(name) if live is not None else None
    if declared is None or subject.source.connector == "rest":
        return Verdict.OPEN, "the source does not say how it compares", ""
    if declared.collation == claimed:
        return Verdict.PROVED, "the column is declared so", ""
    how = "exactly" if declared.collation == "exact" else "without regard to case"
    return Verdict.REFUTED, f"the source compares {how}", f"write {declared.collation}"


async def _newest(subject: Subject, table: str, name: str) -> Any:
    type_ = subject.source.tables[table].columns[name].type
    if subject.source.connector == "rest":
        values = (await subject.sample(table, (name,))).values(name)
        return values[0] if values else None
    tree = exp.select(exp.Max(this=column(name))).from_(scanned(table))
    return (await subject.ask(tree, most=1, types=(type_,))).rows[0][0]


def _claim(place: str, key: str, value: Any) -> str:
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if key in ("unique", "index"):
        on = "" if value is True else f" by {shown}" if key == "unique" else f" on {shown}"
        return f"{place} is unique{on}" if key == "unique" else f"{place} has an index{on}"
    words: Mapping[str, str] = {
        "normal_form": "values have the form",
        "search": "is searched by",
        "references": "references",
        "domain": "is one of",
        "collation": "compares",
        "time_zone": "is local to",
    }
    return f"{place} {words.get(key, key)} {shown}"


def _form(form: str, value: str, region: str) -> str | None:
    if form == "lower":
        return value.lower()
    if form == "upper":
        return value.upper()
    return normalizers.normalize(form, value, region=region)


def _is_closed(declared: SourceColumn, domain: frozenset[str]) -> bool:
    kind = declared.type.kind
    if kind is Kind.ENUM:
        return domain.issuperset(declared.type.values)
    return False


def _spellings(value: Any, declared: SourceColumn | None) -> frozenset[str]:
    if declared is not None and declared.type.kind is Kind.BOOLEAN:
        return frozenset({str(bool(value)).lower(), str(int(bool(value)))})
    return frozenset({str(value)})
