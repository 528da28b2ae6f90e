"""Decides how a fragment becomes one SQL statement: physical names, key sets, bound names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from roundview_catalog.errors import InternalError, RequestError
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_federation.key_sets import in_keys, keyset_of, part_of_keyset
from roundview_federation.plan import Fragment

KeysetForm = Callable[[exp.Expr, exp.Placeholder], exp.Expr]
"""Writes `column IN the keys of a placeholder` for one dialect."""

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)


Nodes = Mapping[type[exp.Expr], list[exp.Expr]]
"""All nodes of some trees by their type, those further up first."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Names the table of each alias of a fragment, those of its sub-selects included.

    `nodes` are those of the fragment and its children as they were asked, by their type: looking
    through a tree takes about as long as writing it.
    """

    tables: Mapping[str, SourceTable]
    nodes: Nodes

    def column(self, column: exp.Column) -> SourceColumn | None:
        """Returns the declared column, None where the catalog does not know it."""
        table = self.tables.get(column.table)
        return table.columns.get(column.name) if table else None


@dataclass(frozen=True, slots=True)
class BoundNames:
    """Statement names of values: bound name -> the request's name, keys apart from the rest."""

    keysets: Mapping[str, str]
    params: Mapping[str, str]


def scope_of(fragment: Fragment, tables: Mapping[str, SourceTable]) -> Scope:
    """Returns what every alias of the fragment and its children stands for.

    Raises RequestError RV102 for a column that no table of the scope declares.
    """
    found: dict[str, SourceTable] = {}
    nodes = nodes_of(fragment.tree, *(child.tree for child in fragment.children))
    for node in nodes.get(exp.Table, ()):
        table = tables.get(node.name)
        if table is None:
            raise InternalError(f"{fragment.source} has no table {node.name}")
        found[node.alias_or_name] = table
        for inner in table.view.find_all(exp.Table) if table.view is not None else ():
            found[_inside(node.alias_or_name, inner.alias)] = tables[inner.name]
    for column in nodes.get(exp.Column, ()):
        owner = found.get(column.text("table"))
        owners = [owner] if owner is not None else found.values()
        if not any(column.name in table.columns for table in owners):
            raise RequestError(f"{fragment.source} has no column {column.name}", code="RV102")
    return Scope(found, nodes)


def nodes_of(*trees: exp.Expr) -> Nodes:
    """Returns all nodes of some trees by their type."""
    found: dict[type[exp.Expr], list[exp.Expr]] = {}
    for tree in trees:
        for node in tree.walk():
            found.setdefault(type(node), []).append(node)
    return found


def qualified(tree: exp.Select) -> exp.Select:
    """Returns a copy in which every column names its table.

    SQLite reads a quoted name that no table has as a text constant: `"gone"` would be the
    value 'gone'. A qualified name is an error there.
    """
    result = tree.copy()
    for column in result.find_all(exp.Column):
        select = column.parent_select if not column.table else None
        own = [table.alias_or_name for table in tables_of(select)] if select is not None else []
        if len(own) == 1:
            column.set("table", exp.to_identifier(own[0], quoted=True))
    return result


def with_views(tree: exp.Select, scope: Scope) -> exp.Select:
    """Replaces each named view by its SELECT, in place; columns must name their table.

    What an equality with keys or values says of a view's column is said in every arm where it
    is a plain column too, so that the indexes of the tables serve: no server carries every
    condition into a UNION ALL or below a GROUP BY by itself.
    """
    if all(table.view is None for table in scope.tables.values()):
        return tree
    for node in list(tree.find_all(exp.Table)):
        alias = node.alias_or_name
        view = scope.tables[alias].view
        if view is None:
            continue
        inner = view.copy()
        for table in inner.find_all(exp.Table):
            name = exp.to_identifier(_inside(alias, table.alias), quoted=True)
            table.set("alias", exp.TableAlias(this=name))
        for column in inner.find_all(exp.Column):
            column.set("table", exp.to_identifier(_inside(alias, column.table), quoted=True))
        select = node.find_ancestor(exp.Select)
        is_optional = isinstance(node.parent, exp.Join) and node.parent.side == "LEFT"
        known = [] if select is None or is_optional else _known_of(select, alias)
        for arm in inner.find_all(exp.Select):
            _narrow(arm, known)
        named = exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
        node.replace(exp.Subquery(this=inner, alias=named))
    return tree


def with_physical_names(tree: exp.Select, scope: Scope, schema: str = "") -> exp.Select:
    """Replaces the catalog's table names by the source's, each under its alias; in place.

    With a `schema` they are names in it.
    """
    for node in list(tree.find_all(exp.Table)):
        alias = node.alias_or_name
        physical = scope.tables[alias].physical
        node.replace(
            exp.Table(
                this=exp.to_identifier(physical, quoted=True),
                db=exp.to_identifier(schema, quoted=True) if schema else None,
                alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
            )
        )
    return tree


def with_keysets(tree: exp.Select, form: KeysetForm) -> exp.Select:
    """Replaces `column = ANY(:keys)` by the dialect's form; in place."""
    for node in list(tree.find_all(exp.EQ)):
        found = keyset_of(node)
        if found is not None:
            column, name = found
            node.replace(form(column.copy(), exp.Placeholder(this=name)))
    return tree


