"""Decides how a fragment becomes one SQL statement: physical names, key sets, bound names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.errors import InternalError, RequestError
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_federation.plan import Fragment, keyset_of

KeysetForm = Callable[[exp.Expr, exp.Placeholder], exp.Expr]
"""Writes `column IN the keys of a placeholder` for one dialect."""

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)


@dataclass(frozen=True, slots=True)
class Scope:
    """Names the table of each alias of a fragment, those of its sub-selects included."""

    tables: Mapping[str, SourceTable]

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
    trees = (fragment.tree, *(child.tree for child in fragment.children))
    for tree in trees:
        for node in tree.find_all(exp.Table):
            table = tables.get(node.name)
            if table is None:
                raise InternalError(f"{fragment.source} has no table {node.name}")
            found[node.alias_or_name] = table
    for tree in trees:
        for column in tree.find_all(exp.Column):
            owners = [found[column.table]] if column.table in found else found.values()
            if not any(column.name in table.columns for table in owners):
                raise RequestError(f"{fragment.source} has no column {column.name}", code="RV102")
    return Scope(found)


def qualified(tree: exp.Select) -> exp.Select:
    """Returns a copy in which every column names its table.

    SQLite reads a quoted name that no table has as a text constant: `"gone"` would be the
    value 'gone'. A qualified name is an error there.
    """
    result = tree.copy()
    for select in result.find_all(exp.Select):
        own = [table.alias_or_name for table in tables_of(select)]
        if len(own) != 1:
            continue
        for column in select.find_all(exp.Column):
            if not column.table and column.parent_select is select:
                column.set("table", exp.to_identifier(own[0], quoted=True))
    return result


def with_physical_names(tree: exp.Select, scope: Scope) -> exp.Select:
    """Replaces the catalog's table names by the source's, each under its alias; in place."""
    for node in list(tree.find_all(exp.Table)):
        alias = node.alias_or_name
        physical = scope.tables[alias].physical
        node.replace(
            exp.Table(
                this=exp.to_identifier(physical, quoted=True),
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


def _is_case_blind(column: exp.Column, scope: Scope) -> bool:
    declared = scope.column(column)
    return declared is not None and declared.collation != "exact"


def _collated(column: exp.Column, collation: str) -> exp.Expr:
    return exp.Collate(this=column.copy(), expression=exp.Var(this=collation))
