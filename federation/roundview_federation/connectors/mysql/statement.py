"""Decides how a fragment reads in MySQL: constant text, keys typed like their columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlglot import exp

from roundview_catalog.model import SourceTable
from roundview_federation.connectors.children import Link, links_of
from roundview_federation.connectors.mysql import top_rows
from roundview_federation.connectors.mysql.layout import Layout, NativeColumn
from roundview_federation.connectors.mysql.matching import check
from roundview_federation.connectors.mysql.terms import (
    KEYS,
    binary,
    cast,
    in_utf8,
    json_table,
    own,
)
from roundview_federation.connectors.mysql.values import Nature, nature_of, parameter
from roundview_federation.connectors.statement import (
    BoundNames,
    Scope,
    bind_names,
    qualified,
    scope_of,
    with_key_parts,
    with_keysets,
    with_physical_names,
    with_views,
)
from roundview_federation.plan import ChildRows, Fragment
from roundview_federation.top_rows import TOP, with_bar

LIMIT: Final = "most"
DEADLINE: Final = "seconds"

_TEXT: Final = "LONGTEXT CHARACTER SET utf8mb4"
# NUL is in no name of MySQL and, every text being bound, nowhere else in a statement.
_MARK: Final = "\0"
_MARKED: Final = re.compile(r"\x00(\w+)\x00")
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)
_DECLARED_KEYS: Final[Mapping[Nature, str]] = {
    Nature.NUMBER: "BIGINT",
    Nature.TIME: "DATETIME(6)",
}


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """What keys are compared with; `is_wide` if it takes every text without conversion."""

    nature: Nature = Nature.TEXT
    is_unsigned: bool = False
    is_wide: bool = True


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the server takes it.

    `many` takes key sets as JSON; `one` takes a single key each, at half the price. `keys`:
    bound name of a key set -> what it is compared with; `natures`: the same for parameters;
    `constants`: the catalog's own texts, by bound name. `limit` names the request's parameter
    that bounds the rows.
    """

    many: str
    one: str
    names: BoundNames
    keys: Mapping[str, KeyColumn]
    natures: Mapping[str, Nature]
    constants: Mapping[str, Any]
    limit: str


@dataclass(slots=True, eq=False)
class MysqlCall:
    """One fragment; `explained` shows it without the server's own types.

    `statement` is finished when the layout is known, and again whenever that was read anew.
    """

    fragment: Fragment
    scope: Scope
    explained: str
    layout: Layout | None = None
    statement: Statement | None = None


def compile_call(fragment: Fragment, tables: Mapping[str, SourceTable]) -> MysqlCall:
    """Returns the call of a fragment; raises RequestError for unknown columns."""
    fragment = with_key_parts(fragment)
    scope = scope_of(fragment, tables)
    if fragment.top is not None and top_rows.is_possible(fragment.top, scope):
        raised = with_bar(fragment.tree, fragment.top, nulls_are_large=False)
        fragment = replace(fragment, tree=raised)
        scope = scope_of(fragment, tables)
    else:
        fragment = replace(fragment, top=None)
    writer = _Writer(fragment, scope, None)
    bind_names(writer.tree, fragment.keysets)
    return MysqlCall(fragment, scope, writer.tree.sql(dialect="mysql", identify=True))


def finish(call: MysqlCall, layout: Layout) -> Statement:
    """Returns the statement for a layout; raises Mismatch where the two do not fit."""
    if call.layout is layout and call.statement is not None:
        return call.statement
    check(call.fragment, call.scope, layout)
    limit = call.fragment.tree.args.get("limit")
    texts = []
    for is_single in (True, False):
        writer = _Writer(call.fragment, call.scope, layout, is_single=is_single)
        constants = dict(_bind_constants(writer.tree))
        kept = (LIMIT, DEADLINE, *constants)
        _bounded(writer.tree, layout)
        names = bind_names(writer.tree, call.fragment.keysets, kept=kept)
        texts.append(_text(writer.tree, layout))
    call.layout = layout
    call.statement = Statement(
        many=texts[1],
        one=texts[0],
        names=names,
        keys={bound: writer.keys.get(name, KeyColumn()) for bound, name in names.keysets.items()},
        natures={
            bound: writer.natures.get(name, Nature.OTHER) for bound, name in names.params.items()
        },
        constants=constants,
        limit=limit.expression.name if limit is not None else "",
    )
    return call.statement


