"""Decides what is known of an expression or a relation once its names are bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from roundview_sql.failures import WireError
from roundview_sql.metadata.reference import Attribute, Relation
from roundview_sql.type_codes import UNKNOWN


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression for the engine with its type in PostgreSQL.

    `origin` is the relation and column that it shows, `fields` those of a record, `parameter` the
    number of one whose type is not known yet.
    """

    node: exp.Expr
    oid: int
    typmod: int = -1
    origin: tuple[int, int] = (0, 0)
    fields: tuple[tuple[str, int], ...] = ()
    parameter: int = 0
    is_constant: bool = False

    @property
    def is_unknown(self) -> bool:
        """Tells whether its type comes from where it stands."""
        return self.oid == UNKNOWN


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a relation in FROM or of a query."""

    name: str
    oid: int
    typmod: int = -1
    origin: tuple[int, int] = (0, 0)
    fields: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Source:
    """What one alias in FROM stands for; `merged` are columns that USING shows elsewhere."""

    alias: str
    columns: tuple[Output, ...]
    relation: Relation | None = None
    merged: frozenset[str] = frozenset()

    def column(self, name: str) -> Output | None:
        """Returns a column by its name."""
        return next((one for one in self.columns if one.name == name), None)


@dataclass(slots=True)
class Scope:
    """The relations that names can come from, and the queries that WITH names."""

    sources: list[Source] = field(default_factory=list)
    outer: Scope | None = None
    queries: Mapping[str, tuple[Output, ...]] = field(default_factory=dict)
    windows: frozenset[str] = frozenset()

    def below(self) -> Scope:
        """Returns a scope for a query inside."""
        return Scope([], self, self.queries)

    def source(self, alias: str) -> Source | None:
        """Returns the relation of an alias, here or outside."""
        for one in self.sources:
            if one.alias == alias:
                return one
        return self.outer.source(alias) if self.outer is not None else None

    def find(self, name: str) -> tuple[Source, Output] | None:
        """Returns where a column without a relation comes from; raises 42702 for two places."""
        found = [
            (one, column)
            for one in self.sources
            if name not in one.merged and (column := one.column(name)) is not None
        ]
        if len(found) > 1:
            raise WireError("42702", f'column reference "{name}" is ambiguous')
        if found:
            return found[0]
        return self.outer.find(name) if self.outer is not None else None

    def is_merged(self, name: str) -> bool:
        """Tells whether USING made one column of several."""
        return any(name in one.merged for one in self.sources)


def outputs_of(relation: Relation) -> tuple[Output, ...]:
    """Returns the columns of a relation."""
    return tuple(map(_output, relation.columns.values()))


def renamed(outputs: tuple[Output, ...], names: list[str]) -> tuple[Output, ...]:
    """Returns columns under other names, as far as there are some."""
    return tuple(
        replace(one, name=names[at]) if at < len(names) else one for at, one in enumerate(outputs)
    )


def _output(one: Attribute) -> Output:
    return Output(one.name, one.oid, one.typmod, (one.table, one.number))


def folded(identifier: exp.Expr | str) -> str:
    """Returns a name as PostgreSQL keeps it."""
    if isinstance(identifier, str):
        return identifier.lower()
    name: str = identifier.name
    return name if identifier.args.get("quoted") else name.lower()


def named(node: exp.Expr, name: str) -> exp.Alias:
    """Returns an expression under a name."""
    return exp.Alias(this=node, alias=exp.to_identifier(name, quoted=True))


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Returns a call of one of the engine's own functions."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def macro(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Returns a call of what stands for one of PostgreSQL's functions."""
    return exp.Dot(this=exp.to_identifier("pg"), expression=call(name, *arguments))


def text(value: str) -> exp.Literal:
    """Returns a text."""
    return exp.Literal(this=value, is_string=True)


def number(value: int) -> exp.Expr:
    """Returns a whole number."""
    literal = exp.Literal(this=str(abs(value)), is_string=False)
    return exp.Neg(this=literal) if value < 0 else literal


def variable(name: str) -> exp.Expr:
    """Returns what the session says."""
    return call("getvariable", text(f"rv_{name}"))
