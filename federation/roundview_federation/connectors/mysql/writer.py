"""Decides how the tree of a fragment is said in MySQL: exact text, keys typed like columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from roundview_catalog.types import Kind
from roundview_federation.connectors.children import Link, links_of
from roundview_federation.connectors.mysql import grouping, top_rows
from roundview_federation.connectors.mysql.layout import Layout, NativeColumn
from roundview_federation.connectors.mysql.terms import (
    KEYS,
    Definition,
    binary,
    cast,
    in_utf8,
    json_table,
    own,
)
from roundview_federation.connectors.mysql.values import Nature, nature_of, parameter
from roundview_federation.connectors.statement import (
    Scope,
    qualified,
    with_keysets,
    with_physical_names,
    with_views,
)
from roundview_federation.key_sets import part_of_keyset
from roundview_federation.plan import ChildRows, Fragment
from roundview_federation.top_rows import TOP

_TEXT: Final = "LONGTEXT CHARACTER SET utf8mb4"
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)
_DECLARED_KEYS: Final[Mapping[Nature, str]] = {
    Nature.NUMBER: "BIGINT",
    Nature.TIME: "DATETIME(6)",
}


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """What keys are compared with; `is_wide` if it takes every text without conversion.

    `scale` is that of a column of decimals, None for any other.
    """

    nature: Nature = Nature.TEXT
    is_unsigned: bool = False
    is_wide: bool = True
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class _KeyPart:
    """What a column is compared with: columns of the table of keys, and what must hold besides."""

    column: KeyColumn
    definitions: tuple[Definition, ...]
    shown: exp.Expr
    condition: exp.Expr | None = None


class Writer:
    """Translates one fragment; without a layout, as its declared types suggest."""

    def __init__(
        self,
        fragment: Fragment,
        scope: Scope,
        layout: Layout | None,
        *,
        is_single: bool = False,
    ) -> None:
        self._scope = scope
        self._layout = layout
        self._is_single = is_single
        self.keys: dict[str, tuple[KeyColumn, ...]] = {}
        self.natures: dict[str, Nature] = {TOP: Nature.NUMBER}
        self._top = fragment.top
        self._key_tables: list[tuple[exp.Placeholder, list[Definition], Nature]] = []
        self.tree = self._translated(fragment.tree)
        if self._top is not None:
            keys, columns, nature = self._key_tables[0]
            top_rows.raise_bar(self.tree, self._top, None if is_single else keys, columns, nature)
        if self.tree.args.get("group") is not None:
            self._group()
        for node in list(self.tree.expressions):
            value = node.this if isinstance(node, exp.Alias) else node
            if isinstance(value, exp.Min | exp.Max):
                # The least of some bits is bits.
                value = value.this
            if isinstance(value, exp.Column):
                value.replace(self._shown(value.copy()))
        for child in fragment.children:
            qualified_child = ChildRows(child.alias, qualified(child.tree))
            is_one = child.tree.args.get("limit") is not None
            is_grouped = fragment.is_scan and not is_one
            grouped = links_of(qualified_child, scope) if is_grouped else None
            value = self._grouped(child, *grouped) if grouped else self._bound(child)
            named = exp.alias_(value, f"rows_{child.alias}", quoted=True)
            self.tree.append("expressions", named)

    def _translated(self, tree: exp.Select) -> exp.Select:
        result = with_views(qualified(tree), self._scope)
        for node in list(result.find_all(*_COMPARISONS)):
            self._compare(node)
        for term in result.find_all(exp.Ordered):
            column = term.this
            if isinstance(column, exp.Column) and self._nature(column) is Nature.TEXT:
                column.replace(self._bytes(column.copy()))
        # Last: what is inside a key set is ours, and no table of the catalog.
        return with_keysets(with_physical_names(result, self._scope), self._in_keys)

    def _group(self) -> None:
        """Groups text by its bytes; of texts that have the same, any is the text."""
        texts = set()
        for node in list(self.tree.args["group"].expressions):
            if isinstance(node, exp.Column) and self._nature(node) is Nature.TEXT:
                texts.add(node.sql())
                native = self._native(node)
                is_short = native is None or grouping.is_short(native)
                whole = self._bytes(node.copy())
                node.replace(whole if is_short else grouping.digest(whole))
        for node in list(self.tree.expressions):
            value = node.unalias()
            if isinstance(value, exp.Column) and value.sql() in texts:
                value.replace(exp.Max(this=value.copy()))
        grouping.without_walk(self.tree, self._scope)

    def _bound(self, child: ChildRows) -> exp.Expr:
        """Returns a child's rows as a sub-select per row, which searches by the link's index."""
        rows = self._translated(child.tree)
        rows.set("expressions", [self._list(rows)])
        return exp.Subquery(this=rows)

    def _grouped(self, child: ChildRows, links: tuple[Link, ...], tree: exp.Select) -> exp.Expr:
        """Joins all rows below everything, grouped by their link: a scan reads them once."""
        rows = self._translated(tree)
        alias = f"below_{child.alias}"
        inner = [
            exp.alias_(link.inner.copy(), f"l{at}", quoted=True) for at, link in enumerate(links)
        ]
        rows.set("expressions", [*inner, exp.alias_(self._list(rows), "below", quoted=True)])
        rows = rows.group_by(*(link.inner.copy() for link in links), copy=False)
        same = [
            exp.EQ(this=own(alias, f"l{at}"), expression=link.outer.copy())
            for at, link in enumerate(links)
        ]
        table = exp.alias_(exp.Subquery(this=rows), alias, table=True, quoted=True)
        self.tree.join(table, on=exp.and_(*same), join_type="left", copy=False)
        return own(alias, "below")

    def _list(self, rows: exp.Select) -> exp.Expr:
        cells = [self._cell(node) for node in rows.expressions]
        row = exp.Anonymous(this="JSON_ARRAY", expressions=cells)
        is_one = rows.args.get("limit") is not None
        name = "JSON_ARRAY" if is_one else "JSON_ARRAYAGG"
        return exp.Anonymous(this=name, expressions=[row])

    def _native(self, column: exp.Column) -> NativeColumn | None:
        table = self._scope.tables.get(column.table)
        if table is None or self._layout is None:
            return None
        return self._layout.column(table.physical, column.name)

    def _nature(self, column: exp.Column) -> Nature:
        native = self._native(column)
        if native is not None:
            return native.nature
        declared = self._scope.column(column)
        return nature_of(declared.type.kind) if declared else Nature.OTHER

    def _compare(self, node: exp.Expr) -> None:
        """Makes a comparison of a column with values exact: by bytes, in the column's type."""
        other = node.args.get("expression")
        if isinstance(other, exp.Column) and isinstance(node, exp.EQ | exp.NEQ):
            if isinstance(node.this, exp.Column | exp.Select):
                return
            node.set("expression", node.this.copy())
            node.set("this", other.copy())
            other = node.args["expression"]
        column = node.this
        if not isinstance(column, exp.Column) or isinstance(other, exp.Column | exp.Any):
            return
        if node.args.get("query") is not None or isinstance(other, exp.Subquery):
            return
        nature = self._nature(column)
        for value in _values(node):
            self._adapt(value, nature)
        native = self._native(column)
        if native is not None and native.data_type == "year":
            # Beside a YEAR the server reads 24 as 2024.
            column.replace(exp.Add(this=column.copy(), expression=exp.Literal.number(0)))
        if nature is not Nature.TEXT:
            return
        exact = node.copy()
        exact.set("this", self._bytes(column.copy()))
        if isinstance(node, exp.EQ | exp.In):
            # The first conjunct is there for the column's own index.
            node.replace(exp.paren(exp.and_(node.copy(), exact, wrap=False)))
        else:
            node.replace(exact)

    def _adapt(self, value: exp.Expr, nature: Nature) -> None:
        if isinstance(value, exp.Placeholder):
            self.natures[value.name] = nature
        elif isinstance(value, exp.Literal):
            if nature is Nature.NUMBER and value.is_string:
                number = parameter(value.name, nature)
                value.replace(exp.Null() if number is None else exp.Literal.number(number))
                return
            if nature in (Nature.TEXT, Nature.BYTES) and not value.is_string:
                value.replace(exp.Literal.string(value.name))
                return
        if nature is Nature.BYTES:
            value.replace(exp.Unhex(this=value.copy()))

    def _in_keys(self, column: exp.Expr, keys: exp.Placeholder) -> exp.Expr:
        columns = column.expressions if isinstance(column, exp.Tuple) else [column]
        is_alone = len(columns) == 1
        parts = [self._key_part(one, "" if is_alone else str(at)) for at, one in enumerate(columns)]
        definitions = [one for part in parts for one in part.definitions]
        nature = parts[0].column.nature
        self._key_tables.append((keys, definitions, nature))
        if self._is_single:
            return self._are_keys(columns, keys, parts)
        self.keys[keys.name] = tuple(part.column for part in parts)
        if self._top is not None and nature in (Nature.NUMBER, Nature.TEXT):
            return self._is_row_of(column, top_rows.key_table(column), nature)
        values = exp.select(*(part.shown for part in parts)).from_(json_table(keys, definitions))
        conditions = [part.condition for part in parts if part.condition is not None]
        if conditions:
            values = values.where(*conditions, copy=False)
        return exp.In(this=column, query=exp.Subquery(this=values))

    def _key_part(self, column: exp.Expr, suffix: str) -> _KeyPart:
        native = self._native(column) if isinstance(column, exp.Column) else None
        nature = self._nature(column) if isinstance(column, exp.Column) else Nature.TEXT
        compared = KeyColumn(
            nature,
            is_unsigned=native is not None and native.is_unsigned,
            is_wide=native is None or native.charset in ("", "utf8mb4"),
            scale=native.scale if native is not None and native.data_type == "decimal" else None,
        )
        path = f"$[{suffix}]" if suffix else "$"
        given = native.key_type if native else self._declared_keys(column, nature)
        definition = (f"k{suffix}", given, path)
        key = own(KEYS, f"k{suffix}")
        if nature is Nature.TEXT:
            whole = binary(own(KEYS, f"e{suffix}"))
            same = exp.EQ(this=self._bytes(column.copy()), expression=whole)
            return _KeyPart(compared, (definition, (f"e{suffix}", _TEXT, path)), key, same)
        shown: exp.Expr = key
        if nature is Nature.BYTES:
            shown = exp.Unhex(this=key)
        elif native is not None and native.data_type == "uuid":
            shown = cast(key, "uuid")
        elif native is not None and native.data_type == "varbinary":
            shown = binary(key)
        return _KeyPart(compared, (definition,), shown)

    def _declared_keys(self, column: exp.Expr, nature: Nature) -> str:
        declared = self._scope.column(column) if isinstance(column, exp.Column) else None
        if declared is not None and declared.type.kind is Kind.DECIMAL:
            digits, scale = declared.type.digits
            return f"DECIMAL({digits},{scale})"
        if declared is not None and declared.type.kind is Kind.DATE:
            return "DATE"
        return _DECLARED_KEYS.get(nature, _TEXT)

    def _are_keys(
        self, columns: list[exp.Expr], keys: exp.Placeholder, parts: list[_KeyPart]
    ) -> exp.Expr:
        names = [keys.name]
        if len(columns) > 1:
            names = [part_of_keyset(keys.name, at) for at in range(len(columns))]
        same = []
        for name, column, part in zip(names, columns, parts, strict=True):
            self.keys[name] = (part.column,)
            same.append(self._is_key(column.copy(), exp.Placeholder(this=name), part.column.nature))
        return same[0] if len(same) == 1 else exp.paren(exp.and_(*same, wrap=False))

    def _is_key(self, column: exp.Expr, key: exp.Placeholder, nature: Nature) -> exp.Expr:
        given = exp.Unhex(this=key) if nature is Nature.BYTES else key
        same = exp.EQ(this=column, expression=given)
        if nature is not Nature.TEXT:
            return same
        whole = exp.EQ(this=self._bytes(column.copy()), expression=key.copy())
        return exp.paren(exp.and_(same, whole, wrap=False))

    def _is_row_of(self, column: exp.Expr, table: str, nature: Nature) -> exp.Expr:
        same = exp.EQ(this=column, expression=own(table, "k"))
        if nature is not Nature.TEXT:
            return same
        whole = exp.EQ(this=self._bytes(column.copy()), expression=binary(own(table, "e")))
        return exp.paren(exp.and_(same, whole, wrap=False))

    def _bytes(self, column: exp.Expr) -> exp.Expr:
        """Returns a text as its UTF-8 bytes: they compare by code point, blanks and all."""
        native = self._native(column) if isinstance(column, exp.Column) else None
        if native is None or native.is_utf8:
            return binary(column)
        return binary(in_utf8(column))

    def _shown(self, column: exp.Column) -> exp.Expr:
        native = self._native(column)
        if native is None:
            return column
        if native.data_type == "float":
            # As text the server gives a FLOAT six digits only.
            return cast(column, "double")
        if native.data_type == "bit":
            return exp.Add(this=column, expression=exp.Literal.number(0))
        if native.data_type == "binary":
            return exp.Lower(this=exp.Hex(this=column))
        if native.data_type == "varbinary":
            return in_utf8(column)
        return column

    def _cell(self, node: exp.Expr) -> exp.Expr:
        """Returns a value as JSON can carry it: decimals as text, text in one charset."""
        native = self._native(node) if isinstance(node, exp.Column) else None
        if native is None or not isinstance(node, exp.Column):
            return node
        if native.nature is Nature.TEXT and not native.is_utf8:
            return in_utf8(node)
        if native.data_type in ("decimal", "uuid", "inet4", "inet6"):
            return cast(node, "char")
        return self._shown(node)


def _values(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.In):
        return list(node.expressions)
    if isinstance(node, exp.Between):
        return [node.args["low"], node.args["high"]]
    return [node.expression]
