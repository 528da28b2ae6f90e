"""Decides which SELECT `customer` stands for: a row per customer, each field as its rule says.

It has the meaning of `execute.survive`, which chooses for customers that are known: of the rows
that have a value the first, ordered by what the rule wants, then by who changed last, is primary,
and has the smallest (source, source_key, slot).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.model import Catalog, SurvivorRule
from roundview_catalog.types import Kind, Type
from roundview_federation.dialect.scopes import column, identifier
from roundview_federation.rewrite.derive import OWN_COLUMNS

BASE = "individual"
"""The entity whose rows say which customers there are."""

RECORDS = "records"
"""Mark of the SELECT that reads an entity's records: what chooses customers goes there."""

_PLACE = ("source_updated_at", "is_primary", "source", "source_system", "source_key", "slot")
_BY_RECENCY = "most_recent"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """One customer field: the field of the record it is, and its rule."""

    name: str
    field: str
    rule: SurvivorRule
    type: Type

    @property
    def is_union(self) -> bool:
        """Tells whether all values survive: texts only, other values do not add up."""
        return not self.rule.trusted and self.rule.rule == "union" and self.type.kind is Kind.TEXT

    @property
    def order(self) -> str:
        """Returns the name of the order in which rows compete, equal for equal orders."""
        if self.rule.trusted:
            return f"trusted {','.join(self.rule.trusted)}"
        if self.rule.rule in ("most_frequent", "most_complete"):
            return f"{self.rule.rule} {self.name}"
        return _BY_RECENCY


def customer_select(catalog: Catalog, fields: Mapping[str, frozenset[str]]) -> exp.Select:
    """Returns the SELECT of `customer` over the readable fields of entities, names resolved."""
    chosen: dict[str, list[_Chosen]] = {BASE: []}
    for name, (entity, field) in catalog.canonical.customer_fields.items():
        if field in fields.get(entity, ()):
            type_ = catalog.canonical.entities[entity].types[field]
            one = _Chosen(name, field, catalog.survivor_rule(name), type_)
            chosen.setdefault(entity, []).append(one)
    projections = [_named(column(BASE, name), name) for name in OWN_COLUMNS]
    for entity, ones in chosen.items():
        projections += [_named(column(entity, one.name), one.name) for one in ones]
    select = exp.Select(expressions=projections)
    for entity, ones in chosen.items():
        source = _derived(_survivors(entity, ones, fields[entity]), entity)
        if entity == BASE:
            select.set("from_", exp.From(this=source))
            continue
        on = exp.EQ(this=column(entity, "customer_id"), expression=column(BASE, "customer_id"))
        select.append("joins", exp.Join(this=source, side="LEFT", on=on))
    return select


def candidate_fields(
    catalog: Catalog, fields: Mapping[str, frozenset[str]]
) -> dict[str, tuple[str, str]]:
    """Returns customer field -> (entity, field) of which a surviving value is one of the values."""
    found = {}
    for name, (entity, field) in catalog.canonical.customer_fields.items():
        if field in fields.get(entity, ()):
            type_ = catalog.canonical.entities[entity].types[field]
            if not _Chosen(name, field, catalog.survivor_rule(name), type_).is_union:
                found[name] = (entity, field)
    return found


def _survivors(entity: str, ones: Sequence[_Chosen], readable: frozenset[str]) -> exp.Select:
    """Returns one row per customer: records, their places in each order, the first that have."""
    has_primary = "is_primary" in readable
    places = [name for name in _PLACE if name in readable]
    own = list(OWN_COLUMNS) if entity == BASE else ["customer_id"]
    names = [*own, *places, *(one.name for one in ones)]
    records = _records(entity, ones, [*own, *places])
    ranked = _over(records, f"{entity} ranked", names, _ranks(entity, ones, has_primary))
    orders = list(dict.fromkeys(one.order for one in ones))
    names = [*own, *orders, *(one.name for one in ones)]
    first = _over(ranked, f"{entity} first", names, _firsts(entity, ones))
    alias = f"{entity} chosen"
    made = [_named(column(alias, "customer_id"), "customer_id")]
    if entity == BASE:
        made.append(_named(exp.Max(this=column(alias, "link_state")), "link_state"))
    made += [_named(_survivor(alias, one), one.name) for one in ones]
    select = exp.Select(expressions=made)
    select.set("from_", exp.From(this=_derived(first, alias)))
    select.set("group", exp.Group(expressions=[column(alias, "customer_id")]))
    return select


def _records(entity: str, ones: Sequence[_Chosen], own: Sequence[str]) -> exp.Select:
    alias = f"{entity} records"
    made = [_named(column(alias, name), name) for name in own]
    for one in ones:
        value = column(alias, one.field)
        made.append(_named(value, one.name))
        if one.order.startswith("most_frequent"):
            same = [column(alias, "customer_id"), column(alias, one.field)]
            count = exp.Count(this=value.copy(), big_int=True)
            made.append(_named(_window(count, same), f"{one.name} count"))
    select = exp.Select(expressions=made)
    table = exp.Table(this=identifier(entity), alias=exp.TableAlias(this=identifier(alias)))
    select.set("from_", exp.From(this=table))
    is_null = exp.Is(this=column(alias, "customer_id"), expression=exp.Null())
    select.set("where", exp.Where(this=exp.Not(this=is_null)))
    select.meta[RECORDS] = entity
    return select


