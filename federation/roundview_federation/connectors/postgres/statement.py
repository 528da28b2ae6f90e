"""Decides how a fragment reads in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres

from roundview_catalog.model import SourceTable
from roundview_catalog.types import Kind
from roundview_federation.connectors.children import links_of
from roundview_federation.connectors.port import NO_CAP
from roundview_federation.connectors.postgres import columns, keys, top_rows
from roundview_federation.connectors.statement import (
    Nodes,
    Scope,
    bind_names,
    nodes_of,
    qualified,
    scope_of,
    with_key_parts,
    with_physical_names,
    with_views,
)
from roundview_federation.key_sets import keyset_of
from roundview_federation.plan import ChildRows, Fragment
from roundview_federation.top_rows import with_bar

_POSTGRES = Postgres()
_RANGES = (exp.LT, exp.LTE, exp.GT, exp.GTE)
_COMPARISONS = (
    *_RANGES, exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.In, exp.Between, exp.Like,
)  # fmt: skip
# Where a column is not an argument: it is shown, ordered, tested or compared itself.
_ON_ITS_OWN = (*_COMPARISONS, exp.Alias, exp.Select, exp.Ordered, exp.Is, exp.Cast, exp.Group)
_TEXTS = (
    exp.Column, exp.Lower, exp.Upper, exp.Trim, exp.Left, exp.Right, exp.Substring, exp.Replace,
    exp.SplitPart, exp.Coalesce, exp.Nullif, exp.Case, exp.DPipe, exp.Concat, exp.Pad, exp.Paren,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PostgresCall:
    """One statement, the same text for any number of keys; `children` JSON columns end a row.

    `tree` is that of the guarded text. `parameters` are the request's names of $1, $2 …; `keysets`
    those of them that are lists, `rows` those of lists whose values belong together.
    `declared` is the kind that the catalog says the column of a key set has; a parameter of
    `equalities` is only compared for equality, so that one that does not fit finds nothing.
    """

    text: str
    parameters: tuple[str, ...]
    keysets: frozenset[str]
    rows: tuple[tuple[str, ...], ...]
    declared: Mapping[str, Kind]
    equalities: frozenset[str]
    children: int
    row_cap: int
    form: str
    """bound, grouped, or nothing where there are no children"""
    tree: exp.Select
    fragment: Fragment

    @property
    def guarded(self) -> str:
        """Returns a text that fails where a value is too large, before the server reads it."""
        return self.tree.sql(dialect=_POSTGRES, identify=True)


def compile_call(
    fragment: Fragment, tables: Mapping[str, SourceTable], schema: str, largest: int
) -> PostgresCall:
    """Returns the statement of a fragment; `schema` is the database schema of its tables.

    A text of more than `largest` bytes is too large.
    """
    scope = scope_of(fragment, tables)
    nodes = scope.nodes
    parted = with_key_parts(fragment, lambda row: keys.is_row(row, scope))
    if parted is not fragment:
        fragment = parted
        nodes = nodes_of(fragment.tree, *(child.tree for child in fragment.children))
    form = ""
    if fragment.top is not None and top_rows.is_possible(fragment.top, scope):
        raised = with_bar(fragment.tree, fragment.top, nulls_are_large=True)
        scope = scope_of(replace(fragment, tree=raised), tables)
        tree = _translated(raised, scope, schema)
        top_rows.raise_bar(tree, fragment.top, scope)
    else:
        tree = _translated(fragment.tree, scope, schema)
    for at, child in enumerate(fragment.children):
        form = _add_child(tree, child, scope, schema, f"below{at}", is_grouped=fragment.is_scan)
    rows = tuple(keys.bind_rows(tree, scope)) if exp.Tuple in nodes else ()
    _limit(tree, fragment.row_cap)
    names = bind_names(tree, fragment.keysets)
    asked = {**names.keysets, **names.params}
    order = sorted(asked)
    for node in list(tree.find_all(exp.Placeholder)):
        number = exp.Parameter(this=exp.Literal.number(order.index(node.name) + 1))
        node.replace(exp.paren(number) if isinstance(node.parent, exp.Any) else number)
    text = tree.sql(dialect=_POSTGRES, identify=True, copy=False)
    for projection in tree.expressions:
        columns.guard(projection.unalias(), scope, largest)
    return PostgresCall(
        text=text,
        parameters=tuple(asked[name] for name in order),
        keysets=frozenset(names.keysets.values()),
        rows=rows,
        declared=keys.declared_kinds(nodes, scope),
        equalities=_equalities(nodes),
        children=len(fragment.children),
        row_cap=fragment.row_cap,
        form=form,
        tree=tree,
        fragment=fragment,
    )


def _translated(tree: exp.Select, scope: Scope, schema: str) -> exp.Select:
    result = with_physical_names(with_views(qualified(tree), scope), scope, schema)
    found = list(result.walk())
    comparisons = [node for node in found if isinstance(node, _COMPARISONS)]
    for column in found:
        if isinstance(column, exp.Column) and not isinstance(column.parent, _ON_ITS_OWN):
            column.replace(_argument(column, scope))
    for projection in result.expressions:
        value = projection.this if isinstance(projection, exp.Alias) else projection
        if isinstance(value, exp.Column):
            value.replace(columns.shown(value, scope))
    for node in comparisons:
        _compare(node, scope)
    is_ordered = any(isinstance(node, exp.Ordered) for node in found)
    for term in list(result.find_all(exp.Ordered)) if is_ordered else ():
        if _is_text(term.this, scope):
            term.set("this", _ordered_text(term.this, scope))
    return result


def _argument(column: exp.Column, scope: Scope) -> exp.Expr:
    """Returns a column as functions and operators take it: plain text that compares exactly."""
    declared = scope.column(column)
    if declared is not None and declared.type.kind is Kind.DECIMAL:
        return exp.Cast(this=column.copy(), to=exp.DataType(this=exp.DType.DECIMAL))
    plain = _plain_text(column, scope)
    return columns.by_code_point(plain) if columns.is_blind(declared) else plain


def _compare(node: exp.Expr, scope: Scope) -> None:
    """Makes a comparison mean what it means over code points; its index still serves.

    Columns that are compared with columns compare as the source does.
    """
    sides = [node.args.get(name) for name in ("this", "expression", "low", "high")]
    plain = [side for side in sides if isinstance(side, exp.Column)]
    if len(plain) > 1:
        return
    if isinstance(node, (*_RANGES, exp.Between)):
        for side in [one for one in sides if one is not None and _is_text(one, scope)]:
            side.replace(_ordered_text(side, scope))
        if plain and _is_small(plain[0], scope):
            for side in [one for one in sides if isinstance(one, exp.Placeholder)]:
                # A number beyond the column's type is more than all of its values, or less.
                side.replace(exp.Cast(this=side.copy(), to=exp.DataType(this=exp.DType.BIGINT)))
    elif plain and plain[0] is node.this:
        _compare_column(node, plain[0], scope)
    elif plain:
        plain[0].replace(_argument(plain[0], scope))


def _compare_column(node: exp.Expr, column: exp.Column, scope: Scope) -> None:
    declared = scope.column(column)
    if declared is None or not declared.type.is_text or declared.type.kind is Kind.UUID:
        return
    if columns.is_blind(declared):
        exact = node.copy()
        exact.set("this", columns.by_code_point(columns.as_text(column)))
        found = keyset_of(node)
        if found is not None:
            # The parameter has the column's type already; here it is asked as text.
            keys = exp.Cast(
                this=exp.Placeholder(this=found[1]), to=exp.DataType.build("text[]", "postgres")
            )
            exact.set("expression", exp.Any(this=exp.paren(keys)))
        is_equal = isinstance(node, exp.EQ | exp.In) and not isinstance(node.parent, exp.Not)
        if is_equal and columns.is_known_text(declared):
            exact = exp.paren(exp.and_(node.copy(), exact))
        node.replace(exact)
    elif not columns.is_known_text(declared):
        exact = node.copy()
        exact.set("this", columns.as_text(column))
        node.replace(exact)


def _is_small(column: exp.Column, scope: Scope) -> bool:
    declared = scope.column(column)
    return declared is not None and columns.base_of(declared) in ("smallint", "integer")


def _is_text(node: exp.Expr, scope: Scope) -> bool:
    if isinstance(node, exp.Column):
        declared = scope.column(node)
        return (
            declared is not None and declared.type.is_text and declared.type.kind is not Kind.UUID
        )
    if not isinstance(node, _TEXTS):
        return False
    return any(_is_text(column, scope) for column in node.find_all(exp.Column))


def _ordered_text(node: exp.Expr, scope: Scope) -> exp.Expr:
    if not isinstance(node, exp.Column):
        return columns.by_code_point(node)
    declared = scope.column(node)
    if declared is None or columns.orders_by_code_point(declared):
        return node.copy()
    return columns.by_code_point(_plain_text(node, scope))


def _plain_text(column: exp.Column, scope: Scope) -> exp.Expr:
    declared = scope.column(column)
    own = declared is not None and columns.has_own_rules(declared)
    return columns.as_text(column) if own else column.copy()


def _limit(tree: exp.Select, row_cap: int) -> None:
    """Cuts in the source, one row above the cap, so that the cut is seen."""
    if row_cap >= NO_CAP and tree.args.get("limit") is None:
        return
    most: exp.Expr = exp.Literal.number(row_cap + 1)
    limit = tree.args.get("limit")
    if limit is not None:
        # LEAST leaves a NULL out: then there is no limit but the cap.
        asked = limit.expression.copy()
        if isinstance(asked, exp.Placeholder):
            asked = exp.Cast(this=asked, to=exp.DataType(this=exp.DType.BIGINT))
        most = exp.Least(this=asked, expressions=[most])
    tree.set("limit", exp.Limit(expression=most))


def _add_child(
    tree: exp.Select, child: ChildRows, scope: Scope, schema: str, name: str, *, is_grouped: bool
) -> str:
    """Joins a child's rows as one JSON column; returns the form."""
    is_one = child.tree.args.get("limit") is not None
    split = None
    if is_grouped and not is_one:
        split = links_of(ChildRows(child.alias, qualified(child.tree)), scope)
    rows = exp.column("rows", table=name, quoted=True)
    empty = exp.Literal.string("[]")
    if split is None:
        inner = _translated(child.tree, scope, schema)
        inner.set("expressions", [_rows_of(inner, scope)])
        aliased = exp.TableAlias(this=exp.to_identifier(name, quoted=True))
        joined: exp.Expr = exp.Lateral(this=exp.Subquery(this=inner), alias=aliased)
        condition: exp.Expr = exp.true()
    else:
        links, bare = split
        inner = _translated(bare, scope, schema)
        keys = [exp.alias_(link.inner.copy(), f"l{at}") for at, link in enumerate(links)]
        inner.set("expressions", [_rows_of(inner, scope), *keys])
        for link in links:
            inner = inner.group_by(link.inner.copy(), copy=False)
        joined = exp.Subquery(
            this=inner, alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True))
        )
        condition = exp.and_(
            *(
                exp.EQ(this=exp.column(f"l{at}", table=name), expression=link.outer.copy())
                for at, link in enumerate(links)
            )
        )
    tree.append("joins", exp.Join(this=joined, side="LEFT", on=condition))
    shown = exp.Coalesce(this=columns.as_text(rows), expressions=[empty])
    tree.append("expressions", exp.alias_(shown, f"rows_{child.alias}", quoted=True))
    return "bound" if split is None else "grouped"


def _rows_of(inner: exp.Select, scope: Scope) -> exp.Expr:
    """Returns the rows of a child as JSON; what JSON cannot carry exactly goes as text."""
    cells = []
    for one in inner.expressions:
        value = one.this if isinstance(one, exp.Alias) else one
        if isinstance(value, exp.Cast) and value.to.this is exp.DataType.Type.DECIMAL:
            value = columns.as_text(value.this)
        cells.append(value.copy())
    row = exp.Anonymous(this="json_build_array", expressions=cells)
    is_one = inner.args.get("limit") is not None
    name = "json_build_array" if is_one else "json_agg"
    rows = exp.Anonymous(this=name, expressions=[row])
    return exp.alias_(rows, "rows", quoted=True)


def _equalities(nodes: Nodes) -> frozenset[str]:
    found = nodes.get(exp.Placeholder, [])
    others = {node.name for node in found if not isinstance(node.parent, exp.EQ)}
    return frozenset(node.name for node in found) - others
