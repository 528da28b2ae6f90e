"""Decides how a question about the catalog of PostgreSQL is answered: as its asker may see it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from cachetools import LRUCache
from sqlglot import exp

from roundview_catalog.model import Catalog
from roundview_sql.failures import WireError
from roundview_sql.metadata.binding import Binder, Bound
from roundview_sql.metadata.concerning import is_about_catalog
from roundview_sql.metadata.engine import CatalogEngine, failure
from roundview_sql.metadata.own import OwnRows
from roundview_sql.metadata.port import (
    MetadataAnswer,
    MetadataSession,
    MetadataShape,
    Parameter,
)
from roundview_sql.metadata.reference import Reference

_MOST: Final = 8
"""Kinds of askers whose catalogs are kept."""


class PostgresCatalog:
    """Answers for `pg_catalog` and `information_schema` from the schema that is served.

    `catalog` returns what is served now. Nothing is made before the first question.

    Example:
        SqlServer(federation, listener, metadata=PostgresCatalog(lambda: federation.catalog))
    """

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._reference: Reference | None = None
        self._engines: LRUCache[tuple[str, str], CatalogEngine] = LRUCache(_MOST)

    def concerns(self, tree: exp.Expr) -> bool:
        """Tells whether a statement is about the catalog: no canonical relation stands in it."""
        return is_about_catalog(tree, self._known())

    async def describe(
        self, tree: exp.Expr, declared: Sequence[int], session: MetadataSession
    ) -> MetadataShape:
        """Returns types of parameters and columns."""
        return await asyncio.to_thread(self._described, tree, declared, session)

    async def answer(
        self, tree: exp.Expr, parameters: Sequence[Parameter], session: MetadataSession
    ) -> MetadataAnswer:
        """Answers a question; whoever stops waiting ends it."""
        cursors: list[Any] = []
        try:
            return await asyncio.to_thread(self._answered, tree, parameters, session, cursors)
        except asyncio.CancelledError:
            for one in cursors:
                one.interrupt()
            raise

    def _described(
        self, tree: exp.Expr, declared: Sequence[int], session: MetadataSession
    ) -> MetadataShape:
        engine = self._engine(session)
        bound = Binder(self._known(), engine, session, declared).bind(tree)
        return MetadataShape(bound.parameters, bound.columns)

    def _answered(
        self,
        tree: exp.Expr,
        parameters: Sequence[Parameter],
        session: MetadataSession,
        cursors: list[Any],
    ) -> MetadataAnswer:
        engine = self._engine(session)
        binder = Binder(self._known(), engine, session, [one.oid for one in parameters], parameters)
        bound = binder.bind(tree)
        table = self._run(engine, binder, bound, session, cursors)
        return MetadataAnswer(table, bound.columns)

    def _run(
        self,
        engine: CatalogEngine,
        binder: Binder,
        bound: Bound,
        session: MetadataSession,
        cursors: list[Any],
    ) -> pa.Table:
        said = self._said(engine, binder, session)
        if bound.reads_settings:
            said = {**said, "rv_settings": dict(self._settings(session))}
        try:
            return engine.run(bound.tree, bound.values, said, cursors)
        except Exception as error:
            raise failure(error) from error

    def _said(
        self, engine: CatalogEngine, binder: Binder, session: MetadataSession
    ) -> Mapping[str, Any]:
        reference, names = self._known(), binder.names
        return {
            "rv_database": session.database,
            "rv_user": session.user,
            "rv_pid": session.process,
            "rv_path": names.path,
            "rv_schemas": list(names.named),
            "rv_all_schemas": list(names.schemas),
            "rv_schema": engine.own.schema,
            "rv_roles": dict(reference.roles),
            "rv_reserved": list(reference.reserved),
        }

    def _settings(self, session: MetadataSession) -> Mapping[str, str]:
        return {**self._known().settings, **session.settings}

    def _known(self) -> Reference:
        if self._reference is None:
            with self._lock:
                if self._reference is None:
                    self._reference = Reference()
        return self._reference

    def _engine(self, session: MetadataSession) -> CatalogEngine:
        decision = session.decision
        key = decision.catalog_version, decision.policy_shape
        with self._lock:
            found = self._engines.get(key)
            if found is not None:
                return found
        reference, catalog = self._known(), self._catalog()
        if catalog.version != decision.catalog_version:
            raise WireError("40001", "the catalog has changed", hint="ask again")
        with self._lock:
            found = self._engines.get(key)
            if found is None:
                found = CatalogEngine(reference, OwnRows(reference, catalog, decision))
                self._engines[key] = found
            return found
