"""Decides where rows of a read may be made one before a SELECT aggregates them.

A SELECT that groups sees of rows alike in all columns that it speaks of only how many there are.
So they may come as one row that counts them, and is added up as often as it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.types import Kind, Type
from roundview_federation.dialect.grouping import is_aggregate
from roundview_federation.plan import Partial
from roundview_federation.rewrite.query.reads import Reading
from roundview_federation.rewrite.query.sources import Read
from roundview_federation.rewrite.query.spare import is_flat, is_merging, optional_aliases

_SUMMED = (exp.Sum, exp.Avg)
_EXTREME = (exp.Min, exp.Max)
_NEVER = (exp.Window, exp.Rand, exp.Lateral, exp.Unnest)
_WHOLE = {Kind.INTEGER: 10, Kind.BIGINT: 19}
_COUNTED = 19
_DIGITS = 38

Types = Mapping[str, Mapping[str, Type]]
"""Read -> column -> type."""


@dataclass(frozen=True, slots=True)
class Folding:
    """One read that a SELECT allows to be folded: by which columns, and what of the others.

    `summed` has the types of what the SELECT adds up, as text.
    """

    select: exp.Select
    read: Read
    alias: str
    keys: tuple[str, ...]
    partials: tuple[Partial, ...]
    rows: str
    is_optional: bool
    summed: Mapping[str, Type]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Returns the columns of rows that are folded."""
        columns = (one.column for one in self.partials if one.column)
        return tuple(dict.fromkeys((*self.keys, *columns)))

    def apply(self) -> None:
        """Makes the SELECT add up what was folded; in place."""
        for node in list(_aggregates(self.select)):
            made = self._added(node)
            if made is None:
                continue
            above = node.parent
            if isinstance(above, exp.Filter):
                # What it asks of a row is the same for all that were made one: it is a key.
                made = _filtered(made, above.expression)
                node = above
            node.replace(made)

    def _added(self, node: exp.Expr) -> exp.Expr | None:
        """Returns an aggregate over folded rows, None for what repeated rows do not change."""
        value = node.this
        if isinstance(node, exp.Count) and not isinstance(value, exp.Distinct):
            return _as_count(self._counts(value))
        if isinstance(node, _EXTREME):
            partial = self._partial(node.key, value)
            if partial is None:
                return None
            return type(node)(this=self._column(partial))
        if not isinstance(node, _SUMMED) or isinstance(value, exp.Distinct):
            return None
        total = exp.Sum(this=self._summed(value))
        made: exp.Expr = total
        own = self.summed[value.sql()]
        if isinstance(node, exp.Avg):
            # Of nothing both are NULL, and then so is their quotient.
            number = exp.Cast(this=self._counts(value), to=exp.DataType.build("bigint"))
            wide = _cast(total, _DIGITS, _digits(own)[1])
            made = exp.paren(exp.Div(this=wide, expression=number))
        elif own.kind is Kind.INTEGER:
            made = exp.Cast(this=total, to=exp.DataType.build("bigint"))
        return made

    def _counts(self, value: exp.Expr) -> exp.Expr:
        partial = self._partial("count", value)
        if partial is not None:
            return exp.Sum(this=self._column(partial))
        if isinstance(value, exp.Star | exp.Literal):
            return exp.Sum(this=self._repeats())
        is_there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
        return exp.Sum(this=exp.Case(ifs=[exp.If(this=is_there, true=self._repeats())]))

    def _summed(self, value: exp.Expr) -> exp.Expr:
        partial = self._partial("sum", value)
        if partial is not None:
            return self._column(partial)
        digits, scale = _digits(self.summed[value.sql()])
        times = _cast(self._repeats(), _COUNTED, 0)
        return exp.Mul(this=_cast(value.copy(), digits, scale), expression=times)

    def _repeats(self) -> exp.Expr:
        """Returns how often a folded row counts; one that an outer join made up counts once."""
        count = exp.column(self.rows, table=self.alias, quoted=True)
        if not self.is_optional:
            return count
        return exp.Coalesce(this=count, expressions=[exp.Literal.number(1)])

    def _partial(self, kind: str, value: exp.Expr) -> Partial | None:
        if not isinstance(value, exp.Column) or value.table != self.alias:
            return None
        for one in self.partials:
            if one.kind == kind and one.column == value.name:
                return one
        return None

    def _column(self, partial: Partial) -> exp.Column:
        return exp.column(partial.name, table=self.alias, quoted=True)


def foldings(reading: Reading, types: Types) -> Iterator[Folding]:
    """Yields every read that may be folded, with the SELECT that allows it."""
    tables = [table.name for table in reading.residual.find_all(exp.Table)]
    if any(is_merging(join) for join in reading.residual.find_all(exp.Join)):
        return
    for select in reading.residual.find_all(exp.Select):
        aggregates = list(_aggregates(select))
        if not _folds(select, aggregates):
            continue
        optional = dict(optional_aliases(select))[None]
        for place in _places(select):
            one = reading.reads.get(place.name) if isinstance(place, exp.Table) else None
            if one is None or one.arguments or tables.count(one.name) > 1:
                continue
            alias = place.alias_or_name
            made = _folding(select, one, alias, aggregates, types, is_optional=alias in optional)
            if made is not None:
                yield made


