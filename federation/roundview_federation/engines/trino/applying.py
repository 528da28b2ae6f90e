"""Decides how catalogs are made on a Trino that runs."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from roundview_catalog.errors import EngineError, RequestError, RoundviewError
from roundview_federation.dialect.trino_types import NOT_ON_TRINO
from roundview_federation.engines.trino.engine import TrinoEngine
from roundview_federation.resilience.deadline import Deadline

_SECONDS = 30.0


async def make_catalogs(engine: TrinoEngine, made: Mapping[str, Mapping[str, str]]) -> None:
    """Makes catalogs of their properties, each anew; `connector.name` is among them.

    Raises RequestError RV103 where Trino reads its catalogs from files, EngineError RV506 for
    properties that it does not take, and what the engine raises.
    """
    for name, properties in made.items():
        try:
            for statement in (_drop(name), _create(name, properties)):
                answer = await engine.stream(statement, (), Deadline.after(_SECONDS))
                await answer.aclose()
        except RoundviewError as error:
            if error.extensions.get("engine") == NOT_ON_TRINO:
                raise RequestError(
                    "this Trino does not make catalogs while it runs",
                    code="RV103",
                    hint="set catalog.management=dynamic there, or write files with --output",
                ) from None
            if error.code != "RV500":
                raise
            raise EngineError(
                f"Trino does not take the catalog {name}",
                code="RV506",
                hint="set the variables that its properties name where Trino runs; read its log",
            ) from None


def _drop(name: str) -> str:
    return f"DROP CATALOG IF EXISTS {_identifier(name)}"


def _create(name: str, properties: Mapping[str, str]) -> str:
    told = ", ".join(
        f"{_identifier(key)} = {exp.Literal.string(value).sql('trino')}"
        for key, value in properties.items()
        if key != "connector.name"
    )
    # Trino takes quotes here for a part of the name.
    using = exp.to_identifier(properties["connector.name"], quoted=False).sql("trino")
    return f"CREATE CATALOG {_identifier(name)} USING {using}" + (f" WITH ({told})" if told else "")


def _identifier(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("trino")
