"""Decides what a column of a source is in Trino: a value whose type is that of the catalog.

What a connector of Trino cannot say exactly is refused; then another engine answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from roundview_catalog.model import SourceColumn
from roundview_catalog.types import Kind
from roundview_federation.bridged import bridged_type, is_exact
from roundview_federation.dialect.trino_types import not_on_trino
from roundview_federation.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTEGER,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    PgType,
    numeric,
)
from roundview_federation.dialect.values import call, is_null, string, when
from roundview_federation.rewrite.trino.convert import cast_to, utc, wrong
from roundview_federation.rewrite.trino.place import Place
from roundview_federation.rewrite.unfold import Unfolded

_TYPES = {
    Kind.INTEGER: INTEGER,
    Kind.BIGINT: BIGINT,
    Kind.TEXT: TEXT,
    Kind.ENUM: TEXT,
    Kind.UUID: TEXT,
    Kind.BOOLEAN: BOOLEAN,
    Kind.DATE: DATE,
    Kind.TIMESTAMP: TIMESTAMP,
    Kind.TIMESTAMPTZ: TIMESTAMPTZ,
}
_VARYING = ("character varying", "varchar", "text", "tinytext", "mediumtext", "longtext")
_FIXED = ("character(", "char(", "bpchar")
_BY_CODE_POINT = ' COLLATE "C"'


@dataclass(slots=True)
class RawColumns:
    """Collects the columns that a branch reads; each stands as `r.c0`, `r.c1` … outside."""

    unfolded: Unfolded
    place: Place
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    columns: list[exp.Column] = field(default_factory=list)

    def reference(self, column: exp.Column) -> tuple[exp.Expr, PgType]:
        """Returns what stands for a column, and its type; raises RequestError RV103."""
        key = (self._alias(column), column.name)
        name = self.names.get(key)
        if name is None:
            name = self.names[key] = f"c{len(self.names)}"
            self.columns.append(column.copy())
        return exp.column(name, table="r", quoted=True), self.type_of(column)

    def expressions(self) -> list[exp.Expr]:
        """Returns the columns inside, by their names outside; raises RequestError RV103."""
        return [
            exp.alias_(self.own(column), f"c{at}", quoted=True)
            for at, column in enumerate(self.columns)
        ]

    def own(self, column: exp.Column) -> exp.Expr:
        """Returns a column inside, where the source's tables stand; raises RequestError RV103."""
        alias, declared = self._alias(column), self.declared(column)
        table = self.unfolded.source.tables[self.unfolded.aliases[alias]]
        named = exp.column(self.place.column(column.name, table), table=alias, quoted=True)
        return own_value(named, declared, self.place, self.unfolded.source.connector)[0]

    def type_of(self, column: exp.Column) -> PgType:
        """Returns the type of a column as it is read; raises RequestError RV103."""
        return _type_at(self.declared(column), self.place)

    def declared(self, column: exp.Column) -> SourceColumn:
        """Returns what the catalog says of a column of the branch's own tables."""
        if self.unfolded.is_late(column):
            raise not_on_trino("rows below a row are not read there yet")
        table = self.unfolded.aliases[self._alias(column)]
        return self.unfolded.source.tables[table].columns[column.name]

    def _alias(self, column: exp.Column) -> str:
        return column.table or next(iter(self.unfolded.aliases))


def own_value(
    named: exp.Expr, column: SourceColumn, place: Place, connector: str
) -> tuple[exp.Expr, PgType]:
    """Returns a column of a table in Trino as a value, and its type; raises RequestError RV103."""
    type_ = _type_at(column, place)
    if place.is_bridged:
        return _restored(named, column), type_
    return read(named, column, connector), type_


def type_of(column: SourceColumn) -> PgType:
    """Returns the type of a column as it is read; raises RequestError RV103."""
    own = column.type
    if own.kind is Kind.DECIMAL:
        if own.precision is None or own.precision > 38:
            raise not_on_trino("a number without a fixed scale")
        return numeric(own.precision, own.scale or 0)
    found = _TYPES.get(own.kind)
    if found is None:
        raise not_on_trino(f"columns of type {own.kind}")
    return found


def is_read(column: SourceColumn) -> bool:
    """Tells whether connectors of Trino read a column, or lose nothing of it."""
    if type_of(column) is not TEXT or column.type.kind is Kind.UUID:
        return True
    native = column.native.removesuffix(_BY_CODE_POINT).lower()
    return not native or native.startswith((*_FIXED, *_VARYING))


def read(own: exp.Expr, column: SourceColumn, connector: str) -> exp.Expr:
    """Returns a column of a connector's table as a value of `type_of` it."""
    type_, kind = type_of(column), column.type.kind
    if type_ is TEXT:
        native = column.native.removesuffix(_BY_CODE_POINT).lower()
        if kind is Kind.UUID:
            return call("lower", cast_to(own, TEXT))
        if native.startswith(_FIXED):
            return exp.Trim(this=cast_to(own, TEXT), expression=string(" "), position="TRAILING")
        if not is_read(column):
            raise not_on_trino(f"columns of the source's own type {native}")
        return cast_to(own, TEXT)
    if type_ is BOOLEAN and connector not in ("postgres", "trino"):
        number = cast_to(own, INTEGER)
        return exp.Case(
            this=number,
            ifs=[
                exp.If(this=exp.Literal.number(0), true=exp.false()),
                exp.If(this=exp.Literal.number(1), true=exp.true()),
            ],
            default=when(exp.Not(this=exp.paren(is_null(own))), wrong(), None),
        )
    if type_ is TIMESTAMPTZ:
        return utc(cast_to(own, TIMESTAMPTZ))
    return cast_to(own, type_)


def _type_at(column: SourceColumn, place: Place) -> PgType:
    if place.is_bridged and column.type.kind is Kind.DECIMAL:
        # Of unknown digits it travels as its text.
        return type_of(column) if is_exact(column.type) else TEXT
    return type_of(column)


def _restored(named: exp.Expr, column: SourceColumn) -> exp.Expr:
    """Returns a column of the bridge as a value of its type."""
    made = bridged_type(column.type).restored(named)
    return utc(made) if column.type.kind is Kind.TIMESTAMPTZ else made
