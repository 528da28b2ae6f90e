"""Decides what one condition of the asker is on the columns of a branch, for any value.

A condition is turned once; its values are judged at every question: whether the branch can have
rows at all, and what its columns are compared with.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.errors import InternalError
from roundview_catalog.mapped import FieldMapping
from roundview_catalog.model import SourceTable
from roundview_catalog.types import Kind, Type
from roundview_federation.key_sets import keyset_of
from roundview_federation.rewrite import invert
from roundview_federation.rewrite.bounds import Bound
from roundview_federation.rewrite.presence import TYPED, holds
from roundview_federation.rewrite.row_values import literal_value
from roundview_federation.rewrite.source_keys import INTEGERS, native_value
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.rewrite.verdict import (
    BY_KEY,
    EVERYWHERE,
    NOWHERE,
    OPEN,
    Judge,
    Keyed,
    Outcome,
    Placed,
    Turned,
    Verdict,
)

COMPARE: Mapping[type[exp.Expr], Callable[[Any, Any], bool]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}
_UPWARDS = (exp.GT, exp.GTE)
# A repeated hour and every zone's changes of its offset lie within this.
_AROUND_A_CHANGE = timedelta(hours=3)
_UNKNOWN = object()
# Types of which a source takes several texts for equal: padded ones, TIME, addresses of MySQL.
_LOOSE = ("character(", "bpchar", "time", "binary", "varbinary", "inet")


def turn(conjunct: exp.Expr, known: frozenset[str], unfolded: Unfolded, dialect: str) -> Turned:
    """Turns one condition onto a branch; `known` names the parameters with values by now."""
    turned = _turned(conjunct, known, unfolded, dialect)
    judge = turned.judge
    if dialect or judge is None:
        return turned

    def compared_with_one(wanted: Sequence[Any]) -> Verdict:
        # A source without a dialect takes conjuncts of one comparison each.
        verdict = judge(wanted)
        return OPEN if len(verdict[1]) > 1 else verdict

    return replace(turned, judge=compared_with_one)


def _turned(conjunct: exp.Expr, known: frozenset[str], unfolded: Unfolded, dialect: str) -> Turned:
    keyset = keyset_of(conjunct)
    way: type[exp.Expr]
    if keyset is not None and isinstance(keyset[0], exp.Column):
        column, param, way = keyset[0], keyset[1], exp.EQ
    elif type(conjunct) in COMPARE and isinstance(conjunct.expression, exp.Placeholder):
        column, param, way = conjunct.this, conjunct.expression.name, type(conjunct)
    else:
        return Turned()
    name = column.name
    if name in unfolded.masks:
        return Turned()
    turning = _Turning(unfolded, dialect, name, param)
    constant = turning.constant()
    if param not in known:
        if keyset is None:
            return Turned()
        return Turned(always=NOWHERE if constant is None else BY_KEY, key=turning.key())
    if constant is not _UNKNOWN:
        return Turned(param, _compared(constant, COMPARE[way]))
    if way is exp.EQ:
        return turning.equal()
    return turning.beyond(way) if way is not exp.NEQ else Turned()


def _compared(constant: Any, compare: Callable[[Any, Any], bool]) -> Judge:
    def judge(wanted: Sequence[Any]) -> Verdict:
        fits = constant is not None and any(compare(constant, one) for one in wanted)
        return EVERYWHERE if fits else NOWHERE

    return judge


class _Turning:
    """Turns conditions on one field of one branch."""

    def __init__(self, unfolded: Unfolded, dialect: str, name: str, param: str) -> None:
        self._unfolded = unfolded
        self._dialect = dialect
        self._name = name
        self._param = param
        self._mapping = unfolded.branch.slots[unfolded.slot].get(name)
        self._default = unfolded.source.defaults.of(name)
        """what the source's rows have where nothing else is said, "" for nothing"""

    def constant(self) -> Any:
        """Returns what the field is in every row of the branch, _UNKNOWN where rows differ."""
        name, entity = self._name, self._unfolded.entity
        named = self._unfolded.source.names(name)
        if named is not None:
            return named
        mapping = self._mapping
        if mapping is not None:
            is_plain = isinstance(mapping.expr, exp.Literal | exp.Boolean | exp.Null)
            if not is_plain or mapping.codes is not None:
                return _UNKNOWN
            value = literal_value(mapping, entity.types[name])
            return value if value is not None else self._default or None
        if self._default:
            return self._default
        declared = entity.fields.get(name)
        return None if declared is not None and declared.derive is None else _UNKNOWN

    def key(self) -> Keyed | None:
        """Returns how to ask by key: by the record's own key, its parent's, or a plain column."""
        branch, name = self._unfolded.branch, self._name
        if name == "source_key":
            return self._key_of(branch.key, branch.key_types, branch.name, branch.is_sealed)
        parent = branch.parent
        if parent is not None and self._unfolded.entity.parents.get(parent.entity) == name:
            columns = tuple(key for key in parent.keys if isinstance(key, exp.Column))
            if len(columns) < len(parent.keys):
                return None
            types = tuple(self._unfolded.column_type(one) for one in columns)
            return self._key_of(columns, types, parent.branch, parent.is_sealed)
        mapping = self._mapping
        if mapping is None or mapping.codes is not None or self._default:
            return None
        found = self._column(mapping, self._unfolded.entity.types[name])
        if found is None or not self._takes_keys(found[0], found[2]):
            return None
        column, prefix, type_ = found
        return Keyed(Bound("", (column,), (type_,), (prefix,), ()), self._param)

    def equal(self) -> Turned:
        """Turns an equality with one or some values."""
        turned = self._equal()
        default, inner = self._default, turned.judge
        if not default or inner is None:
            return turned

        def judge(wanted: Sequence[Any]) -> Verdict:
            # Rows in which the source says nothing have it too.
            return OPEN if default in wanted else inner(wanted)

        return replace(turned, judge=judge)

    def beyond(self, way: type[exp.Expr]) -> Turned:
        """Turns a comparison by order."""
        mapping = self._mapping
        if mapping is None or mapping.codes is not None:
            return Turned()
        target = self._unfolded.entity.types[self._name]
        if target.is_time:
            return self._beyond_instant(mapping, way)
        found = self._column(mapping, target)
        if found is None:
            turned = invert.order(way, mapping, target, self._unfolded, self._dialect, self._param)
            return turned or Turned()
        if target.is_text or found[1]:
            return Turned()
        # A number that the field cannot hold is no value of it, whatever the source says of it.
        is_exact = not target.is_number or holds(target, found[2])
        return Turned(self._param, _as_is, placed=_beside(way, found[0]), is_exact=is_exact)

    def _equal(self) -> Turned:
        param, mapping = self._param, self._mapping
        if mapping is None:
            turned = invert.normalized(self._name, self._unfolded, param)
            return turned or Turned(param, lambda wanted: BY_KEY, key=self.key())
        target = self._unfolded.entity.types[self._name]
        values = frozenset(target.values) if target.kind is Kind.ENUM else None
        if mapping.codes is not None:
            return self._coded(mapping, values)
        column = self._column(mapping, target)
        if column is None:
            asked = (mapping, target, self._unfolded, self._dialect, param)
            turned = invert.equality(*asked)
            if turned is None and self._rendered(mapping) is None:
                turned = invert.other_case(*asked)
            return turned or self._computed(mapping, values)
        found, prefix, type_ = column
        declared = self._table(found).columns[found.name]
        domain = declared.domain if type_.kind is Kind.TEXT else ()

        def judge(wanted: Sequence[Any]) -> Verdict:
            if values is not None and values.isdisjoint(wanted):
                return NOWHERE
            natives = dict.fromkeys(native_value(one, type_, prefix) for one in wanted)
            natives.pop(None, None)
            if domain:
                natives = {one: None for one in natives if one in domain}
            if not natives:
                return NOWHERE
            return BY_KEY if len(wanted) > 1 else (Outcome.ASKED, tuple(natives))

        return Turned(
            param,
            judge,
            placed=_beside(exp.EQ, found),
            form=f"{prefix}|{type_.kind}",
            key=self.key(),
            is_exact=mapping.expr is found and not declared.native.startswith(_LOOSE),
        )

    def _takes_keys(self, column: exp.Column, type_: Type) -> bool:
        """Tells whether a source takes lists of such values.

        Without an index MySQL compares every row with every key.
        """
        if self._dialect != "mysql":
            return type_.kind in (Kind.TEXT, *INTEGERS) or self._dialect == "postgres"
        table = self._table(column)
        keys = (table.primary_key, *table.unique, *table.indexes)
        is_indexed = any(key and key[0] == column.name for key in keys)
        return is_indexed and type_.kind in (Kind.TEXT, Kind.DATE, Kind.DECIMAL, *INTEGERS)

    def _key_of(
        self, columns: tuple[exp.Column, ...], types: tuple[Type, ...], branch: str, is_sealed: bool
    ) -> Keyed | None:
        if is_sealed or any(self._unfolded.is_late(column) for column in columns):
            return None
        prefixes = (f"{branch}:" if branch else "", *("" for _ in columns[1:]))
        return Keyed(Bound("", columns, types, prefixes, ()), self._param, is_record_key=True)

    def _column(self, mapping: FieldMapping, target: Type) -> tuple[exp.Column, str, Type] | None:
        """Returns the column that has a field's values, what stands before them, and its type.

        None where equal values of the field can come from unequal values of the column.
        """
        expr, prefix = mapping.expr.unnest(), ""
        if isinstance(expr, exp.DPipe) and isinstance(expr.this, exp.Literal):
            prefix, expr = expr.this.name, expr.expression.unnest()
        if isinstance(expr, exp.Cast) and mapping.type.kind is Kind.TEXT:
            inner = expr.this
            is_number = isinstance(inner, exp.Column) and self._kind(inner) in INTEGERS
            expr = inner if is_number else expr
        form = ""
        if isinstance(expr, exp.Lower | exp.Upper):
            form = "upper" if isinstance(expr, exp.Upper) else "lower"
            expr = expr.this
        if not isinstance(expr, exp.Column) or self._unfolded.is_late(expr):
            return None
        type_ = self._unfolded.column_type(expr)
        declared = self._table(expr).columns[expr.name]
        if form and (declared.search or declared.normal_form != form):
            return None
        if target.kind is Kind.TEXT:
            return (expr, prefix, type_) if type_.kind in (Kind.TEXT, *INTEGERS) else None
        if target.kind in INTEGERS:
            return (expr, prefix, type_) if type_.kind in INTEGERS else None
        if self._dialect not in TYPED:
            return None
        is_same = type_.kind is target.kind and target.kind in (Kind.DATE, Kind.DECIMAL)
        if is_same and target.kind is Kind.DECIMAL:
            is_same = type_.scale is not None and type_.scale <= (target.scale or 0)
        return (expr, prefix, type_) if is_same else None

    def _coded(self, mapping: FieldMapping, values: frozenset[str] | None) -> Turned:
        """Compares with the codes of the values, where every code is known."""
        codes = mapping.codes or {}
        column = mapping.expr
        natives: dict[str, Any] = {}
        if isinstance(column, exp.Column) and not self._unfolded.is_late(column):
            type_ = self._unfolded.column_type(column)
            if type_.kind in (Kind.TEXT, *INTEGERS):
                natives = {code: native_value(code, type_) for code in codes}

        def judge(wanted: Sequence[Any]) -> Verdict:
            if values is not None and values.isdisjoint(wanted):
                return NOWHERE
            if mapping.otherwise in wanted or mapping.null_code in wanted:
                return OPEN
            found = tuple(natives[code] for code in natives if codes[code] in wanted)
            return OPEN if not found or None in found else (Outcome.ASKED, found)

        form = repr(sorted(natives.items()))
        return Turned(self._param, judge, placed=invert.one_of(column), form=f"{codes}{form}")

    def _computed(self, mapping: FieldMapping, values: frozenset[str] | None) -> Turned:
        """Has the source compute the field, where it does so exactly, and compare."""
        rendered = self._rendered(mapping)
        # In MySQL a backslash means different things by the server's mode.
        is_strange = self._dialect == "mysql"

        def judge(wanted: Sequence[Any]) -> Verdict:
            if values is not None and values.isdisjoint(wanted):
                return NOWHERE
            one = wanted[0] if len(wanted) == 1 else None
            if rendered is None or not isinstance(one, str) or (is_strange and "\\" in one):
                return OPEN
            return Outcome.ASKED, (one,)

        def placed(places: Sequence[exp.Placeholder]) -> exp.Expr:
            if rendered is None:
                raise InternalError(f"{self._name} is not computed by the source")
            tree = rendered.copy()
            tree.set("expression", places[0])
            return tree

        return Turned(self._param, judge, placed=placed)

    def _rendered(self, mapping: FieldMapping) -> exp.Expr | None:
        """Returns the field beside a text as the source computes it, None where it cannot."""
        target = self._unfolded.entity.types[self._name]
        if target.kind is not Kind.TEXT or mapping.type.kind is not Kind.TEXT:
            # Other texts have several spellings in a source: 'in ' and 'IN' are the enum's in.
            return None
        tree = exp.EQ(this=mapping.expr.copy(), expression=exp.Literal.string("x"))
        column_type = self._unfolded.column_type
        if self._unfolded.is_late(mapping.expr):
            return None
        if not expressions.pushable(tree, self._dialect, column_type):
            return None
        rendered = expressions.render(tree, self._dialect, column_type)
        return rendered if isinstance(rendered.expression, exp.Literal) else None

    def _beyond_instant(self, mapping: FieldMapping, way: type[exp.Expr]) -> Turned:
        column = mapping.expr
        if self._dialect not in TYPED or not isinstance(column, exp.Column):
            return Turned()
        kind = self._kind(column)
        if self._unfolded.is_late(column) or kind not in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
            return Turned()
        if kind is Kind.TIMESTAMPTZ:
            return Turned(self._param, _as_is, placed=_beside(way, column), is_exact=True)
        zone = mapping.time_zone or self._unfolded.source.defaults.time_zone
        is_up = way in _UPWARDS
        around = -_AROUND_A_CHANGE if is_up else _AROUND_A_CHANGE

        def judge(wanted: Sequence[Any]) -> Verdict:
            try:
                local = wanted[0].astimezone(coerce.zone(zone)).replace(tzinfo=None) + around
            except (OverflowError, ValueError, KeyError):
                return OPEN
            return Outcome.ASKED, (local,)

        wide = exp.GTE if is_up else exp.LTE
        return Turned(self._param, judge, placed=_beside(wide, column), form=f"{zone}|{is_up}")

    def _kind(self, column: exp.Column) -> Kind:
        return self._unfolded.column_type(column).kind

    def _table(self, column: exp.Column) -> SourceTable:
        return self._unfolded.source.tables[self._unfolded.aliases[column.table]]


def _as_is(wanted: Sequence[Any]) -> Verdict:
    return Outcome.ASKED, (wanted[0],)


def _beside(way: type[exp.Expr], column: exp.Column) -> Placed:
    def placed(places: Sequence[exp.Placeholder]) -> exp.Expr:
        return way(this=column.copy(), expression=places[0])

    return placed
