"""Decides the one statement that Trino gets for a question, and what its session says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.types import Type
from roundview_federation.dialect.trino import for_trino
from roundview_federation.dialect.types import TIMESTAMPTZ
from roundview_federation.rewrite.trino.fields import FETCHED_AT
from roundview_federation.rewrite.trino.holes import filled, hole, open_text
from roundview_federation.rewrite.trino.lists import shorten
from roundview_federation.rewrite.trino.place import Place
from roundview_federation.rewrite.trino.sums import plain_sums
from roundview_federation.sql.strategy import MOST_KEYS

_PUSHED_BY_DEFAULT = 256
"""So many keys of one list Trino's connectors hand on unasked, more become a range."""
_WITH_KEY_LISTS = ("postgres", "mysql")
NOW: Final = "now"
"""What the time of the statement is called among its values."""
_TIMES: Final = (NOW, FETCHED_AT)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of Trino; `properties` are those of the session, `sources` whom it reads.

    `pruned` names branches that are not read, `notes` say which are read in their own SQL and why;
    `values` are those that stand open in the tree, `missing` names sources that it does without.
    """

    tree: exp.Query
    properties: Mapping[str, str]
    sources: tuple[str, ...]
    pruned: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    _texts: dict[bool, str] = field(default_factory=dict, compare=False)

    def text(self, *, pretty: bool = False) -> str:
        """Returns the statement as Trino reads it."""
        text = self._texts.get(pretty)
        if text is None:
            text = self._texts[pretty] = self.tree.sql(dialect="trino", pretty=pretty)
        return filled(text, self.values)


def assembled(
    residual: exp.Query,
    reads: Mapping[str, exp.Query],
    types: Mapping[str, Mapping[str, Type]],
) -> exp.Query:
    """Returns the residual over the reads, each a derived table; its values stand open.

    `types` are those of the reads' columns.
    """
    tree = for_trino(residual)
    shorten(tree)
    plain_sums(tree, types)
    for table in list(tree.find_all(exp.Table)):
        rows = reads.get(table.name)
        if rows is None or table.args.get("db") is not None:
            continue
        alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
        table.replace(exp.Subquery(this=rows.copy(), alias=alias))
    for place in list(tree.find_all(exp.Placeholder)):
        is_time = place.name in _TIMES
        place.replace(hole(NOW, TIMESTAMPTZ) if is_time else open_text(place.name))
    return tree


def properties_of(
    connectors: Mapping[str, str],
    places: Mapping[str, Place],
    keys: Mapping[str, int],
    *,
    hands_on: bool,
) -> dict[str, str]:
    """Returns the session's properties: lists of keys are handed on whole, not as a range.

    `connectors` are those of the sources read, `keys` how many keys a list of each has at most;
    `hands_on` tells whether keys of one read narrow another, whose number is not known.
    """
    made: dict[str, str] = {}
    for source, connector in connectors.items():
        if connector not in _WITH_KEY_LISTS:
            continue
        most = MOST_KEYS if hands_on else keys.get(source, 0)
        if most > _PUSHED_BY_DEFAULT:
            made[f"{places[source].catalog}.domain_compaction_threshold"] = str(most)
    return made
