"""Decides what a whole statement becomes: one query for the engine, and its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError
from roundview_sql.metadata.binding.calls import Calls
from roundview_sql.metadata.binding.casts import REGISTERED, Casts
from roundview_sql.metadata.binding.expressions import Expressions
from roundview_sql.metadata.binding.queries import Queries
from roundview_sql.metadata.binding.typed import Output, Scope, Typed, named, text
from roundview_sql.metadata.engine import CatalogEngine
from roundview_sql.metadata.names import Names
from roundview_sql.metadata.port import MetadataSession, Parameter
from roundview_sql.metadata.reference import Reference, Relation
from roundview_sql.parameters import Said
from roundview_sql.type_codes import Column


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement for the engine, its columns, and the OIDs of its parameters."""

    tree: exp.Expr
    columns: tuple[Column, ...]
    parameters: tuple[int, ...]
    values: dict[str, Said]
    reads_settings: bool


class Binder:
    """Binds one statement for one session; `parameters` are None where only types are wanted."""

    def __init__(
        self,
        reference: Reference,
        engine: CatalogEngine,
        session: MetadataSession,
        declared: Sequence[int] = (),
        parameters: Sequence[Parameter] | None = None,
    ) -> None:
        self.reference = reference
        self.session = session
        self.is_described = parameters is None
        self.reads_settings = False
        self.names = Names(reference, engine.own, session)
        self.casts = Casts(reference, self.names.find, self._settle)
        self.calls = Calls(reference, self.casts, engine.macros)
        self.expressions = Expressions(self)
        self.queries = Queries(self)
        self._engine = engine
        self._parameters = parameters
        self._oids: dict[int, int] = {at: oid for at, oid in enumerate(declared, 1) if oid}
        self._count = len(declared)

    def bind(self, tree: exp.Expr) -> Bound:
        """Returns a statement for the engine."""
        query, outputs = self.queries.query(tree, Scope())
        columns = [exp.to_identifier(f"c{at}") for at in range(len(outputs))]
        shown = [
            named(self.casts.shown(exp.Column(this=name.copy()), _known(one.oid)), name.name)
            for name, one in zip(columns, outputs, strict=True)
        ]
        alias = exp.TableAlias(this=exp.to_identifier("rv_answer"), columns=columns)
        made = exp.Select(expressions=shown)
        made.set("from_", exp.From(this=exp.Subquery(this=query, alias=alias)))
        count = max([self._count, *self._oids])
        oids = tuple(self._oids.get(at, codes.TEXT) for at in range(1, count + 1))
        return Bound(
            made, tuple(map(self._column, outputs)), oids, self._values(made), self.reads_settings
        )

    def bind_view(self, text_: str) -> exp.Expr:
        """Returns the query of a view of PostgreSQL's own."""
        return self.queries.query(sqlglot.parse_one(text_, read="postgres"), Scope())[0]

    def relation(self, schema: str, name: str) -> Relation:
        """Returns a relation, and has the engine make it; raises 42P01."""
        for one in (schema,) if schema else self.names.schemas:
            found = self.reference.relations.get((one, name))
            if found is not None:
                if name == "pg_settings":
                    self.reads_settings = True
                self._engine.require(found, self.bind_view)
                return found
        shown = f"{schema}.{name}" if schema else name
        raise WireError("42P01", f'relation "{shown}" does not exist')

    def target(self, type_: exp.Expr) -> tuple[int, int]:
        """Returns OID and modifier of a type that is named."""
        return self.casts.target(type_)

    def parameter(self, number: int) -> Typed:
        """Returns $n."""
        self._count = max(self._count, number)
        oid = self._oids.get(number, codes.UNKNOWN)
        if self._parameters is not None and number <= len(self._parameters):
            given = self._parameters[number - 1]
            oid = given.oid or oid
            if given.value is None:
                return Typed(exp.Null(), oid)
            if oid in REGISTERED or (oid == codes.UNKNOWN and isinstance(given.value, str)):
                return self.casts.cast(Typed(text(given.value), codes.UNKNOWN), oid)  # type: ignore[arg-type]
        node = exp.Parameter(this=exp.to_identifier(f"p{number}"))
        if oid == codes.UNKNOWN:
            return Typed(node, oid, parameter=number)
        return Typed(exp.Cast(this=node, to=self.casts.engine(oid)), oid)

    def coerced(self, value: Typed, oid: int, typmod: int = -1) -> Typed:
        """Returns a value as a type; a parameter without one takes it."""
        return self.casts.cast(value, oid, typmod)

    def settled(self, value: Typed) -> Typed:
        """Returns a value whose type is that of a text where nothing says another."""
        return self.coerced(value, codes.TEXT) if value.is_unknown else value

    def said(self, value: Typed) -> str | None:
        """Returns the text of a constant."""
        return value.node.name if isinstance(value.node, exp.Literal) else None

    def _settle(self, parameter: int, oid: int) -> None:
        if oid != codes.UNKNOWN:
            self._oids.setdefault(parameter, oid)

    def _values(self, made: exp.Expr) -> dict[str, Said]:
        values: dict[str, Said] = {}
        for one in made.find_all(exp.Parameter):
            at = int(one.name[1:])
            if self._parameters is not None:
                values[one.name] = self._parameters[at - 1].value
        return values

    def _column(self, one: Output) -> Column:
        known = self.reference.types.get(one.oid)
        oid, typmod = _known(one.oid), one.typmod
        if known is not None and known.kind == "d":
            oid, typmod = self.reference.base(one.oid), known.typmod
        table, number = one.origin
        return Column(one.name, oid, typmod, table=table, number=number)


def _known(oid: int) -> int:
    return codes.TEXT if oid == codes.UNKNOWN else oid
