"""Puts what derived relations stand for in the place of their names in a resolved question.

Only the columns that are used stay, and what is asked of them is asked of what lies below where
that brings fewer rows; row filters and masks hold below it all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.expressions import conjuncts
from roundview_federation.dialect.scopes import column, identifier
from roundview_federation.rewrite.query.conditions import ValuesDecide
from roundview_federation.rewrite.query.restrict import is_strict
from roundview_federation.sql.customers import BASE, RECORDS
from roundview_federation.sql.derived import Relations, Template
from roundview_federation.sql.hiding import arms, union_all

_POSITIVE = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In)
_NEVER = (exp.Query, exp.AggFunc, exp.Window, exp.Anonymous)
_CUT = ("group", "distinct", "limit", "offset", "order")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A condition on one column of a derived relation, that holds for every row that matters."""

    name: str
    tree: exp.Expr

    def on(self, node: exp.Column) -> exp.Expr:
        """Returns the condition on another column."""
        tree = self.tree.copy()
        for one in list(tree.find_all(exp.Column)):
            one.replace(node.copy())
        return tree


def expand(tree: exp.Query, relations: Relations) -> exp.Query:
    """Expands every derived relation of a resolved tree, in the tree that is given."""
    while True:
        table = next((one for one in tree.find_all(exp.Table) if _is_derived(one, relations)), None)
        if table is None:
            return tree
        _expand(table, tree, relations)


def _is_derived(table: exp.Table, relations: Relations) -> bool:
    return isinstance(table.this, exp.Identifier) and relations.is_select(table.name)


def _expand(table: exp.Table, tree: exp.Query, relations: Relations) -> None:
    alias = table.alias_or_name
    template = relations.template(table.name)
    query = _apart(template.query, alias)
    for number, asked in enumerate(_asked(table, alias)):
        query = _ask(query, asked, relations)
        if asked.name in template.candidates:
            _choose(query, asked, template, f"{alias} candidates {number}")
    _keep(query, _used(tree, alias))
    named = exp.TableAlias(this=identifier(alias))
    table.replace(exp.Subquery(this=query, alias=named))


def _apart(template: exp.Query, alias: str) -> exp.Query:
    """Returns a copy whose aliases are those of one reference: they are unique in a question."""
    query = template.copy()
    for node in query.find_all(exp.Table, exp.Subquery):
        if node.alias:
            node.set("alias", exp.TableAlias(this=identifier(f"{alias} {node.alias}")))
    for one in query.find_all(exp.Column):
        one.set("table", identifier(f"{alias} {one.table}"))
    return query


def _asked(table: exp.Table, alias: str) -> Iterator[_Asked]:
    """Yields what a row of a derived relation must fulfil to matter, column by column."""
    holder = table.parent
    select = table.parent_select
    if select is None or not isinstance(holder, exp.From | exp.Join):
        return
    trees: list[exp.Expr] = []
    where = select.args.get("where")
    if where is not None:
        trees.append(where.this)
    trees += [
        join.args["on"]
        for join in select.args.get("joins") or ()
        if join.args.get("on") is not None
        and (not join.side or (join.side == "LEFT" and join is holder))
    ]
    for tree in trees:
        for conjunct in conjuncts(tree):
            columns = list(conjunct.find_all(exp.Column))
            names = {one.name for one in columns}
            is_own = all(one.table == alias for one in columns)
            is_plain = isinstance(conjunct.unnest(), _POSITIVE) and is_strict(conjunct)
            if len(names) == 1 and is_own and is_plain and conjunct.find(*_NEVER) is None:
                yield _Asked(names.pop(), conjunct.unnest())


def _ask(query: exp.Query, asked: _Asked, relations: Relations) -> exp.Query:
    """Asks what lies below: arms with another constant are left out, derived relations asked."""
    every = list(arms(query))
    at = every[0].named_selects.index(asked.name)
    kept = []
    for arm in every:
        value = arm.expressions[at].unalias()
        if isinstance(value, exp.Literal) and not _can_be(value, asked.tree):
            continue
        kept.append(arm)
        is_cut = any(arm.args.get(part) for part in _CUT)
        is_cut |= any(one.find(exp.Window) is not None for one in arm.expressions)
        if isinstance(value, exp.Column) and not is_cut:
            _ask_below(arm, value, asked, relations)
    if len(kept) == len(every):
        return query
    # Of none that fit one stays, for its columns: the question itself drops its rows.
    return union_all(kept or every[:1])


def _ask_below(arm: exp.Select, value: exp.Column, asked: _Asked, relations: Relations) -> None:
    for holder in (arm.args["from_"], *(arm.args.get("joins") or ())):
        source = holder.this
        if source.alias_or_name != value.table:
            continue
        if isinstance(source, exp.Subquery):
            source.set("this", _ask(source.this, _Asked(value.name, asked.on(value)), relations))
        elif _is_derived(source, relations):
            arm.where(asked.on(value), copy=False)


def _can_be(value: exp.Literal, tree: exp.Expr) -> bool:
    """Tells whether a constant column can fulfil an equality or a list of texts.

    Raises ValuesDecide where that is for parameters to say.
    """
    unknown = [int(one.this.name) for one in tree.find_all(exp.Parameter)]
    if unknown:
        raise ValuesDecide(*unknown)
    others: list[exp.Expr] = []
    if isinstance(tree, exp.EQ):
        others = [side for side in (tree.left, tree.right) if not isinstance(side, exp.Column)]
    elif isinstance(tree, exp.In):
        others = tree.expressions
    are_texts = all(isinstance(one, exp.Literal) and one.is_string for one in others)
    return not others or not are_texts or any(one.name == value.name for one in others)


def _choose(query: exp.Query, asked: _Asked, template: Template, alias: str) -> None:
    """Reads only customers of whom some record has what is asked; all records of them are read."""
    entity, field = template.candidates[asked.name]
    records = next(one for one in query.find_all(exp.Select) if one.meta.get(RECORDS) == BASE)
    own = records.args["from_"].this.alias
    table = exp.Table(this=identifier(entity), alias=exp.TableAlias(this=identifier(alias)))
    person = exp.Alias(this=column(alias, "customer_id"), alias=identifier("customer_id"))
    chosen = exp.Select(expressions=[person])
    chosen.set("from_", exp.From(this=table))
    chosen.set("where", exp.Where(this=asked.on(column(alias, field))))
    among = exp.In(this=column(own, "customer_id"), query=exp.Subquery(this=chosen))
    where = records.args["where"]
    where.set("this", exp.And(this=where.this, expression=among))


def _keep(query: exp.Query, used: Collection[str]) -> None:
    """Leaves out the columns that nobody uses, and the joins that nothing is asked of."""
    every = list(arms(query))
    names = every[0].named_selects
    some = [at for at, name in enumerate(names) if name in used] or [0]
    for arm in every:
        if not arm.args.get("distinct") and not arm.args.get("order"):
            arm.set("expressions", [arm.expressions[at] for at in some])
        for join in reversed(arm.args.get("joins") or []):
            own = {id(one) for one in join.find_all(exp.Column)}
            is_used = any(
                one.table == join.this.alias_or_name and id(one) not in own
                for one in arm.find_all(exp.Column)
            )
            if join.side == "LEFT" and not is_used:
                join.pop()
        for source in (arm.args["from_"], *(arm.args.get("joins") or ())):
            if isinstance(source.this, exp.Subquery):
                _keep(source.this.this, _used(arm, source.this.alias))


def _used(tree: exp.Expr, alias: str) -> set[str]:
    return {one.name for one in tree.find_all(exp.Column) if one.table == alias}
