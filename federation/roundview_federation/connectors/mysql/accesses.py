"""Decides what the plan of a MySQL or MariaDB server says of the tables of a statement."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from roundview_federation.connectors.mysql.sessions import Session
from roundview_federation.connectors.mysql.terms import KEYS
from roundview_federation.connectors.port import Access

_EXPLAIN: Final = "EXPLAIN FORMAT=JSON "
# MariaDB's bound on time stands before the whole statement, EXPLAIN included.
_BOUND: Final = re.compile(r"SET STATEMENT max_statement_time = %\(\w+\)s FOR ")
# `index` reads every entry of an index; hash_ALL is a scan that fills a hash table.
_WHOLE: Final = frozenset({"ALL", "index", "hash_ALL", "hash_index"})


async def read_accesses(
    session: Session, text: str, bound: Mapping[str, Any]
) -> tuple[Access, ...]:
    """Returns how each table of a statement would be read."""
    head = _BOUND.match(text)
    at = head.end() if head else 0
    ((plan,),) = await session.select(text[:at] + _EXPLAIN + text[at:], dict(bound))
    return tuple(dict.fromkeys(_accesses(orjson.loads(plan))))


def _accesses(node: Any) -> Iterator[Access]:
    if isinstance(node, list):
        for one in node:
            yield from _accesses(one)
    elif isinstance(node, dict):
        name, how = node.get("table_name"), node.get("access_type")
        if isinstance(name, str) and isinstance(how, str) and name != KEYS and name[:1] != "<":
            is_whole = how in _WHOLE
            possible = node.get("possible_keys") or [""]
            yield Access(name, possible[0] if is_whole else node.get("key", ""), is_scan=is_whole)
        for one in node.values():
            yield from _accesses(one)
