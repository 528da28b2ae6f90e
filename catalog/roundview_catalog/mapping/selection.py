"""Writes the SELECT that a branch and slot stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from roundview_catalog.mapped import Child, FieldMapping, ListRows, PersonKey
from roundview_catalog.mapping.reader import outermost_aggregates
from roundview_catalog.model import Branch, SourceTable


def select(
    branch: Branch,
    slot: str = "",
    others: Sequence[Branch] = (),
    tables: Mapping[str, SourceTable] | None = None,
) -> exp.Select:
    """Returns `SELECT key, person, fields FROM … WHERE …` over the source's tables.

    Key parts are named k1, k2 …, the alternatives of the person p1, p2 … (p1_1, p1_2 … for a key of
    several columns), of the organization o1 …, positions in lists at1 …, fields as they are called.
    `others` are the branches of the source: the one that the rows lie below is joined as `parent`;
    parent_key is its key, and p1 … and o1 … are its own where the rows have none. Aggregates over
    children and columns of a first row become correlated sub-selects, named views of `tables`
    derived tables. Blank text, rounding and time zones are the business of whoever converts the
    values.
    """
    result = branch.scan.copy()
    owners = _with_parent(result, branch, others)
    projections = [exp.alias_(key.copy(), f"k{at}") for at, key in enumerate(branch.key, 1)]
    projections += [exp.alias_(_expanded(value, branch), name) for name, value in owners.items()]
    if branch.parent is not None:
        keys = branch.parent.keys
        names = [f"parent_key_{at}" for at in range(1, len(keys) + 1)]
        pairs = zip(keys, names if len(keys) > 1 else ["parent_key"], strict=True)
        projections += [exp.alias_(key.copy(), name) for key, name in pairs]
    for at, one in enumerate(branch.lists.values(), 1):
        result = result.join(_list(one), join_type="cross", copy=False)
        projections.append(exp.alias_(exp.column("position", table=one.alias), f"at{at}"))
    for name, mapping in branch.slots[slot].items():
        projections.append(exp.alias_(_value(mapping, branch), name))
    result = result.select(*projections, append=False, copy=False)
    for table in list(result.find_all(exp.Table)):
        known = (tables or {}).get(table.name)
        if known is not None and known.view is not None:
            table.replace(exp.Subquery(this=known.view.copy(), alias=table.args["alias"].copy()))
    return result


def readable(tree: exp.Select) -> str:
    """Returns a SELECT as people read it, in PostgreSQL's words and with try_cast."""
    return tree.transform(_named).sql(dialect="postgres", pretty=True)


def _with_parent(scan: exp.Select, branch: Branch, others: Sequence[Branch]) -> dict[str, exp.Expr]:
    """Joins what the rows lie below, in place; returns their persons and organizations."""
    persons, companies = dict(_keys("p", branch.person)), dict(_keys("o", branch.organization))
    if branch.parent is None:
        return persons | companies
    wanted = (branch.parent.entity, branch.parent.branch)
    parent = next((other for other in others if (other.entity, other.name) == wanted), None)
    if parent is None:
        return persons | companies
    inner = parent.scan.copy()
    above = _with_parent(inner, parent, others)
    columns = [exp.alias_(key.copy(), f"k{at}") for at, key in enumerate(parent.key, 1)]
    columns += [exp.alias_(_expanded(value, parent), name) for name, value in above.items()]
    below = inner.select(*columns, append=False, copy=False).subquery("parent", copy=False)
    on = [
        exp.EQ(this=exp.column(f"k{at}", table="parent"), expression=key.copy())
        for at, key in enumerate(branch.parent.keys, 1)
    ]
    scan.join(below, on=exp.and_(*on), copy=False)
    outer = {name: exp.column(name, table="parent") for name in above}
    persons = persons or {name: value for name, value in outer.items() if name[0] == "p"}
    return persons | (companies or {name: v for name, v in outer.items() if name[0] == "o"})


def _keys(letter: str, owners: tuple[PersonKey, ...]) -> Iterator[tuple[str, exp.Expr]]:
    for at, owner in enumerate(owners, 1):
        for part, key in enumerate(owner.keys, 1):
            yield f"{letter}{at}_{part}" if len(owner.keys) > 1 else f"{letter}{at}", key.copy()


def _named(node: exp.Expr) -> exp.Expr:
    """Keeps TRY_CAST by name: PostgreSQL has none, and would be shown a CAST that fails."""
    if not isinstance(node, exp.TryCast):
        return node
    argument = exp.alias_(node.this, node.args["to"].sql(dialect="postgres"))
    return exp.Anonymous(this="TRY_CAST", expressions=[argument])


def _value(mapping: FieldMapping, branch: Branch) -> exp.Expr:
    value = _expanded(mapping.expr, branch)
    if mapping.codes is None:
        return value
    if not isinstance(value, exp.Column | exp.Paren | exp.Func):
        value = exp.paren(value, copy=False)
    text = value if mapping.type.is_text else exp.Cast(this=value, to=exp.DataType.build("text"))
    arms = [
        exp.If(this=exp.EQ(this=text.copy(), expression=exp.convert(code)), true=_constant(to))
        for code, to in mapping.codes.items()
    ]
    if mapping.null_code is not None:
        test = exp.Is(this=value.copy(), expression=exp.Null())
        arms.insert(0, exp.If(this=test, true=_constant(mapping.null_code)))
    elif mapping.otherwise is not None:
        # NULL stays NULL: `else` is for unknown codes.
        test = exp.Is(this=value.copy(), expression=exp.Null())
        arms.insert(0, exp.If(this=test, true=exp.Null()))
    default = None if mapping.otherwise is None else _constant(mapping.otherwise)
    return exp.Case(ifs=arms, default=default)


def _list(one: ListRows) -> exp.Expr:
    names = [exp.to_identifier(one.alias), exp.to_identifier("position")]
    if one.separator:
        separator = exp.Literal.string(one.separator)
        made = exp.StringToArray(this=one.value.copy(), expression=separator)
        alias = exp.TableAlias(this=exp.to_identifier(one.alias), columns=names[:1])
        return exp.Unnest(expressions=[made], alias=alias, offset=names[1])
    call = exp.Anonymous(this="jsonb_array_elements_text", expressions=[one.value.copy()])
    alias = exp.TableAlias(this=exp.to_identifier(one.alias), columns=names)
    return exp.Table(this=call, alias=alias, ordinality=True)


def _expanded(tree: exp.Expr, branch: Branch) -> exp.Expr:
    """Writes what comes from children as the sub-selects that it stands for."""
    holder = exp.Paren(this=tree.copy())
    for aggregate in list(outermost_aggregates(holder)):
        child = _child_of(aggregate, branch)
        aggregate.replace(child.scan.copy().select(aggregate.copy(), copy=False).subquery())
    for column in list(holder.find_all(exp.Column)):
        for child in branch.children.values():
            if child.first and column.table in child.aliases:
                rows = child.scan.copy().select(column.copy(), copy=False)
                ordered = rows.order_by(*(term.copy() for term in child.first), copy=False)
                column.replace(ordered.limit(1, copy=False).subquery())
    expanded: exp.Expr = holder.this
    return expanded


def _constant(value: object) -> exp.Expr:
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    return exp.convert(value)


def _child_of(aggregate: exp.Expr, branch: Branch) -> Child:
    for child in branch.children.values():
        if any(column.table in child.aliases for column in aggregate.find_all(exp.Column)):
            return child
    raise ValueError("an aggregate over no child passed the catalog's checks")
