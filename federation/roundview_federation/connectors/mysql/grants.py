"""Decides whether a login can write, from what the server says that it may do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

HARMLESS: Final = frozenset({"SELECT", "USAGE", "SHOW VIEW"})
"""What a login may be allowed; everything else writes, or makes others write."""

_ROLE: Final = re.compile(r"GRANT name(?:@name)?(?:, ?name(?:@name)?)* TO .+", re.IGNORECASE)
_GRANT: Final = re.compile(r"GRANT (.+?) ON .+? TO (.+)", re.IGNORECASE)
_COLUMNS: Final = re.compile(r"\([^()]*\)")
_QUOTED: Final = re.compile(r"`(?:[^`]|``)*`|'(?:[^']|'')*'")
_MOST_NAMED: Final = 3


def writing_privileges(lines: Iterable[str]) -> tuple[str, ...]:
    """Returns every privilege in lines of SHOW GRANTS that is not harmless, sorted.

    Grants of roles are no privileges themselves: what a role may do has lines of its own. A
    line that cannot be read counts as a privilege.

    >>> writing_privileges(["GRANT SELECT, INSERT (`a`, `b`) ON `s`.`t` TO `u`@`%`"])
    ('INSERT',)
    """
    found: set[str] = set()
    for line in lines:
        bare = _bare(line)
        match = _GRANT.fullmatch(bare)
        if match is not None:
            found |= {" ".join(part.split()).upper() for part in match[1].split(",")} - HARMLESS
        elif not _ROLE.fullmatch(bare):
            found.add("UNKNOWN")
        if "WITH GRANT OPTION" in bare.upper() or "WITH ADMIN OPTION" in bare.upper():
            found.add("GRANT OPTION")
    return tuple(sorted(found))


def named(privileges: tuple[str, ...]) -> str:
    """Returns some privileges as a message names them."""
    shown = ", ".join(privileges[:_MOST_NAMED])
    return f"{shown} …" if len(privileges) > _MOST_NAMED else shown


def _bare(line: str) -> str:
    """Returns a line without quoted names and column lists, which may hold any words."""
    return " ".join(_COLUMNS.sub("", _QUOTED.sub("name", line)).split())
