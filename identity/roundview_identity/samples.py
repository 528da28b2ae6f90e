"""Decides which customers stand for all where something is tried."""

from __future__ import annotations

from roundview_identity.ids import id_text
from roundview_identity.store import Xref

_SOME = (
    "SELECT customer_id FROM record WHERE customer_id IS NOT NULL AND deleted_at IS NULL"
    " GROUP BY customer_id ORDER BY count(*) DESC, customer_id LIMIT ?"
)


def some_customers(xref: Xref, count: int) -> tuple[str, ...]:
    """Returns customers with the most records: what goes wrong does so there first."""
    return tuple(id_text(row[0]) for row in xref.connection.execute(_SOME, (count,)))