class _Writer:
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
        self.keys: dict[str, KeyColumn] = {}
        self.natures: dict[str, Nature] = {TOP: Nature.NUMBER}
        self._top = fragment.top
        self._key_tables: list[tuple[exp.Placeholder, list[tuple[str, str]], Nature]] = []
        self.tree = self._translated(fragment.tree)
        if self._top is not None:
            keys, columns, nature = self._key_tables[0]
            top_rows.raise_bar(self.tree, self._top, None if is_single else keys, columns, nature)
        for node in list(self.tree.expressions):
            value = node.this if isinstance(node, exp.Alias) else node
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
        native = self._native(column) if isinstance(column, exp.Column) else None
        nature = self._nature(column) if isinstance(column, exp.Column) else Nature.TEXT
        self.keys[keys.name] = KeyColumn(
            nature,
            is_unsigned=native is not None and native.is_unsigned,
            is_wide=native is None or native.charset in ("", "utf8mb4"),
        )
        given = native.key_type if native else _DECLARED_KEYS.get(nature, _TEXT)
        columns = [("k", given)]
        if nature is Nature.TEXT:
            columns.append(("e", _TEXT))
        self._key_tables.append((keys, columns, nature))
        if self._is_single:
            return self._is_key(column, keys, nature)
        if self._top is not None and nature in (Nature.NUMBER, Nature.TEXT):
            return self._is_row_of(column, top_rows.key_table(column), nature)
        key = own(KEYS, "k")
        values = exp.select(key).from_(json_table(keys, columns))
        if nature is Nature.TEXT:
            whole = own(KEYS, "e")
            same = exp.EQ(this=self._bytes(column.copy()), expression=binary(whole))
            values = values.where(same, copy=False)
        elif nature is Nature.BYTES:
            values.set("expressions", [exp.Unhex(this=key)])
        elif native is not None and native.data_type == "uuid":
            values.set("expressions", [cast(key, "uuid")])
        elif native is not None and native.data_type == "varbinary":
            values.set("expressions", [binary(key)])
        return exp.In(this=column, query=exp.Subquery(this=values))

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


def _bounded(tree: exp.Select, layout: Layout) -> None:
    tree.set("limit", exp.Limit(expression=exp.Placeholder(this=LIMIT)))
    if layout.flavor == "mysql":
        milliseconds = exp.Placeholder(this=DEADLINE)
        most = exp.Anonymous(this="MAX_EXECUTION_TIME", expressions=[milliseconds])
        tree.set("hint", exp.Hint(expressions=[most]))


def _text(tree: exp.Select, layout: Layout) -> str:
    """Returns a statement in the driver's form: `%(name)s` for values, `%%` for a percent."""
    for node in list(tree.find_all(exp.Placeholder)):
        node.replace(exp.Var(this=f"{_MARK}{node.name}{_MARK}"))
    text = tree.sql(dialect="mysql", identify=True).replace("%", "%%")
    text = _MARKED.sub(r"%(\1)s", text)
    if layout.flavor == "mariadb":
        return f"SET STATEMENT max_statement_time = %({DEADLINE})s FOR {text}"
    return text


def _values(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.In):
        return list(node.expressions)
    if isinstance(node, exp.Between):
        return [node.args["low"], node.args["high"]]
    return [node.expression]


def _bind_constants(tree: exp.Select) -> Iterator[tuple[str, str]]:
    """Takes the catalog's texts out of the statement; yields each with its bound name."""
    found = 0
    for node in list(tree.find_all(exp.Literal)):
        if node.is_string and not isinstance(node.parent, exp.JSONTable | exp.JSONColumnDef):
            name = f"c{found}"
            yield name, node.name
            node.replace(exp.Placeholder(this=name))
            found += 1
