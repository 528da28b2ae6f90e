"""Decides how a question in SQL keeps to those who agreed to its purpose: by a join of its own."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection

from sqlglot import exp

from roundview_catalog.errors import RoundviewError
from roundview_catalog.policy import Consent
from roundview_federation.dialect.scopes import column, identifier
from roundview_federation.execute.consents import NOBODY, UNKNOWN
from roundview_federation.plan import Identifier
from roundview_federation.request import Decision
from roundview_federation.result import Agreed
from roundview_federation.rewrite.consents import needs_any
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.sql.lookups import Find
from roundview_federation.sql.planned import PlannedQuery

AGREED = "customers who agreed to the purpose of the question that is answered now"
"""Names the relation of those customers: longer than any name that a question may have."""

_OWN = "own"
_WITHHELD = "RV305"
_LOG = logging.getLogger("roundview.access")


def with_consent(tree: exp.Query, consent: Consent | None) -> exp.Query:
    """Shows of what needs consent only what customers agreed to, in the tree that is given.

    The tree is resolved and expanded: its tables are entities, its columns have their aliases.

    >>> # FROM contact_point_email e
    >>> # -> FROM (SELECT … FROM contact_point_email WHERE customer_id IN (SELECT …)) e
    """
    if consent is None:
        return tree
    entities = {entity for entity, _ in consent.needed_by}
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Identifier) and table.name in entities:
            _wrap(table, tree, consent)
    return tree


async def agreement(
    planned: PlannedQuery,
    decision: Decision,
    find: Find,
    ask: Callable[[str], Awaitable[Collection[str]]],
) -> Agreed:
    """Returns who agreed to the purpose: nobody where a consent cannot be read, maybe a no.

    `ask` answers a question for ourselves, whatever the asker may see.
    """
    if decision.consent is None or not asks_consent(planned):
        return NOBODY
    customers = await concerned(planned, decision, find)
    if customers is not None and not customers:
        return NOBODY
    try:
        return Agreed(frozenset(await ask(question_of(decision.consent, customers))))
    except RoundviewError as error:
        _LOG.warning("consents cannot be read, so what needs them is withheld: %s", error.code)
        return UNKNOWN


def asks_consent(planned: PlannedQuery) -> bool:
    """Tells whether a question needs to know who agreed to its purpose."""
    return any(one.read.relation == AGREED for one in planned.reads.values())


async def concerned(planned: PlannedQuery, decision: Decision, find: Find) -> list[str] | None:
    """Returns the customers whose consent a question needs to know, None: anybody's.

    They are named in the question, or found by the identifiers that it looks up.
    """
    customers: dict[str, None] = {}
    for one in planned.reads.values():
        if not needs_any(decision, one.read.relation):
            continue
        if one.customers is not None:
            if not all(isinstance(each, str) for each in one.customers):
                return None
            customers |= dict.fromkeys(map(str, one.customers))
            continue
        bind = one.choice.bind
        if bind is None or bind.column != "customer_id":
            return None
        for above in (planned.reads[name] for name, _ in bind.of):
            if above.read.relation != LOOKUP:
                return None
            found = await find(Identifier(*map(str, above.read.arguments)))
            if found.customer_id is not None:
                customers[found.customer_id] = None
    return list(customers)


def notices_of(planned: PlannedQuery, decision: Decision, agreed: Agreed) -> tuple[str, ...]:
    """Says what of a question is shown of those only who agreed, or of nobody just now."""
    consent = decision.consent
    if consent is None or not asks_consent(planned):
        return ()
    places: dict[str, None] = {}
    for one in planned.reads.values():
        relation = one.read.relation
        if (relation, "") in consent.needed_by:
            places[relation] = None
            continue
        for name in one.inputs:
            if (relation, name) in consent.needed_by:
                places[f"{relation}.{name}"] = None
    if agreed.is_known:
        told = f"is shown of those only who agreed to {decision.purpose}"
    else:
        told = f"is withheld: consents to {decision.purpose} cannot be read"
    return tuple(f"{_WITHHELD} {place} {told}" for place in sorted(places))


def question_of(consent: Consent, customers: Collection[str] | None) -> str:
    """Returns the question for those who agreed, of some customers (None: of all)."""
    asked = _those(consent.given)
    if consent.refused is not None:
        refused = exp.In(
            this=exp.column("customer_id"), query=exp.Subquery(this=_those(consent.refused))
        )
        asked = asked.where(exp.not_(refused), copy=False)
    if customers is not None:
        ids = [exp.Literal.string(one) for one in sorted(customers)]
        asked = asked.where(exp.In(this=exp.column("customer_id"), expressions=ids), copy=False)
    return asked.sql(dialect="postgres")


def _those(condition: exp.Expr) -> exp.Select:
    is_someone = exp.not_(exp.Is(this=exp.column("customer_id"), expression=exp.Null()))
    select = exp.select(exp.column("customer_id")).from_(exp.to_table("consent"))
    return select.where(is_someone, exp.paren(condition.copy())).distinct()


def _wrap(table: exp.Table, tree: exp.Query, consent: Consent) -> None:
    alias = table.alias_or_name
    own = f"{alias} {_OWN}"
    used = dict.fromkeys(one.name for one in tree.find_all(exp.Column) if one.table == alias)
    names = list(used) or ["customer_id"]
    inner = exp.Select(
        expressions=[
            exp.Alias(this=_shown(table.name, name, own, consent), alias=identifier(name))
            for name in names
        ]
    )
    source = exp.Table(this=identifier(table.name))
    source.set("alias", exp.TableAlias(this=identifier(own)))
    inner.set("from_", exp.From(this=source))
    if (table.name, "") in consent.needed_by:
        inner.set("where", exp.Where(this=_has_agreed(own, "")))
    named = exp.TableAlias(this=identifier(alias))
    table.replace(exp.Subquery(this=inner, alias=named))


def _shown(entity: str, name: str, own: str, consent: Consent) -> exp.Expr:
    value = column(own, name)
    if (entity, name) not in consent.needed_by:
        return value
    case = exp.Case()
    return case.when(_has_agreed(own, name), value, copy=False).else_(exp.Null(), copy=False)


def _has_agreed(own: str, name: str) -> exp.Expr:
    alias = f"{own} agreed {name}".strip()
    those = exp.Select(
        expressions=[exp.Alias(this=column(alias, "customer_id"), alias=identifier("customer_id"))]
    )
    source = exp.Table(this=identifier(AGREED))
    source.set("alias", exp.TableAlias(this=identifier(alias)))
    those.set("from_", exp.From(this=source))
    return exp.In(this=column(own, "customer_id"), query=exp.Subquery(this=those))
