"""Asks a SQL question of an open catalog: the one place that knows how that is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.sql.oracles import Answer, rows_of

from roundview.client import AsyncConnection
from roundview_catalog.errors import RequestError
from roundview_federation.request import Request
from roundview_federation.sql.explained import as_text

SECONDS = 60.0
REFUSAL = "0A000"
"""SQLSTATE of what is not supported: never a wrong answer, at most none."""


class Refused(Exception):
    """The question is not supported, and was said to be."""


_BY = re.compile(r"^  by .*$", re.MULTILINE)
_NUMBER = re.compile(r"(\s)\d+")


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to a question, and how many rows sources sent for it."""

    answer: Answer
    rows_fetched: int


async def asked(connection: AsyncConnection, text: str, engine: str = "auto") -> Asked:
    """Asks a question; raises Refused where it is not supported, other errors as they come."""
    federation: Any = connection.federation
    request = Request(federation.principal, timeout_seconds=SECONDS, allow_scan=True)
    try:
        result = await federation.sql(text, request, engine=engine)
        table = await result.table()
    except RequestError as error:
        if error.row.sqlstate == REFUSAL:
            raise Refused(str(error)) from error
        raise
    names = tuple(column.name for column in result.columns)
    return Asked(Answer(names, rows_of(table)), result.rows_fetched)


async def answer(connection: AsyncConnection, text: str, engine: str = "auto") -> Answer:
    """Returns the rows of a question; see `asked`."""
    return (await asked(connection, text, engine)).answer


async def explained(connection: AsyncConnection, text: str) -> str:
    """Returns how a question would be answered, as text that no run changes."""
    told = await connection.federation.explain_sql(
        text, Request(connection.federation.principal, allow_scan=True)
    )
    # Servers estimate their rows anew each time.
    return _BY.sub(lambda line: _NUMBER.sub(r"\1…", line[0]), as_text(told))
