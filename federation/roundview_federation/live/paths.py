"""Decides whether an API answers as declared: each path, filter and projection is called once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from operator import ge, gt, le, lt
from types import MappingProxyType
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.errors import Position, RequestError, SourceError
from roundview_catalog.tables import AccessPath, RestTable
from roundview_federation.live.asking import Subject, column, reason, scanned
from roundview_federation.live.findings import Finding, Verdict, counted
from roundview_federation.live.ways import (
    KEYS,
    Api,
    bindings,
    by_filter,
    by_path,
    known_rows,
    lost_rows,
    spread,
    variants,
)
from roundview_federation.plan import Answer

_SAMPLE: Final = 200
_MOST: Final = 2_000
_ORDERS: Final[Mapping[str, tuple[type[exp.Binary], Callable[[Any, Any], Any]]]] = MappingProxyType(
    {"gt": (exp.GT, gt), "ge": (exp.GTE, ge), "lt": (exp.LT, lt), "le": (exp.LTE, le)}
)


async def prove_paths(subject: Subject) -> AsyncIterator[Finding]:
    """Yields what every declared path, filter, projection and order of an API really does."""
    api = Api(subject, dict(variants(subject.source.tables)))
    for name, table in subject.source.tables.items():
        if isinstance(table.access, RestTable) and table.access.within is None:
            async for finding in _scans(api, name, table.access):
                yield finding
    for name, table in subject.source.tables.items():
        if isinstance(table.access, RestTable) and table.access.within is None:
            async for finding in _table(api, name, table.access):
                yield finding


async def _scans(api: Api, name: str, access: RestTable) -> AsyncIterator[Finding]:
    for at, path in enumerate(access.get):
        if path.columns:
            continue
        place = _path_position(api.subject, name, at)
        claim = f"{path.target} answers with rows of {name}"
        try:
            answer = await api.ask(by_path(name, at), None, {}, _SAMPLE)
        except (SourceError, RequestError) as error:
            yield _failed(api, place, claim, error)
            continue
        if not answer.rows:
            yield api.subject.finding(place, claim, Verdict.OPEN, "it has no rows yet")
            continue
        api.samples.setdefault(name, answer)
        seen = f"{counted(len(answer.rows), 'row')} in {counted(answer.calls, 'call')}"
        yield api.subject.finding(place, claim, Verdict.PROVED, seen)
        for finding in _key(api, name, access, answer):
            yield finding


async def _table(api: Api, name: str, access: RestTable) -> AsyncIterator[Finding]:
    for at, path in enumerate(access.get):
        if path.columns:
            yield await _path(api, name, at, path)
    for filtered, operators in access.filters.items():
        for operator in operators:
            yield await _filter(api, name, filtered, operator)
    if access.fields is not None:
        yield await _projection(api, name)
    if access.order:
        yield _order(api, name, access.order)


def _key(api: Api, name: str, access: RestTable, answer: Answer) -> Iterator[Finding]:
    if not access.key:
        return
    columns = api.columns(name)
    keys = [tuple(row[columns.index(one)] for one in access.key) for row in answer.rows]
    place = api.subject.places.key("tables", name, "key")
    claim = f"{name} is unique by {', '.join(access.key)}"
    missing = sum(None in key for key in keys)
    twice = len(keys) - len(set(map(str, keys)))
    if missing or twice:
        what = "have no key" if missing else "repeat the key of another"
        seen = f"{missing or twice:,} of {len(keys):,} rows {what}"
        yield api.subject.finding(place, claim, Verdict.REFUTED, seen, "name other columns")
    else:
        seen = f"no key twice in {counted(len(keys), 'row')}"
        yield api.subject.finding(place, claim, Verdict.NOT_REFUTED, seen)


async def _path(api: Api, name: str, at: int, path: AccessPath) -> Finding:
    place = _path_position(api.subject, name, at)
    claim = f"{path.target} answers with rows of {name}"
    known = await bindings(api, name, path.columns)
    if not known:
        named = " and ".join(path.columns)
        return api.subject.finding(
            place, claim, Verdict.OPEN, f"no value of {named} is known to ask with"
        )
    variant = by_path(name, at)
    missing = 0
    for values in known:
        conditions = [
            exp.EQ(this=column(one), expression=exp.Placeholder(this=one)) for one in path.columns
        ]
        params = dict(zip(path.columns, values, strict=True))
        try:
            answer = await api.ask(variant, exp.and_(*conditions), params, _MOST)
        except (SourceError, RequestError) as error:
            return _failed(api, place, claim, error)
        expected = known_rows(api, name, dict(zip(path.columns, values, strict=True)))
        missing += lost_rows(api, name, expected, answer)
        if answer.rows and not missing:
            seen = f"{counted(len(answer.rows), 'row')} for a known {' and '.join(path.columns)}"
            return api.subject.finding(place, claim, Verdict.PROVED, seen)
    if missing:
        seen = f"{counted(missing, 'known row')} did not come back"
        return api.subject.finding(place, claim, Verdict.REFUTED, seen, "take the path out")
    seen = f"no rows for {counted(len(known), 'known value')}"
    return api.subject.finding(place, claim, Verdict.OPEN, seen)


async def _filter(api: Api, name: str, filtered: str, operator: str) -> Finding:
    place = api.subject.places.key("tables", name, "filters", filtered, operator)
    claim = f"{name} is filtered by {filtered} ({operator})"
    variant = by_filter(name, filtered, operator)
    sample = api.samples.get(name)
    if variant not in api.variants or sample is None:
        seen = "there is no list to compare with"
        return api.subject.finding(place, claim, Verdict.OPEN, seen)
    values = api.decoded(name, filtered, sample.rows)
    if all(value is None for value in values):
        return api.subject.finding(place, claim, Verdict.OPEN, "no value of it is known")
    try:
        if operator in _ORDERS:
            return await _range(api, name, filtered, operator, values, place, claim)
        keys = spread(list(dict.fromkeys(value for value in values if value is not None)))
        keyed = exp.EQ(this=column(filtered), expression=exp.Any(this=exp.Placeholder(this="keys")))
        answer = await api.ask(variant, keyed, {"keys": keys}, _MOST)
    except (SourceError, RequestError) as error:
        if "not asked for" in error.message:
            seen = "it is ignored: only records that were not asked for came"
            return api.subject.finding(
                place, claim, Verdict.REFUTED, seen, "correct `send`, or take the filter out"
            )
        return _failed(api, place, claim, error)
    expected = [row for row, value in zip(sample.rows, values, strict=True) if value in keys]
    lost = lost_rows(api, name, expected, answer)
    if lost:
        seen = f"{lost} of {counted(len(expected), 'known row')} did not come back"
        hint = "a filter that misses rows must go"
        return api.subject.finding(place, claim, Verdict.REFUTED, seen, hint)
    of = f"{counted(len(expected), 'known row')} came back for {counted(len(keys), 'value')}"
    if answer.dropped:
        seen = f"{of}, and {counted(answer.dropped, 'row')} that nobody asked for"
        lists = len(keys) if operator == "eq" else 1
        if len(answer.rows) + answer.dropped >= lists * len(sample.rows):
            hint = "correct `send`, or take the filter out"
            return api.subject.finding(place, claim, Verdict.REFUTED, seen, hint)
        return api.subject.finding(place, claim, Verdict.NOT_REFUTED, seen)
    return api.subject.finding(place, claim, Verdict.PROVED, of)


async def _range(
    api: Api,
    name: str,
    filtered: str,
    operator: str,
    values: Sequence[Any],
    place: Position,
    claim: str,
) -> Finding:
    node, compare = _ORDERS[operator]
    ordered = sorted(value for value in values if value is not None)
    share = 9 if operator.startswith("g") else 1
    bound = ordered[len(ordered) * share // 10]
    condition = node(this=column(filtered), expression=exp.Placeholder(this="bound"))
    variant = by_filter(name, filtered, operator)
    answer = await api.ask(variant, condition, {"bound": bound}, _MOST)
    rows = api.samples[name].rows
    expected = [
        row
        for row, value in zip(rows, values, strict=True)
        if value is not None and compare(value, bound)
    ]
    lost = 0 if answer.is_truncated else lost_rows(api, name, expected, answer)
    if lost:
        seen = f"{lost} of {counted(len(expected), 'known row')} did not come back"
        hint = "a filter that misses rows must go"
        return api.subject.finding(place, claim, Verdict.REFUTED, seen, hint)
    seen = f"{counted(len(expected), 'known row')} came back"
    return api.subject.finding(place, claim, Verdict.NOT_REFUTED, seen)


async def _projection(api: Api, name: str) -> Finding:
    place = api.subject.places.key("tables", name, "fields")
    if "fields" not in api.subject.places.section("tables").get(name, {}):
        place = api.subject.places.key("table_defaults", "fields")
    claim = f"{name} can be asked for some fields only"
    variant = f"{name}__fields"
    sample = api.samples.get(name)
    if variant not in api.variants or sample is None:
        return api.subject.finding(place, claim, Verdict.OPEN, "there is no list to compare with")
    columns = api.columns(name)
    table = api.variants[variant]
    keys = table.access.key or columns[:1]
    lost: list[str] = []
    try:
        for one in columns:
            wanted = tuple(dict.fromkeys((*keys, one)))
            tree = exp.select(*(column(name) for name in wanted)).from_(scanned(variant))
            types = tuple(table.columns[name].type for name in wanted)
            answer = await api.subject.ask(tree, most=KEYS, types=types)
            places = [columns.index(name) for name in wanted]
            whole = {str([row[at] for at in places]) for row in sample.rows}
            if not answer.rows or any(str(list(row)) not in whole for row in answer.rows):
                lost.append(one)
    except (SourceError, RequestError) as error:
        return _failed(api, place, claim, error)
    if lost:
        seen = f"asked for alone, {', '.join(lost[:KEYS])} come back with other values"
        return api.subject.finding(place, claim, Verdict.REFUTED, seen, "take `fields` out")
    seen = f"{counted(len(columns), 'column')} were asked for alone"
    return api.subject.finding(place, claim, Verdict.PROVED, seen)


def _order(api: Api, name: str, order: str) -> Finding:
    place = api.subject.places.key("tables", name, "order")
    claim = f"rows of {name} come in the order {order}"
    sample = api.samples.get(name)
    values = api.decoded(name, order.removeprefix("-"), sample.rows) if sample else []
    known = [value for value in values if value is not None]
    if len(set(known)) < 2:
        return api.subject.finding(place, claim, Verdict.OPEN, "there are too few rows")
    if known != sorted(known, reverse=order.startswith("-")):
        hint = "a short list stops reading too early: take it out"
        return api.subject.finding(place, claim, Verdict.REFUTED, "they do not", hint)
    seen = f"{counted(len(known), 'row')} did"
    return api.subject.finding(place, claim, Verdict.NOT_REFUTED, seen)


def _path_position(subject: Subject, name: str, at: int) -> Position:
    given = subject.places.section("tables").get(name, {}).get("get")
    if isinstance(given, list) and subject.places.document is not None:
        return subject.places.document.position(("tables", name, "get", at))
    return subject.places.key("tables", name, "get")


def _failed(api: Api, place: Position, claim: str, error: SourceError | RequestError) -> Finding:
    # An answer that is not as declared is the catalog's mistake; one that did not come is not.
    is_wrong = error.code == "RV403"
    verdict = Verdict.REFUTED if is_wrong else Verdict.OPEN
    return api.subject.finding(place, claim, verdict, reason(error), error.hint)
