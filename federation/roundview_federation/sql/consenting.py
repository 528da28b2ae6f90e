"""Decides how a question in SQL keeps to those who agreed to its purpose: by a join of its own."""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

from roundview_catalog.policy import Consent
from roundview_federation.dialect.scopes import column, identifier
from roundview_federation.request import Decision
from roundview_federation.rewrite.consents import needs_any
from roundview_federation.sql.planned import PlannedQuery

AGREED = "customers who agreed to the purpose of the question that is answered now"
"""Names the relation of those customers: longer than any name that a question may have."""

_OWN = "own"


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


def agreement_of(planned: PlannedQuery, decision: Decision) -> str | None:
    """Returns the question for who agreed, of those that a question is about; None: for nobody."""
    reads = planned.reads.values()
    if decision.consent is None or all(one.read.relation != AGREED for one in reads):
        return None
    asked = [one.customers for one in reads if needs_any(decision, one.read.relation)]
    known = [one for one in asked if one is not None]
    named = [each for one in known for each in one]
    ids = {each for each in named if isinstance(each, str)}
    customers = ids if len(known) == len(asked) and len(ids) == len(set(named)) else None
    return question_of(decision.consent, customers)


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
