"""Decides what of a relation is shown of those only who agreed to the purpose of a question."""

from __future__ import annotations

from sqlglot import exp

from roundview_federation.request import Decision

AGREED = "agreed"
"""Names the parameter with the customers who agreed."""

_OWNER = "owner"


def has_agreed() -> exp.Column:
    """Returns the condition that a row is of a customer who agreed."""
    return exp.column(AGREED, table=_OWNER)


def is_agreement(node: exp.Expr) -> bool:
    """Tells whether a column is the condition that a row is of a customer who agreed."""
    return isinstance(node, exp.Column) and node.table == _OWNER and node.name == AGREED


def needs_all(decision: Decision, entity: str) -> bool:
    """Tells whether rows of an entity need their customer's consent."""
    return decision.consent is not None and (entity, "") in decision.consent.needed_by


def needs(decision: Decision, entity: str, field: str) -> bool:
    """Tells whether a field needs the consent of the customer."""
    return decision.consent is not None and (entity, field) in decision.consent.needed_by


def needs_any(decision: Decision, entity: str) -> bool:
    """Tells whether anything of an entity needs the consent of the customer."""
    consent = decision.consent
    return consent is not None and any(place[0] == entity for place in consent.needed_by)