def _over(
    inner: exp.Select, alias: str, names: Sequence[str], made: Iterable[exp.Expr]
) -> exp.Select:
    """Returns columns of an inner SELECT and what is computed beside them."""
    select = exp.Select(expressions=[*(_named(column(alias, n), n) for n in names), *made])
    select.set("from_", exp.From(this=_derived(inner, alias)))
    return select


def _ranks(entity: str, ones: Sequence[_Chosen], has_primary: bool) -> Iterator[exp.Expr]:
    """Yields the place of every row in each order that some field needs."""
    alias = f"{entity} ranked"
    for order, one in {one.order: one for one in ones}.items():
        keys = [
            *_wanted(alias, one),
            _ordered(column(alias, "source_updated_at"), descending=True),
        ]
        if has_primary:
            keys.append(_ordered(_choice([column(alias, "is_primary")])))
        keys += [_ordered(column(alias, name)) for name in ("source", "source_key", "slot")]
        yield _named(_window(exp.RowNumber(), [column(alias, "customer_id")], keys), order)


def _wanted(alias: str, one: _Chosen) -> Iterator[exp.Ordered]:
    """Yields what a rule orders by before all else."""
    if one.rule.trusted:
        systems = [
            exp.Or(
                this=exp.EQ(this=column(alias, "source"), expression=exp.Literal.string(name)),
                expression=exp.EQ(
                    this=column(alias, "source_system"), expression=exp.Literal.string(name)
                ),
            )
            for name in one.rule.trusted
        ]
        yield _ordered(_choice(systems))
    elif one.rule.rule == "most_frequent":
        yield _ordered(column(alias, f"{one.name} count"), descending=True)
    elif one.rule.rule == "most_complete" and one.type.is_text:
        length = exp.Anonymous(this="length", expressions=[column(alias, one.name)])
        yield _ordered(length, descending=True)
    elif one.rule.rule == "most_complete" and one.type.is_time:
        # A time is longer with parts of a second; dates are of one length.
        value = column(alias, one.name)
        seconds = exp.Anonymous(
            this="date_trunc", expressions=[exp.Literal.string("second"), value.copy()]
        )
        yield _ordered(_choice([exp.NEQ(this=value, expression=seconds)]))


def _firsts(entity: str, ones: Sequence[_Chosen]) -> Iterator[exp.Expr]:
    """Yields the first place of a row with a value; for a union, which rows repeat a value."""
    alias = f"{entity} first"
    for one in ones:
        person = column(alias, "customer_id")
        if one.is_union:
            keys = [_ordered(column(alias, one.order))]
            among = [person, column(alias, one.name)]
            yield _named(_window(exp.RowNumber(), among, keys), f"{one.name} first")
            continue
        place = _filtered(exp.Min(this=column(alias, one.order)), _known(alias, one))
        yield _named(_window(place, [person]), f"{one.name} first")


def _survivor(alias: str, one: _Chosen) -> exp.Expr:
    value, first = column(alias, one.name), column(alias, f"{one.name} first")
    place = column(alias, one.order)
    if not one.is_union:
        return _filtered(exp.Max(this=value), exp.EQ(this=place, expression=first))
    ordered = exp.Order(this=value, expressions=[_ordered(place)])
    joined = exp.GroupConcat(this=ordered, separator=exp.Literal.string(", "))
    is_new = exp.EQ(this=first, expression=exp.Literal.number(1))
    return _filtered(joined, exp.And(this=is_new, expression=_known(alias, one)))


def _choice(conditions: Sequence[exp.Expr]) -> exp.Case:
    """Returns the place of the first condition that holds, after them if none does."""
    ifs = [exp.If(this=one, true=exp.Literal.number(at)) for at, one in enumerate(conditions)]
    return exp.Case(ifs=ifs, default=exp.Literal.number(len(ifs)))


def _known(alias: str, one: _Chosen) -> exp.Expr:
    return exp.Not(this=exp.Is(this=column(alias, one.name), expression=exp.Null()))


def _filtered(function: exp.Expr, condition: exp.Expr) -> exp.Filter:
    return exp.Filter(this=function, expression=exp.Where(this=condition))


def _window(
    function: exp.Expr, apart: Sequence[exp.Expr], keys: Sequence[exp.Expr] = ()
) -> exp.Window:
    order = exp.Order(expressions=list(keys)) if keys else None
    return exp.Window(this=function, partition_by=list(apart), order=order, over="OVER")


def _ordered(node: exp.Expr, *, descending: bool = False) -> exp.Ordered:
    return exp.Ordered(this=node, desc=descending, nulls_first=False)


def _named(node: exp.Expr, name: str) -> exp.Alias:
    return exp.Alias(this=node, alias=identifier(name))


def _derived(query: exp.Query, alias: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(alias)))
