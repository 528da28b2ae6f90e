"""Proves of one question that every engine which offers an answer has the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.oracles import difference

from roundview_federation.request import Request

_FOLDER = Path(__file__).parents[1] / "golden/queries"
_OVER, _ORDERED = "-- over:", "-- ordered"


def golden_queries(estate: str) -> dict[str, str]:
    """Returns the golden queries over an estate by their names."""
    texts = {path.parent.name: path.read_text("utf-8") for path in _FOLDER.glob("*/query.sql")}
    return {
        name: text
        for name, text in sorted(texts.items())
        if f"{_OVER} {estate}" in text.splitlines()
    }


async def assert_engines_agree(estate: Estate, text: str) -> None:
    """Asks a question of each engine; direct only where the explanation offers it."""
    federation: Any = estate.connection.federation
    request = Request(federation.principal, allow_scan=True)
    told = await federation.explain_sql(text, request)
    here = await answer(estate.connection, text, "embedded")
    for engine in ("trino", *(["direct"] if told.engine == "direct" else [])):
        got = await answer(estate.connection, text, engine)
        found = difference(here, got, ordered=_ORDERED in text.splitlines())
        assert found == "", f"{engine}: {found}"
