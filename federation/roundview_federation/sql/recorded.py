"""Decides what the audit log is told of a SQL question: columns, sources and whom it is about."""

from __future__ import annotations

from collections.abc import Iterable

from roundview_catalog.model import Catalog
from roundview_federation.sql.consenting import AGREED
from roundview_federation.sql.planned import PlannedQuery
from roundview_federation.sql.relations import is_ours


def wanted(
    planned: PlannedQuery, catalog: Catalog
) -> tuple[list[tuple[str, Iterable[str]]], set[str]]:
    """Returns the columns that are read of each relation, and the sources that have them."""
    reads = [one for one in planned.reads.values() if not is_ours(one.read.relation)]
    found = [part for one in reads for part in one.entities.items()]
    sources = {branch.source for relation, _ in found for branch in catalog.branches(relation)}
    return list(found), sources


def named(planned: PlannedQuery) -> tuple[list[str], bool]:
    """Returns the customers that a question names, and whether it reads of nobody else.

    Those that it looks up are in the records of the lookups.
    """
    customers: dict[str, None] = {}
    bound: set[str] = set()
    is_narrow = True
    for name, one in planned.reads.items():
        waits = one.choice.bind.of if one.choice.bind is not None else ()
        customers |= dict.fromkeys(str(customer) for customer in one.customers or ())
        relation = one.read.relation
        is_named = one.customers is not None or (is_ours(relation) and relation != AGREED)
        if is_named or (waits and all(other in bound for other, _ in waits)):
            bound.add(name)
        else:
            is_narrow = False
    return list(customers), is_narrow
