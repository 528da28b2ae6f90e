"""Decides how a question is answered: by the federation, or by what knows the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from sqlglot import exp

from roundview_federation.federation import Federation
from roundview_federation.request import Principal, Request
from roundview_federation.sql.arguments import Arguments
from roundview_federation.sql.explained import as_text
from roundview_sql.failures import WireError
from roundview_sql.metadata.port import Metadata, MetadataSession, Parameter
from roundview_sql.metadata.reading import read
from roundview_sql.parameters import Said
from roundview_sql.portals import Rows, of_table
from roundview_sql.type_codes import TEXT, Column, column_of, declared, oid_of
from roundview_sql.variables import Variables, milliseconds


@dataclass(slots=True)
class Described:
    """What is known of a question before it is asked.

    `tree` is there for one about the catalog of PostgreSQL.
    """

    parameters: tuple[int, ...]
    columns: tuple[Column, ...]
    tree: exp.Expr | None = field(default=None, repr=False)


class Asker:
    """Asks the questions of one session under its principal and its settings."""

    def __init__(
        self,
        federation: Federation,
        metadata: Metadata,
        principal: Principal,
        variables: Variables,
        session: MetadataSession,
    ) -> None:
        self._federation = federation
        self._metadata = metadata
        self._principal = principal
        self._variables = variables
        self._session = session

    async def describe(self, text: str, types: Sequence[int]) -> Described:
        """Returns parameters and columns of a question; `types` are the OIDs that are declared."""
        tree = self._about_catalog(text)
        if tree is not None:
            shape = await self._metadata.describe(tree, types, self._session)
            return Described(shape.parameters, shape.columns, tree)
        names = tuple(map(declared, types))
        found = await self._federation.describe_sql(text, names, self.request())
        count = max([*found.parameters, len(types)], default=0)
        oids = []
        for number in range(1, count + 1):
            given = types[number - 1] if number <= len(types) else 0
            inferred = found.parameters.get(number)
            if not given and inferred is None:
                raise WireError("42P18", f"could not determine data type of parameter ${number}")
            oids.append(given or (oid_of(inferred) if inferred is not None else TEXT))
        return Described(tuple(oids), tuple(map(column_of, found.columns)))

    async def ask(
        self, text: str, described: Described | None, values: Sequence[Said], types: Sequence[int]
    ) -> Rows:
        """Answers a question; `types` are the OIDs of the values, 0 for unknown ones."""
        tree = described.tree if described is not None else self._about_catalog(text)
        if tree is not None:
            parameters = [Parameter(oid, value) for oid, value in zip(types, values, strict=True)]
            answer = await self._metadata.answer(tree, parameters, self._session)
            return of_table(answer.table, answer.columns)
        arguments = None
        if values:
            arguments = Arguments(tuple(values), tuple(map(declared, types)))
        result = await self._federation.sql(
            text,
            self.request(),
            engine=self._variables["roundview.engine"],
            arguments=arguments,
        )
        columns = tuple(map(column_of, result.columns))
        notices = [f"missing: {source}" for source in result.missing]
        return Rows(columns, result.batches(), result.close, (*notices, *result.notices))

    async def explain(self, text: str, *, is_analyzed: bool, is_json: bool) -> list[str]:
        """Says how a question is answered: lines of text, or one JSON text."""
        if self._about_catalog(text) is not None:
            told: dict[str, object] = {"engine": "memory", "reason": "the schema itself is asked"}
            lines = [f"engine    {told['engine']}: {told['reason']}"]
        else:
            explained = await self._federation.explain_sql(
                text, self.request(), analyze=is_analyzed,
                engine=self._variables["roundview.engine"],
            )  # fmt: skip
            told, lines = explained.as_dict(), as_text(explained).splitlines()
        return [orjson.dumps([told]).decode()] if is_json else lines

    def request(self) -> Request:
        """Returns the context of a question, as the settings say it."""
        timeout = milliseconds(self._variables["statement_timeout"]) / 1000
        return Request(
            self._principal,
            purpose=self._variables["roundview.purpose"],
            timeout_seconds=timeout or None,
            allow_scan=self._variables["roundview.allow_scan"] == "on",
            is_partial=self._variables["roundview.partial"] == "on",
            is_emergency=self._variables["roundview.emergency"] == "on",
            reason=self._variables["roundview.reason"],
        )

    def _about_catalog(self, text: str) -> exp.Expr | None:
        """Returns the tree of a question about the catalog, None for any other."""
        tree = read(text)
        # What cannot be read is left to the gate, which says what is wrong with it.
        return tree if tree is not None and self._metadata.concerns(tree) else None
