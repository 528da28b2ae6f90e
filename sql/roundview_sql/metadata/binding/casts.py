"""Decides how a value of one type becomes one of another, asked for or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from roundview_federation.dialect.array_texts import array_items
from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError, unsupported
from roundview_sql.metadata.binding.typed import (
    Typed,
    call,
    folded,
    macro,
    named,
    number,
    text,
)
from roundview_sql.metadata.reference import CATALOG, Reference

REGPROCEDURE, REGOPER, REGROLE = 2202, 2203, 4096
ANYARRAY, ANYELEMENT, ANYNONARRAY, ANYENUM, ANY = 2277, 2283, 2776, 3500, 2276
ACLITEM, ACLITEMS, NODE = 1033, 1034, 194
_TEXTS: Final = frozenset(
    [codes.TEXT, codes.VARCHAR, codes.BPCHAR, codes.NAME, codes.CHAR, codes.UNKNOWN, NODE, ACLITEM,
     codes.JSON, codes.JSONB, 869, 650, 3220, 2275]
)  # fmt: skip
REGISTERED: Final[Mapping[int, str]] = MappingProxyType(
    {
        codes.REGCLASS: "regclass", codes.REGTYPE: "regtype", codes.REGPROC: "regproc",
        codes.REGNAMESPACE: "regnamespace", REGROLE: "regrole", REGPROCEDURE: "regprocedure",
        REGOPER: "regoper",
    }
)  # fmt: skip
VECTORS: Final[Mapping[int, int]] = MappingProxyType(
    {codes.INT2VECTOR: codes.INT2, codes.OIDVECTOR: codes.OID}
)
_NUMBERS: Final = (codes.INT2, codes.INT4, codes.INT8, codes.NUMERIC, codes.FLOAT4, codes.FLOAT8)
_WHOLE: Final = frozenset([codes.OID, codes.XID, codes.CID, codes.INT8, *REGISTERED])
_ENGINE: Final[Mapping[int, exp.DType]] = MappingProxyType(
    {
        codes.BOOL: exp.DType.BOOLEAN, codes.INT2: exp.DType.SMALLINT, codes.INT4: exp.DType.INT,
        codes.FLOAT4: exp.DType.FLOAT, codes.FLOAT8: exp.DType.DOUBLE, codes.DATE: exp.DType.DATE,
        codes.TIME: exp.DType.TIME, codes.TIMESTAMP: exp.DType.TIMESTAMP,
        codes.TIMESTAMPTZ: exp.DType.TIMESTAMPTZ, codes.INTERVAL: exp.DType.INTERVAL,
        codes.UUID: exp.DType.UUID, codes.BYTEA: exp.DType.BLOB,
        **dict.fromkeys(_WHOLE, exp.DType.BIGINT),
    }
)  # fmt: skip
_SPELLED: Final[Mapping[exp.DType, str]] = MappingProxyType(
    {
        exp.DType.INT: "int4", exp.DType.BIGINT: "int8", exp.DType.SMALLINT: "int2",
        exp.DType.TINYINT: "int2", exp.DType.DECIMAL: "numeric", exp.DType.DOUBLE: "float8",
        exp.DType.FLOAT: "float4", exp.DType.BOOLEAN: "bool", exp.DType.CHAR: "bpchar",
        exp.DType.NCHAR: "bpchar", exp.DType.BPCHAR: "bpchar", exp.DType.VARBINARY: "bytea",
        exp.DType.BLOB: "bytea", exp.DType.TIMESTAMPNTZ: "timestamp",
    }
)  # fmt: skip


class Casts:
    """Converts expressions between types.

    `lookup` finds the OID of a name of a registered type, `settle` is told what an open parameter
    becomes.
    """

    def __init__(
        self,
        reference: Reference,
        lookup: Callable[[int, str], int],
        settle: Callable[[int, int], None],
    ) -> None:
        self._reference = reference
        self._lookup = lookup
        self._settle = settle

    def cast(self, value: Typed, oid: int, typmod: int = -1) -> Typed:
        """Returns a value as another type."""
        if value.parameter and value.is_unknown:
            self._settle(value.parameter, oid)
        target, source = self._reference.base(oid), self._reference.base(value.oid)
        node = self._converted(value, source, target)
        return Typed(node, oid, typmod, is_constant=value.is_constant)

    def meet(self, value: Typed, oid: int) -> Typed:
        """Returns a value whose type is not known yet as the type of what it stands beside."""
        return self.cast(value, oid) if value.is_unknown else value

    def common(self, values: Iterable[Typed]) -> int:
        """Returns the type that several values have together; text where none is known."""
        found = codes.UNKNOWN
        for one in values:
            type_ = self._reference.base(one.oid)
            if type_ in (codes.UNKNOWN, found):
                continue
            if found == codes.UNKNOWN:
                found = type_
                continue
            is_preferred = self.preferred(found)
            if not is_preferred and self.implicit(found, type_) and not self.implicit(type_, found):
                found = type_
        return codes.TEXT if found == codes.UNKNOWN else found

    def preferred(self, oid: int) -> bool:
        """Tells whether a type is the preferred one of its category."""
        known = self._reference.types.get(oid)
        return known is not None and known.is_preferred

    def implicit(self, source: int, target: int) -> bool:
        """Tells whether PostgreSQL converts without being asked."""
        source, target = self._reference.base(source), self._reference.base(target)
        return source == target or target == ANY or (source, target) in self._reference.casts

    def element(self, oid: int) -> int:
        """Returns the type of the elements of an array, 0 for what is none."""
        if oid in VECTORS:
            return VECTORS[oid]
        known = self._reference.types.get(self._reference.base(oid))
        return known.element if known is not None and known.category == "A" else 0

    def array(self, oid: int) -> int:
        """Returns the type of arrays of a type."""
        known = self._reference.types.get(oid)
        return known.array if known is not None and known.array else codes.array_of(codes.TEXT)

    def target(self, type_: exp.Expr) -> tuple[int, int]:
        """Returns OID and modifier of a type that is named; raises 42704."""
        if isinstance(type_, exp.Interval):
            return codes.INTERVAL, -1
        kind = type_.this
        if kind is exp.DType.ARRAY or kind is exp.DType.LIST:
            inner, typmod = self.target(type_.expressions[0])
            return self.array(inner), typmod
        if kind is exp.DType.USERDEFINED:
            return self._named(type_.args["kind"]), -1
        name = _SPELLED.get(kind) if isinstance(kind, exp.DType) else None
        name = name or str(getattr(kind, "value", kind)).lower()
        oid = self._reference.type_names.get((CATALOG, name))
        if oid is None:
            raise WireError("42704", f'type "{name}" does not exist')
        sizes = [int(one.name) for one in type_.expressions if one.name.isdigit()]
        return oid, _typmod(oid, sizes)

    def engine(self, oid: int) -> exp.DataType:
        """Returns what the engine holds values of a type in."""
        oid = self._reference.base(oid)
        element = self.element(oid)
        if element:
            return exp.DataType(
                this=exp.DType.ARRAY, expressions=[self.engine(element)], nested=True
            )
        if oid == codes.NUMERIC:
            sizes = [exp.DataTypeParam(this=number(one)) for one in (38, 6)]
            return exp.DataType(this=exp.DType.DECIMAL, expressions=sizes)
        return exp.DataType(this=_ENGINE.get(oid, exp.DType.VARCHAR))

    def shown(self, node: exp.Expr, oid: int) -> exp.Expr:
        """Returns a value of an answer as it is encoded: registered ones with their names."""
        oid = self._reference.base(oid)
        if oid in REGISTERED:
            name = macro(f"{REGISTERED[oid]}_out", node.copy())
            return exp.Case(
                ifs=[
                    exp.If(
                        this=exp.Not(this=exp.Is(this=node.copy(), expression=exp.Null())),
                        true=call("struct_pack", _field("oid", node), _field("name", name)),
                    )
                ]
            )
        if oid in VECTORS:
            return self._text(node, oid)
        return exp.Cast(this=node, to=self.engine(oid))

    def _converted(self, value: Typed, source: int, target: int) -> exp.Expr:
        node = value.node
        if target in (ANY, ANYELEMENT, ANYNONARRAY, source) and not value.is_unknown:
            return node
        if isinstance(node, exp.Null) or (value.parameter and target not in REGISTERED):
            return self._plain(node, target)
        if source in _TEXTS:
            return self._of_text(node, source, target)
        if target in _TEXTS:
            shown = self._text(node, source)
            return call("left", shown, number(1)) if target == codes.CHAR else shown
        if self.element(source) and self.element(target):
            return self._each(node, self.element(source), self.element(target), target)
        if source == codes.BOOL or target == codes.BOOL or self.element(target):
            return self._plain(node, target)
        if source in _WHOLE and target in _WHOLE:
            return node
        return self._plain(node, target)

    def _each(self, node: exp.Expr, source: int, target: int, array: int) -> exp.Expr:
        """Returns a list whose elements become another type."""
        if not (source in REGISTERED and target in _TEXTS):
            return self._plain(node, array)
        one = exp.to_identifier("rv_one")
        unnested = exp.Select(expressions=[named(call("unnest", node), one.name)])
        shown = exp.Select(expressions=[self._text(exp.Column(this=one), source)])
        inner = exp.Subquery(this=unnested, alias=exp.TableAlias(this=exp.to_identifier("rv_each")))
        shown.set("from_", exp.From(this=inner))
        is_null = exp.Is(this=node.copy(), expression=exp.Null())
        made = exp.Array(expressions=[shown])
        return exp.Case(ifs=[exp.If(this=exp.Not(this=is_null), true=made)])

    def _plain(self, node: exp.Expr, target: int) -> exp.Expr:
        return exp.Cast(this=node, to=self.engine(target))

    def _of_text(self, node: exp.Expr, source: int, target: int) -> exp.Expr:
        if target in _TEXTS:
            if target == codes.CHAR and source != codes.CHAR:
                return call("left", node, number(1))
            return node
        if target in REGISTERED:
            if isinstance(node, exp.Literal):
                return number(self._lookup(target, node.name))
            return macro(f"{REGISTERED[target]}_in", node)
        element = self.element(target)
        if element:
            if isinstance(node, exp.Literal):
                return self._list(node.name, target, element)
            inner = call("trim", node, text("{}"))
            parts = macro("string_to_array", inner, text("," if target not in VECTORS else " "))
            return self._plain(parts, target)
        return self._plain(node, target)

    def _list(self, said: str, target: int, element: int) -> exp.Expr:
        items = said.split() if target in VECTORS else array_items(said)
        made = [
            exp.Null() if one is None else self.cast(Typed(text(one), codes.UNKNOWN), element).node
            for one in items
        ]
        return self._plain(exp.Array(expressions=made), target)

    def _text(self, node: exp.Expr, source: int) -> exp.Expr:
        if source in REGISTERED:
            return macro(f"{REGISTERED[source]}_out", node)
        if source in VECTORS:
            return macro("array_to_string", node, text(" "))
        if self.element(source):
            return macro("rv_array_out", node)
        if source == codes.RECORD:
            raise unsupported("a row as a value")
        return exp.Cast(this=node, to=exp.DataType(this=exp.DType.VARCHAR))

    def _named(self, kind: exp.Expr | str) -> int:
        parts = [kind] if isinstance(kind, str) else list(kind.find_all(exp.Identifier, bfs=False))
        names = [folded(one) for one in parts]
        schema = names[-2] if len(names) > 1 else CATALOG
        oid = self._reference.type_names.get((schema, names[-1]))
        if oid is None and len(names) == 1:
            oid = self._lookup(codes.REGTYPE, names[0])
        if oid is None:
            raise WireError("42704", f'type "{".".join(names)}" does not exist')
        return oid


def constant(value: Typed) -> str | None:
    """Returns the text of a constant, None for what is none."""
    return value.node.name if isinstance(value.node, exp.Literal) else None


def with_origin(value: Typed, origin: tuple[int, int]) -> Typed:
    """Returns an expression that shows a column."""
    return replace(value, origin=origin)


def _field(name: str, value: exp.Expr) -> exp.Expr:
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=value)


def _typmod(oid: int, sizes: list[int]) -> int:
    if not sizes:
        # A character without a size is one character.
        return 5 if oid == codes.BPCHAR else -1
    if oid in (codes.VARCHAR, codes.BPCHAR):
        return sizes[0] + 4
    if oid == codes.NUMERIC:
        return ((sizes[0] << 16) | (sizes[1] if len(sizes) > 1 else 0)) + 4
    return sizes[0] if oid in (codes.TIME, codes.TIMESTAMP, codes.TIMESTAMPTZ) else -1
