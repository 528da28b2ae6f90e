"""Decides what one branch is in a statement of Trino: a SELECT of canonical columns.

Inside stand the source's own columns under what the mapping and the question demand of them, then
the canonical fields, then what the asker may see of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.types import Type
from roundview_federation.dialect.trino_types import not_on_trino
from roundview_federation.dialect.types import TEXT, PgType
from roundview_federation.dialect.values import call, string, when
from roundview_federation.rewrite.trino.asked import Asked, Keys
from roundview_federation.rewrite.trino.columns import RawColumns
from roundview_federation.rewrite.trino.convert import canonical_type, cast_to, literal
from roundview_federation.rewrite.trino.fields import Fields, computed, own_condition
from roundview_federation.rewrite.trino.holes import hole
from roundview_federation.rewrite.trino.native import native_rows
from roundview_federation.rewrite.trino.place import Place
from roundview_federation.rewrite.unfold import Unfolded

_MOST_KEYS = 1_000
"""Keys above which Trino's own join finds rows sooner than its planner reads their list."""
_PERSONS = ("customer_id", "link_state")


def rows_of(unfolded: Unfolded, place: Place, asked: Asked) -> tuple[exp.Select, str]:
    """Returns the rows of one branch and slot, and why its source is asked in its own SQL.

    That is "" where Trino's connector reads it. Raises RequestError RV103 for what is not there.
    """
    if unfolded.branch.lists:
        raise not_on_trino("lists in a column")
    raw = RawColumns(unfolded, place)
    fields = Fields(unfolded, raw)
    wanted = _wanted(unfolded, asked.outputs)
    named = {name: _of_person(name, fields, asked) or fields.field(name) for name in wanted}
    named |= {name: fields.field(name) for name in _alternatives(unfolded, named)}
    # What is asked of the source is known once every column that is needed outside was named.
    is_linked = asked.xref is not None and _is_linked(wanted, fields, asked)
    person = fields.person() if is_linked else None
    native = native_rows(unfolded, raw, asked)
    inner, why = native if native is not None else (_raw_rows(unfolded, raw, place, asked), "")
    canonical = exp.Select(
        expressions=[
            exp.alias_(cast_to(node, _type(unfolded, name)), name, quoted=True, copy=False)
            for name, node in named.items()
        ]
        or [exp.alias_(exp.Null(), "_", quoted=True)]
    ).from_(_derived(inner, "r"), copy=False)
    if person is not None and asked.xref is not None:
        canonical = canonical.join(
            _derived(_links(asked.xref, unfolded.source.name), "x"),
            on=exp.EQ(this=_link("source_key"), expression=person),
            join_type="LEFT",
            copy=False,
        )
    types = {name: _type(unfolded, name) for name in named}
    outer = exp.Select(
        expressions=[
            exp.alias_(_shown(name, unfolded, types, asked), name, quoted=True, copy=False)
            for name in asked.outputs
        ]
        or [exp.alias_(exp.Null(), "_", quoted=True)]
    ).from_(_derived(canonical, "f"), copy=False)
    for condition in _kept(unfolded, types, asked):
        outer = outer.where(condition, copy=False)
    return outer, why


def _wanted(unfolded: Unfolded, outputs: Mapping[str, Type]) -> list[str]:
    """Lists the canonical columns that outputs, masks and the row filter need."""
    wanted = dict.fromkeys(name for name in outputs if name not in unfolded.masks)
    trees = [unfolded.masks[name] for name in outputs if name in unfolded.masks]
    if unfolded.row_filter is not None:
        trees.append(unfolded.row_filter)
    for tree in trees:
        for column in tree.find_all(exp.Column):
            if column.table != "principal":
                wanted[column.name] = None
    for name in wanted:
        declared = unfolded.entity.fields.get(name)
        derive = declared.derive if declared is not None else None
        if derive is None or name in unfolded.branch.slots[unfolded.slot]:
            continue
        if any(column.name in unfolded.masks for column in derive.find_all(exp.Column)):
            raise not_on_trino("a field that follows from a masked one")
    return list(wanted)


def _alternatives(unfolded: Unfolded, named: Mapping[str, exp.Expr]) -> list[str]:
    """Lists the bearing fields that are not there anyway."""
    bearing = dict.fromkeys(name for one in unfolded.entity.bearing for name in one)
    return [name for name in bearing if name not in named]


def _raw_rows(unfolded: Unfolded, raw: RawColumns, place: Place, asked: Asked) -> exp.Select:
    """Returns the source's own columns with every condition that it can be asked with."""
    scan = unfolded.scan.copy()
    tables = unfolded.source.tables
    where = scan.args.get("where")
    conditions = (
        [own_condition(one, raw) for one in expressions.conjuncts(where.this)] if where else []
    )
    for join in scan.args.get("joins") or ():
        on = join.args.get("on")
        if on is not None:
            join.set("on", own_condition(on, raw))
    for node in list(scan.find_all(exp.Table)):
        table = tables[node.name]
        if table.view is not None:
            raise not_on_trino("a view of the catalog")
        named = place.table(node.name, tables)
        named.set("alias", exp.TableAlias(this=exp.to_identifier(node.alias_or_name, quoted=True)))
        node.replace(named)
    conditions += [_own_comparison(one, raw, asked) for one in asked.conditions]
    if asked.keys is not None:
        conditions += [own_condition(one, raw) for one in asked.keys.bound.conditions]
        if asked.keys.owners or len(asked.keys.values) <= _MOST_KEYS:
            conditions.append(_in_keys(asked.keys, raw))
    scan.set("expressions", raw.expressions() or [exp.alias_(exp.Null(), "c0", quoted=True)])
    scan.set("where", None)
    return scan.where(*conditions, copy=False) if conditions else scan


