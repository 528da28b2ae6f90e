"""Reads a schema of a Trino as one source: by its statements, in its time, never as a writer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp

from roundview_catalog.engines import Trino
from roundview_catalog.errors import EngineError, RequestError, RoundviewError, SourceError
from roundview_catalog.model import Source, SourceTable
from roundview_federation.connectors.answers import AnswerSize
from roundview_federation.connectors.columns import outline_of
from roundview_federation.connectors.port import Access, Capabilities
from roundview_federation.connectors.trino.schema import tables_of
from roundview_federation.connectors.trino.statement import TrinoCall, compile_call
from roundview_federation.dialect.types import TEXT
from roundview_federation.engines.trino.engine import TrinoEngine
from roundview_federation.engines.trino.settings import settings_of
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline

if TYPE_CHECKING:
    import pyarrow as pa

_INTROSPECTION_SECONDS: Final = 30.0
_CODES: Final[Mapping[str, tuple[str, str]]] = {
    "RV501": ("RV406", "is busy: Trino has no place for another question"),
    "RV502": ("RV401", "did not answer in time"),
    "RV505": ("RV402", "cannot be reached: Trino does not answer"),
    "RV506": ("RV400", "cannot be read by Trino"),
}


class TrinoConnector:
    """One schema of one Trino; what its tables are is declared, everything else is asked."""

    capabilities = Capabilities(
        dialect="",
        filters=frozenset({"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "In", "Is"}),
        joins=True,
        batches=True,
    )

    def __init__(self, source: Source, *, env: Mapping[str, str]) -> None:
        self.source = source.name
        self._tables = source.tables
        self._limits = source.limits
        self._catalog, _, schema = source.trino_catalog.partition(".")
        self._schema = (schema or source.name).lower()
        told = source.connection
        where = Trino(
            url=str(told.get("url", "")),
            user=str(told.get("user") or "roundview"),
            password=str(told.get("password") or ""),
            ca=str(told.get("ca") or ""),
        )
        self._engine = TrinoEngine(settings_of(where, source.root, env, source.position))

    def compile(self, fragment: Fragment) -> TrinoCall:
        """Returns the statement, its values left open."""
        return compile_call(fragment, self._tables, self._catalog, self._schema)

    async def rows(self, call: TrinoCall, params: Mapping[str, Any], deadline: Deadline) -> Answer:
        """Runs the statement; it ends in Trino with its task or the deadline."""
        size = AnswerSize(self._limits.bytes)
        rows: list[tuple[Any, ...]] = []
        async with aclosing(self._batches(call, params, deadline)) as found:
            async for batch in found:
                fetched = list(zip(*(one.to_pylist() for one in batch.columns), strict=True))
                rows += fetched
                if size.is_over(fetched):
                    break
        cap = call.fragment.row_cap
        is_truncated = len(rows) > cap or size.is_exceeded
        del rows[cap:]
        return Answer(rows, is_truncated=is_truncated)

    def batches(
        self, call: TrinoCall, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncIterator[pa.RecordBatch]:
        """Yields the pages of Trino's answer as Arrow, asked for at the reader's pace."""
        return self._batches(call, params, deadline)

    async def introspect(self) -> Mapping[str, SourceTable]:
        """Returns tables and columns of the schema; Trino knows no keys."""
        columns = exp.Table(
            this=exp.to_identifier("columns"),
            db=exp.to_identifier("information_schema"),
            catalog=exp.to_identifier(self._catalog, quoted=True),
        )
        names = ("table_name", "column_name", "data_type", "is_nullable")
        tree = (
            exp.select(*names)
            .from_(columns)
            .where(exp.column("table_schema").eq(exp.Literal.string(self._schema)))
            .order_by("table_name", "ordinal_position")
        )
        rows: list[tuple[str, str, str, str]] = []
        limit = Deadline.after(_INTROSPECTION_SECONDS)
        text = tree.sql(dialect="trino")
        async with aclosing(self._asked(text, len(names), limit)) as found:
            async for batch in found:
                rows += zip(*(one.to_pylist() for one in batch.columns), strict=True)
        return tables_of(rows)

    async def prove_read_only(self) -> str:
        """Returns what is sent: Trino tells nobody what its user may do."""
        return "nothing but SELECT is sent to Trino"

    async def warm(self, calls: Sequence[TrinoCall], deadline: Deadline) -> None:
        """Does nothing: there are no connections to keep."""

    def explain(self, call: TrinoCall) -> str:
        """Returns the statement without values."""
        return call.explained

    async def accesses(
        self, call: TrinoCall, params: Mapping[str, Any], deadline: Deadline
    ) -> tuple[Access, ...]:
        """Raises RequestError RV103: only what Trino reads from knows its indexes."""
        raise RequestError("Trino does not say what its sources find rows by", code="RV103")

    async def close(self) -> None:
        """Frees threads and connections."""
        await self._engine.close()

    async def _batches(
        self, call: TrinoCall, params: Mapping[str, Any], deadline: Deadline
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        outline = outline_of(self.source, call.fragment, self._tables)
        text = call.text(params)
        async with aclosing(self._asked(text, len(outline.types), deadline)) as found:
            async for batch in found:
                yield await self._engine.call(outline.batch, batch.columns)

    async def _asked(
        self, text: str, columns: int, deadline: Deadline
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """Yields the answer to a statement whose columns are texts."""
        try:
            answer = await self._engine.stream(text, (TEXT,) * columns, deadline)
            try:
                async for batch in answer:
                    yield batch
            finally:
                await answer.aclose()
        except RoundviewError as error:
            raise self._worded(error) from None

    def _worded(self, error: RoundviewError) -> RoundviewError:
        if not isinstance(error, EngineError):
            return error
        code, what = _CODES.get(error.code, ("RV400", "failed"))
        return SourceError(self.source, f"{self.source} {what}", code=code, hint=error.hint)