def with_key_parts(
    fragment: Fragment, is_row: Callable[[exp.Tuple], bool] = lambda _: False
) -> Fragment:
    """Returns a fragment in which each column of a composite key has a key set of its own.

    `(a, b) = ANY(:keys)` becomes `a = ANY(:keys__0) AND b = ANY(:keys__1)`, which asks for more
    than the keys; what nobody asked for does not arrive. The executor binds the parts too. Where
    the columns can be compared as a row, the tree stays, and only the parts are named.
    """
    if not _has_composite_keys(fragment.tree):
        return fragment
    tree = fragment.tree.copy()
    parts: dict[str, None] = {}
    for node in list(tree.find_all(exp.EQ)):
        found = keyset_of(node)
        if found is None or not isinstance(found[0], exp.Tuple):
            continue
        columns, name = found[0].expressions, found[1]
        names = [part_of_keyset(name, at) for at in range(len(columns))]
        parts |= dict.fromkeys(names)
        if is_row(found[0]):
            continue
        pairs = zip(columns, names, strict=True)
        node.replace(exp.paren(exp.and_(*(in_keys(column.copy(), one) for column, one in pairs))))
    if not parts:
        return fragment
    return replace(fragment, tree=tree, keysets=(*fragment.keysets, *parts))


def with_exact_text(tree: exp.Select, scope: Scope, collation: str) -> exp.Select:
    """Makes comparisons of case-blind columns with values exact, and their order too; in place.

    `c = x` becomes `c = x AND c COLLATE exact = x`, so that the column's own index still
    serves. Columns compared with columns compare as the source does.
    """
    for node in list(tree.find_all(*_COMPARISONS)):
        column = node.this
        if not isinstance(column, exp.Column) or not _is_case_blind(column, scope):
            continue
        if isinstance(getattr(node, "expression", None), exp.Column):
            continue
        exact = node.copy()
        exact.set("this", _collated(column, collation))
        if isinstance(node, exp.EQ | exp.In) and not isinstance(node.parent, exp.Not):
            node.replace(exp.paren(exp.and_(node.copy(), exact)))
        else:
            node.replace(exact)
    for term in list(tree.find_all(exp.Ordered)):
        if isinstance(term.this, exp.Column) and _is_case_blind(term.this, scope):
            term.set("this", _collated(term.this, collation))
    return tree


def bind_names(
    tree: exp.Select, keysets: tuple[str, ...], kept: tuple[str, ...] = ()
) -> BoundNames:
    """Gives every placeholder but those `kept` a short name that any driver takes; in place."""
    nodes = [node for node in tree.find_all(exp.Placeholder) if node.name not in kept]
    names = {
        asked: f"{'k' if asked in keysets else 'p'}{at}"
        for at, asked in enumerate(sorted({node.name for node in nodes}))
    }
    for node in nodes:
        node.set("this", names[node.name])
    keys = {name: asked for asked, name in names.items() if asked in keysets}
    params = {name: asked for asked, name in names.items() if asked not in keysets}
    return BoundNames(keys, params)


def tables_of(select: exp.Select) -> Iterator[exp.Table]:
    """Yields the tables in the FROM and JOINs of one SELECT."""
    source = select.args.get("from_")
    if source is not None and isinstance(source.this, exp.Table):
        yield source.this
    for join in select.args.get("joins") or ():
        if isinstance(join.this, exp.Table):
            yield join.this


def _has_composite_keys(tree: exp.Expr) -> bool:
    return tree.find(exp.Tuple) is not None


def _inside(alias: str, inner: str) -> str:
    return f"{alias}__{inner}"


def _known_of(select: exp.Select, alias: str) -> list[exp.EQ]:
    """Returns the conjuncts of a WHERE that compare columns of one table with what is known."""
    where = select.args.get("where")
    found = []
    waiting = [where.this] if where is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.And):
            waiting += [node.expression, node.this]
        elif isinstance(node, exp.Paren):
            waiting.append(node.this)
        elif isinstance(node, exp.EQ):
            columns = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
            is_own = all(isinstance(c, exp.Column) and c.table == alias for c in columns)
            if is_own and isinstance(node.expression, exp.Any | exp.Placeholder | exp.Literal):
                found.append(node)
    return found


def _narrow(arm: exp.Select, known: list[exp.EQ]) -> None:
    group = arm.args.get("group")
    grouped = {one.sql() for one in group.expressions} if group is not None else None
    values = {one.alias: one.this for one in arm.expressions}
    if grouped is None and any(one.find(exp.AggFunc) for one in arm.expressions):
        # One row for everything, whatever was asked.
        return
    for condition in known:
        inner = condition.copy()
        columns = [inner.this] if isinstance(inner.this, exp.Column) else inner.this.expressions
        own = [values[column.name] for column in columns]
        if not all(isinstance(value, exp.Column) for value in own):
            continue
        if grouped is not None and not all(value.sql() in grouped for value in own):
            continue
        for column, value in zip(columns, own, strict=True):
            column.replace(value.copy())
        arm.where(inner, copy=False)


def _is_case_blind(column: exp.Column, scope: Scope) -> bool:
    declared = scope.column(column)
    return declared is not None and declared.collation != "exact"


def _collated(column: exp.Column, collation: str) -> exp.Expr:
    return exp.Collate(this=column.copy(), expression=exp.Var(this=collation))