def _own_comparison(tree: exp.Expr, raw: RawColumns, asked: Asked) -> exp.Expr:
    """Returns a comparison of an own column with values, in a form that connectors push."""
    column = tree.this
    if not isinstance(column, exp.Column):
        # Computed in the source, where it can be; Trino's connectors push no functions.
        return exp.true()
    type_ = raw.type_of(column)
    own = raw.own(column)

    def value(name: str) -> exp.Expr:
        if name in asked.open:
            return hole(asked.open[name], type_)
        return literal(asked.values[name], type_)

    if isinstance(tree, exp.In):
        return exp.In(this=own, expressions=[value(one.name) for one in tree.expressions])
    return type(tree)(this=own, expression=value(tree.expression.name))


def _in_keys(keys: Keys, raw: RawColumns) -> exp.Expr:
    """Returns the list of keys as literals: the one form that every connector pushes."""
    columns = keys.bound.columns
    if not keys.values:
        return exp.false()
    types = [raw.type_of(column) for column in columns]
    if len(columns) == 1:
        listed = [
            hole(keys.open[value], types[0]) if value in keys.open else literal(value, types[0])
            for value in keys.values
        ]
        return exp.In(this=raw.own(columns[0]), expressions=listed)
    parts = []
    for at, (column, type_) in enumerate(zip(columns, types, strict=True)):
        several = dict.fromkeys(value[at] for value in keys.values)
        listed = [literal(value, type_) for value in several]
        parts.append(exp.In(this=raw.own(column), expressions=listed))
    return exp.and_(*parts)


def _of_person(name: str, fields: Fields, asked: Asked) -> exp.Expr | None:
    """Returns the customer or link state of a row, None for other columns."""
    if name not in _PERSONS:
        return None
    keys = asked.keys
    if not fields.unfolded.person:
        return literal(None, TEXT) if name == "customer_id" else string("anonymous")
    if keys is None or not keys.owners:
        if asked.xref is None:
            raise not_on_trino("it does not reach the cross-reference: engines.trino.bridge")
        if name == "customer_id":
            return _link(name)
        state = exp.Is(this=exp.paren(fields.person()), expression=exp.Null())
        unknown = when(state, string("anonymous"), string("unlinked"))
        return exp.Coalesce(this=_link(name), expressions=[unknown])
    at = _PERSONS.index(name)
    columns = [fields.raw.reference(column) for column in keys.bound.columns]
    if len(columns) != 1:
        raise not_on_trino("keys of several columns")
    node, type_ = columns[0]
    owners = {owner[at] for owner in keys.owners.values()}
    if len(owners) == 1:
        return string(owners.pop())
    known = call(
        "map",
        exp.Array(expressions=[literal(key, type_) for key in keys.owners]),
        exp.Array(expressions=[string(owner[at]) for owner in keys.owners.values()]),
    )
    return call("element_at", known, node)


def _is_linked(wanted: Sequence[str], fields: Fields, asked: Asked) -> bool:
    """Tells whether the cross-reference says whose the rows are."""
    is_known = asked.keys is not None and bool(asked.keys.owners)
    return bool(fields.unfolded.person) and not is_known and any(n in wanted for n in _PERSONS)


def _links(xref: exp.Table, source: str) -> exp.Select:
    columns = ("source_key", *_PERSONS)
    own = exp.EQ(this=exp.column("source"), expression=string(source))
    return exp.select(*(exp.column(name) for name in columns)).from_(xref.copy()).where(own)


def _link(name: str) -> exp.Column:
    return exp.column(name, table="x", quoted=True)


def _shown(name: str, unfolded: Unfolded, types: Mapping[str, PgType], asked: Asked) -> exp.Expr:
    mask = unfolded.masks.get(name)
    if mask is None:
        return exp.column(name, table="f", quoted=True)
    made, _ = _over_fields(mask, types, asked)
    return cast_to(made, _type(unfolded, name))


def _kept(unfolded: Unfolded, types: Mapping[str, PgType], asked: Asked) -> list[exp.Expr]:
    """Returns the conditions on canonical rows: bearing fields, the principal's row filter."""
    kept: list[exp.Expr] = []
    alternatives = [
        exp.and_(
            *(exp.Not(this=exp.paren(exp.Is(this=_field(n), expression=exp.Null()))) for n in names)
        )
        for names in unfolded.entity.bearing
    ]
    if alternatives:
        kept.append(exp.or_(*alternatives))
    if unfolded.row_filter is not None:
        kept.append(_over_fields(unfolded.row_filter, types, asked)[0])
    return kept


def _over_fields(
    tree: exp.Expr, types: Mapping[str, PgType], asked: Asked
) -> tuple[exp.Expr, PgType]:
    """Returns an expression of the policy over canonical fields and the principal."""
    tree = exp.paren(tree.copy())
    for column in list(tree.find_all(exp.Column)):
        if column.table != "principal":
            column.replace(_field(column.name))
            continue
        value = asked.attributes.get(column.name)
        if not isinstance(value, str | int | None) or isinstance(value, bool):
            raise not_on_trino("an attribute that is neither text nor a number")
        if isinstance(value, int):
            column.replace(exp.Cast(this=string(str(value)), to=exp.DataType.build("bigint")))
        else:
            told = exp.Null() if value is None else string(value)
            column.replace(exp.Cast(this=told, to=exp.DataType.build("text")))
    return computed(tree, {"f": types})


def _field(name: str) -> exp.Column:
    return exp.column(name, table="f", quoted=True)


def _type(unfolded: Unfolded, name: str) -> PgType:
    return canonical_type(unfolded.entity.types[name])


def _derived(select: exp.Select, alias: str) -> exp.Subquery:
    return exp.Subquery(
        this=select, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
    )
