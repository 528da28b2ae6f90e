"""Decides which ids a customer had before: all that merges made an alias of today's."""

from __future__ import annotations

from roundview_identity.ids import id_blob, id_text
from roundview_identity.store import Xref

_FORMER = "SELECT old_customer_id FROM alias WHERE customer_id = ? ORDER BY old_customer_id"


def former_ids(xref: Xref, customer_id: str) -> tuple[str, ...]:
    """Returns the ids that lead to a customer's present one."""
    rows = xref.connection.execute(_FORMER, (id_blob(customer_id),))
    return tuple(id_text(row[0]) for row in rows)
