"""Decides whether a question is so large that Trino finishes it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from roundview_catalog.errors import RoundviewError
from roundview_catalog.model import Catalog
from roundview_catalog.types import Kind
from roundview_federation.dialect.trino_types import NOT_ON_TRINO
from roundview_federation.sql.planned import PlannedQuery

_TEXT_BYTES: Final = 24
_BYTES: Final[Mapping[Kind, int]] = MappingProxyType(
    {Kind.INTEGER: 4, Kind.DATE: 4, Kind.BOOLEAN: 1, Kind.DECIMAL: 16}
)
_OTHER_BYTES: Final = 8


def estimated_bytes(planned: PlannedQuery) -> float:
    """Estimates how many bytes the reads of a question bring, as Arrow holds them."""
    return sum(
        one.choice.estimate
        * sum(
            _TEXT_BYTES if type_.is_text else _BYTES.get(type_.kind, _OTHER_BYTES)
            for type_ in one.columns.values()
        )
        for one in planned.reads.values()
    )


def is_large(planned: PlannedQuery, catalog: Catalog) -> bool:
    """Tells whether a question is larger than what the embedded engine is meant for."""
    return estimated_bytes(planned) > catalog.engines.embedded_up_to


def size_told(planned: PlannedQuery, catalog: Catalog) -> str:
    """Says how large a question is, and what the embedded engine is meant for."""
    most = catalog.engines.embedded_up_to
    return f"about {_mebibytes(estimated_bytes(planned))} of {_mebibytes(most)}"


def is_for_others(error: RoundviewError) -> bool:
    """Tells whether an error says that another engine may answer."""
    return error.extensions.get("engine") == NOT_ON_TRINO


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:,.1f} MiB"
