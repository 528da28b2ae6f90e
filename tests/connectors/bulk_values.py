"""Decides whether the batches of a table mean what its rows mean, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from tests.connectors.opening import fragment

from roundview_catalog import coerce
from roundview_catalog.errors import SourceError
from roundview_catalog.expressions import casts
from roundview_catalog.model import SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.columns import arrow_type
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.resilience.deadline import Deadline


class Refused:
    """A value that is not of its column's type."""


async def compare(
    connector: Any,
    table: SourceTable,
    key: str,
    *,
    narrower: Mapping[str, set[Any]] | None = None,
) -> dict[str, set[Any]]:
    """Asks every column of a table both ways; returns the keys whose values neither way has.

    What a row's value means is what `coerce.decoder` makes of it. `narrower` names values that
    Arrow's type cannot hold though the decoder takes them, by column and key.
    """
    refused: dict[str, set[Any]] = {}
    for name, column in table.columns.items():
        sql = f'SELECT t."{key}" AS c0, t."{name}" AS c1 FROM "{table.name}" AS t'
        types = (table.columns[key].type, column.type)
        call = connector.compile(fragment(sql, types=types, is_scan=True, row_cap=NO_CAP))
        answer = await connector.rows(call, {}, Deadline.after(10))
        meant = {row[0]: _meant(row[1], column.type) for row in answer.rows}
        bad = {at for at, value in meant.items() if value is Refused}
        bad |= (narrower or {}).get(name, set())
        if bad:
            refused[name] = bad
        good = [at for at in meant if at not in bad]
        by_key = f'{sql} WHERE t."{key}" = ANY(:keys)'
        some = connector.compile(fragment(by_key, types=types, row_cap=NO_CAP))
        found = await read(connector, some, {"keys": good})
        assert {at: _told(value, column.type) for at, value in found} == {
            at: meant[at] for at in good
        }, name
        for at in bad:
            with pytest.raises(SourceError) as caught:
                await read(connector, some, {"keys": [at, *good]})
            assert caught.value.code == "RV403"
            assert caught.value.message == (
                f"{connector.source} holds a value in {table.name}.{name} that is no {column.type}"
            )
    return refused


async def read(connector: Any, call: Any, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Returns the rows of all batches of a call."""
    found: list[tuple[Any, ...]] = []
    async for batch in connector.batches(call, params, Deadline.after(10)):
        assert batch.schema.types == [arrow_type(type_) for type_ in call.fragment.types]
        found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return found


def _meant(value: Any, type_: Type) -> Any:
    decode = coerce.decoder(type_)
    try:
        return value if decode is None else decode(value)
    except ValueError:
        return Refused


def _told(value: Any, type_: Type) -> Any:
    if value is not None and type_.kind is Kind.JSON:
        return casts.to_json(value)
    if value is not None and type_.kind is Kind.DECIMAL:
        return Decimal(value)
    return value
