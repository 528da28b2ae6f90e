"""Decides by which values of a read other reads are asked, while its rows arrive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roundview_federation.rewrite.query.conditions import Plain
from roundview_federation.sql.matching import matching
from roundview_federation.sql.strategy import MOST_KEYS


class KeyValues:
    """The different values of some columns, in rows that fulfil what was asked; NULL is none.

    Of a column with more than MOST_KEYS nothing is kept.
    """

    def __init__(self, columns: Iterable[str], conditions: Plain) -> None:
        self._conditions = conditions
        self._found: dict[str, dict[Any, None]] = {column: {} for column in columns}

    def see(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Takes some rows into account."""
        asked = [name for name, found in self._found.items() if len(found) <= MOST_KEYS]
        if not asked:
            return
        fulfilling = matching(rows, self._conditions)
        for name in asked:
            values = pc.unique(fulfilling.column(name)).drop_null()
            found = self._found[name]
            if len(values) > MOST_KEYS:
                values = values[: MOST_KEYS + 1]
            found.update(dict.fromkeys(values.to_pylist()))

    @property
    def by_column(self) -> Mapping[str, Mapping[Any, None]]:
        """Returns the values of each column: more than MOST_KEYS are not all of them."""
        return self._found
