"""Decides how links are read for those who join them elsewhere: some, or all in pieces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from roundview_identity.ids import id_blob, id_text
from roundview_identity.store import Xref

_PIECE = 50_000
_COLUMNS = (
    "SELECT r.record_no, s.name, r.source_key, r.customer_id, CASE WHEN r.is_provisional THEN"
    " (SELECT min(o.is_provisional) FROM record o"
    " WHERE o.customer_id = r.customer_id AND o.deleted_at IS NULL) ELSE 0 END"
)
_ALL = (
    f"{_COLUMNS} FROM record r JOIN source s ON s.source_no = r.source_no"
    " WHERE r.record_no > ?1 AND r.deleted_at IS NULL AND r.customer_id IS NOT NULL"
    " AND (?2 IS NULL OR s.name = ?2) ORDER BY r.record_no LIMIT ?3"
)
_OF_KEYS = (
    f"{_COLUMNS} FROM source s CROSS JOIN json_each(?1) k CROSS JOIN record r"
    " ON r.source_no = s.source_no AND r.source_key = k.value"
    " WHERE r.deleted_at IS NULL AND r.customer_id IS NOT NULL AND (?2 IS NULL OR s.name = ?2)"
)
_OF_CUSTOMERS = (
    f"{_COLUMNS} FROM record r JOIN source s ON s.source_no = r.source_no"
    " WHERE r.customer_id = ?1 AND r.deleted_at IS NULL AND (?2 IS NULL OR s.name = ?2)"
)


@dataclass(frozen=True, slots=True)
class Link:
    """Says whose record one is; provisional where only a probe knows the customer."""

    source: str
    source_key: str
    customer_id: str
    is_provisional: bool


def links_after(
    xref: Xref, number: int, source: str | None = None, most: int = _PIECE
) -> tuple[list[Link], int | None]:
    """Returns some links and the number to go on from, None after the last ones.

    Begin with 0. What is linked or unlinked meanwhile may or may not be among them.
    """
    rows = xref.connection.execute(_ALL, (number, source, most)).fetchall()
    return _links(rows), rows[-1][0] if len(rows) == most else None


def links_of_keys(xref: Xref, keys: Sequence[str], source: str | None = None) -> list[Link]:
    """Returns the links of records by their source keys, of one source or of all."""
    return _links(xref.connection.execute(_OF_KEYS, (json.dumps(list(keys)), source)).fetchall())


def links_of_customers(
    xref: Xref, customer_ids: Sequence[str], source: str | None = None
) -> list[Link]:
    """Returns the links of customers by the ids that they have today, exactly as written."""
    found: list[Link] = []
    for one in customer_ids:
        blob = id_blob(one)
        if blob is not None and id_text(blob) == one:
            found += _links(xref.connection.execute(_OF_CUSTOMERS, (blob, source)).fetchall())
    return found


def _links(rows: Sequence[tuple[int, str, str, bytes, int]]) -> list[Link]:
    return [
        Link(source, key, id_text(blob), bool(provisional))
        for _, source, key, blob, provisional in rows
    ]