def _folds(select: exp.Select, aggregates: list[exp.Expr]) -> bool:
    """Tells whether repeated rows change nothing in a SELECT but counts, sums and averages."""
    distinct = select.args.get("distinct")
    is_distinct = distinct is not None and distinct.args.get("on") is None
    if not aggregates and select.args.get("group") is None and not is_distinct:
        return False
    if not is_flat(select) or select.args.get("qualify") or select.args.get("laterals"):
        return False
    having, order = select.args.get("having"), select.args.get("order")
    parts = [*select.expressions, *(one for one in (having, order) if one is not None)]
    if any(part.find(*_NEVER, exp.Query) is not None for part in parts):
        return False
    places = _places(select)
    names = [one.alias_or_name for one in places]
    is_table = all(
        isinstance(one, exp.Subquery) or isinstance(one.this, exp.Identifier) for one in places
    )
    if not is_table or len(set(names)) < len(names) or select.find(exp.Rand) is not None:
        return False
    return all(_is_known(one) for one in aggregates)


def _is_known(node: exp.Expr) -> bool:
    value = node.this
    if isinstance(node, exp.LogicalAnd | exp.LogicalOr):
        return not isinstance(value, exp.Order | exp.Distinct)
    if not isinstance(node, (exp.Count, *_SUMMED, *_EXTREME)) or node.expressions:
        return False
    if isinstance(value, exp.Distinct):
        return len(value.expressions) == 1 and value.find(exp.Order) is None
    return isinstance(value, exp.Expr) and not isinstance(value, exp.Order)


def _folding(
    select: exp.Select,
    one: Read,
    alias: str,
    aggregates: list[exp.Expr],
    types: Types,
    *,
    is_optional: bool,
) -> Folding | None:
    own = types[one.name]
    inside: set[int] = set()
    summed: dict[str, Type] = {}
    wanted: list[tuple[str, str]] = []
    for node in aggregates:
        value = node.this
        if isinstance(value, exp.Distinct) or isinstance(node, exp.LogicalAnd | exp.LogicalOr):
            continue
        is_own = isinstance(value, exp.Column) and value.table == alias and value.name in own
        if isinstance(node, _SUMMED):
            type_ = _type_of(value, select, types)
            if type_ is None or type_.kind not in (Kind.DECIMAL, *_WHOLE):
                return None
            if not is_own and _digits(type_)[0] + _COUNTED > _DIGITS:
                return None
            summed[value.sql()] = type_
        if is_own and _is_partial(own[value.name]):
            inside.add(id(value))
            kinds = ["sum", "count"] if isinstance(node, exp.Avg) else [node.key]
            wanted += [(kind, value.name) for kind in kinds]
    keys = [
        column.name
        for column in select.find_all(exp.Column)
        if column.table == alias and column.name in own and id(column) not in inside
    ]
    taken = {*own, *one.columns}
    rows = _free("rows", taken)
    partials = [Partial(rows, "rows")]
    for kind, column in dict.fromkeys(wanted):
        partials.append(Partial(_free(f"{kind}_of_{column}", taken), kind, column))
    return Folding(
        select, one, alias, tuple(dict.fromkeys(keys)), tuple(partials), rows, is_optional, summed
    )


def _is_partial(type_: Type) -> bool:
    """Tells whether sources count, add up and compare values of a type as they are."""
    return type_.is_number or type_.kind in (Kind.DATE, Kind.TIMESTAMPTZ)


def _type_of(value: exp.Expr, select: exp.Select, types: Types) -> Type | None:
    """Returns the type of a column of a SELECT's sources, where it is known here."""
    if not isinstance(value, exp.Column):
        return None
    for place in _places(select):
        if place.alias_or_name != value.table:
            continue
        if isinstance(place, exp.Table):
            return types.get(place.name, {}).get(value.name)
        inner = place.this
        if not isinstance(inner, exp.Select) or place.args["alias"].columns:
            return None
        found = [one for one in inner.selects if one.output_name == value.name]
        if len(found) != 1:
            return None
        origin = found[0].unalias()
        return Type(Kind.BIGINT) if type(origin) is exp.Count else _type_of(origin, inner, types)
    return None


def _digits(type_: Type) -> tuple[int, int]:
    """Returns how many digits a number has, and how many of them after the point."""
    return type_.digits if type_.kind is Kind.DECIMAL else (_WHOLE[type_.kind], 0)


def _aggregates(select: exp.Select) -> Iterator[exp.Expr]:
    """Yields the aggregates of a SELECT itself."""
    having, order = select.args.get("having"), select.args.get("order")
    for part in (*select.expressions, having, order):
        for node in part.walk(prune=lambda one: isinstance(one, exp.Query)) if part else ():
            if is_aggregate(node):
                yield node


def _places(select: exp.Select) -> list[exp.Expr]:
    source = select.args.get("from_")
    joins = select.args.get("joins") or []
    return [*([source.this] if source is not None else []), *(join.this for join in joins)]


def _filtered(made: exp.Expr, where: exp.Expr) -> exp.Expr:
    """Returns an expression of which every aggregate is of those rows only."""

    def filtered(node: exp.Expr) -> exp.Expr:
        if isinstance(node, (exp.Sum, *_EXTREME)):
            return exp.Filter(this=node.copy(), expression=where.copy())
        return node

    return made.transform(filtered)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _as_count(total: exp.Expr) -> exp.Expr:
    """Returns a sum of counts as a count: 0 of nothing."""
    some = exp.Coalesce(this=total, expressions=[exp.Literal.number(0)])
    return exp.Cast(this=some, to=exp.DataType.build("bigint"))


def _cast(value: exp.Expr, digits: int, scale: int) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build(f"decimal({digits}, {scale})"))
