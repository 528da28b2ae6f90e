"""Decides which conditions of the asker a source can use, turned onto its own columns.

A condition that goes to the source may let through more rows than the asker's, never fewer:
rows that arrive are judged again. A branch in which no row can match is not asked at all.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.mapped import FieldMapping
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import Capabilities
from roundview_federation.key_sets import keyset_of
from roundview_federation.rewrite.presence import TYPED
from roundview_federation.rewrite.push import Bound
from roundview_federation.rewrite.row_values import literal_value
from roundview_federation.rewrite.source_keys import INTEGERS, native_value
from roundview_federation.rewrite.unfold import Unfolded

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
_SOURCE = {"source": "name", "source_system": "system", "source_instance": "instance"}
_DEFAULTS = ("business_unit", "region", "currency", "phone_region")
_UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Keyed:
    """A way to ask for rows by the values of a parameter; `is_record_key`: they are source keys."""

    bound: Bound
    param: str
    is_record_key: bool = False


@dataclass(slots=True)
class Narrowed:
    """What a branch is asked with: conjuncts over its columns, their values, and ways by key.

    `is_exact` tells whether the source lets through no row that the asker's conditions do not.
    """

    conditions: list[exp.Expr] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    keys: list[Keyed] = field(default_factory=list)
    is_exact: bool = True


def narrow(
    unfolded: Unfolded, values: Mapping[str, Any], capabilities: Capabilities
) -> Narrowed | None:
    """Returns how the asker's conditions narrow a branch, None where no row of it can match.

    `values` has the parameters that are known now; the lists of others come when it runs.
    """
    narrowing = _Narrowing(unfolded, values, capabilities)
    for conjunct in expressions.conjuncts(unfolded.where) if unfolded.where is not None else ():
        count = narrowing.exact
        if not narrowing.take(conjunct):
            return None
        narrowing.narrowed.is_exact &= narrowing.exact > count
    return narrowing.narrowed


class _Narrowing:
    def __init__(
        self, unfolded: Unfolded, values: Mapping[str, Any], capabilities: Capabilities
    ) -> None:
        self.narrowed = Narrowed()
        self.exact = 0
        self._unfolded = unfolded
        self._values = values
        self._dialect = capabilities.dialect
        self._fields = unfolded.branch.slots[unfolded.slot]

    def take(self, conjunct: exp.Expr) -> bool:
        """Uses one condition; returns False where no row of the branch meets it."""
        known = keyset_of(conjunct)
        way: type[exp.Expr]
        if known is not None and isinstance(known[0], exp.Column):
            column, param, way = known[0], known[1], exp.EQ
        elif type(conjunct) in COMPARE and isinstance(conjunct.expression, exp.Placeholder):
            column, param, way = conjunct.this, conjunct.expression.name, type(conjunct)
        else:
            return True
        name = column.name
        if name in self._unfolded.masks:
            return True
        wanted: Any = self._values.get(param, _UNKNOWN)
        if known is not None and wanted is _UNKNOWN:
            self._bind(name, param)
            return self._constant(name) is not None
        if wanted is _UNKNOWN:
            return True
        wanted = wanted if known is not None else [wanted]
        constant = self._constant(name)
        if constant is not _UNKNOWN:
            compare = COMPARE[way]
            self.exact += 1
            return constant is not None and any(compare(constant, one) for one in wanted)
        if way is exp.EQ:
            return self._equal(name, param, wanted)
        if way is not exp.NEQ:
            self._range(name, way, wanted[0], param)
        return True

    def _constant(self, name: str) -> Any:
        """Returns what a column is in every row of the branch, _UNKNOWN where rows differ."""
        source, entity = self._unfolded.source, self._unfolded.entity
        if name in _SOURCE:
            return getattr(source, _SOURCE[name])
        mapping = self._fields.get(name)
        default = self._default(name)
        if mapping is not None:
            is_plain = isinstance(mapping.expr, exp.Literal | exp.Boolean | exp.Null)
            if not is_plain or mapping.codes is not None:
                return _UNKNOWN
            value = literal_value(mapping, entity.types[name])
            return value if value is not None else default or None
        if default:
            return default
        declared = entity.fields.get(name)
        return None if declared is not None and declared.derive is None else _UNKNOWN

    def _default(self, name: str) -> str:
        """Returns what the source's rows have where nothing else is said, "" for nothing."""
        known: str = getattr(self._unfolded.source.defaults, name, "") if name in _DEFAULTS else ""
        return known

    # -- equality ----------------------------------------------------------------------------

    def _equal(self, name: str, param: str, wanted: Sequence[Any]) -> bool:
        if self._default(name) in wanted:
            # Rows in which the source says nothing have it too.
            return True
        mapping = self._fields.get(name)
        if mapping is None:
            self._bind(name, param)
            return True
        target = self._unfolded.entity.types[name]
        if target.kind is Kind.ENUM and not any(one in target.values for one in wanted):
            return False
        if mapping.codes is not None:
            self._coded(mapping, wanted, param)
            return True
        column = self._column(mapping, target)
        if column is None:
            if len(wanted) == 1 and isinstance(wanted[0], str):
                self._computed(name, wanted[0], param)
            return True
        found, prefix, type_ = column
        values = [native_value(one, type_, prefix) for one in wanted]
        values = [one for one in dict.fromkeys(values) if one is not None]
        domain = self._domain(found)
        if domain and type_.kind is Kind.TEXT:
            values = [one for one in values if one in domain]
        if not values:
            return False
        if len(wanted) > 1:
            self._bind(name, param)
        else:
            self._add(exp.EQ, found, values[0], param)
            self.exact += isinstance(mapping.expr, exp.Column)
        return True

    def _bind(self, name: str, param: str) -> None:
        """Offers to ask by key: for the record's own key, its parent's, or a plain column."""
        branch = self._unfolded.branch
        if name == "source_key":
            self._bind_key(branch.key, branch.key_types, branch.name, param, branch.is_sealed)
            return
        parent = branch.parent
        if parent is not None and self._unfolded.entity.parents.get(parent.entity) == name:
            columns = [key for key in parent.keys if isinstance(key, exp.Column)]
            if len(columns) == len(parent.keys):
                types = tuple(self._unfolded.column_type(one) for one in columns)
                self._bind_key(tuple(columns), types, parent.branch, param, parent.is_sealed)
            return
        mapping = self._fields.get(name)
        if mapping is None or mapping.codes is not None or self._default(name):
            return
        found = self._column(mapping, self._unfolded.entity.types[name])
        if found is not None and self._takes_keys(found[0], found[2]):
            column, prefix, type_ = found
            bound = Bound("", (column,), (type_,), (prefix,), ())
            self.narrowed.keys.append(Keyed(bound, param))

    def _takes_keys(self, column: exp.Column, type_: Type) -> bool:
        """Tells whether a source takes lists of such values.

        MySQL's JSON has no decimals, and without an index it compares every row with every key.
        """
        if self._dialect != "mysql":
            return type_.kind in (Kind.TEXT, *INTEGERS) or self._dialect == "postgres"
        table = self._unfolded.source.tables[self._unfolded.aliases[column.table]]
        keys = (table.primary_key, *table.unique, *table.indexes)
        is_indexed = any(key and key[0] == column.name for key in keys)
        return is_indexed and type_.kind in (Kind.TEXT, *INTEGERS)

    def _bind_key(
        self,
        columns: tuple[exp.Column, ...],
        types: tuple[Type, ...],
        branch: str,
        param: str,
        is_sealed: bool,
    ) -> None:
        if is_sealed or any(self._unfolded.is_late(column) for column in columns):
            return
        prefixes = (f"{branch}:" if branch else "", *("" for _ in columns[1:]))
        self.narrowed.keys.insert(
            0, Keyed(Bound("", columns, types, prefixes, ()), param, is_record_key=True)
        )

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
        while isinstance(expr, exp.Lower | exp.Upper | exp.Trim) and len(expr.args) <= 2:
            form = "upper" if isinstance(expr, exp.Upper) else form or "lower"
            expr = expr.this
        if not isinstance(expr, exp.Column) or self._unfolded.is_late(expr):
            return None
        type_ = self._unfolded.column_type(expr)
        if form and self._declared_form(expr) != form:
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

    def _coded(self, mapping: FieldMapping, wanted: Sequence[Any], param: str) -> None:
        codes = mapping.codes or {}
        if not isinstance(mapping.expr, exp.Column) or self._unfolded.is_late(mapping.expr):
            return
        if mapping.otherwise in wanted or mapping.null_code in wanted:
            return
        type_ = self._unfolded.column_type(mapping.expr)
        if type_.kind not in (Kind.TEXT, *INTEGERS):
            return
        texts = [code for code, value in codes.items() if value in wanted]
        values = [native_value(text, type_) for text in texts]
        if not values or None in values:
            return
        places = []
        for at, value in enumerate(values):
            name = f"{param}_{len(self.narrowed.constants)}_{at}"
            self.narrowed.constants[name] = value
            places.append(exp.Placeholder(this=name))
        self.narrowed.conditions.append(exp.In(this=mapping.expr.copy(), expressions=places))

    def _computed(self, name: str, value: str, param: str) -> None:
        """Has the source compute the field, where it does so exactly, and compare."""
        mapping = self._fields[name]
        if self._unfolded.entity.types[name].kind is not Kind.TEXT:
            # Other texts have several spellings in a source: 'in ' and 'IN' are the enum's in.
            return
        tree = exp.EQ(this=mapping.expr.copy(), expression=exp.Literal.string(value))
        column_type = self._unfolded.column_type
        if mapping.type.kind is not Kind.TEXT or self._unfolded.is_late(mapping.expr):
            return
        if not expressions.pushable(tree, self._dialect, column_type):
            return
        rendered = expressions.render(tree, self._dialect, column_type)
        if isinstance(rendered.expression, exp.Literal):
            rendered.set("expression", self._place(value, param))
            self.narrowed.conditions.append(rendered)

    # -- ranges ------------------------------------------------------------------------------

    def _range(self, name: str, way: type[exp.Expr], value: Any, param: str) -> None:
        mapping = self._fields.get(name)
        if mapping is None or mapping.codes is not None:
            return
        target = self._unfolded.entity.types[name]
        if target.is_time:
            self._instant_range(mapping, way, value, param)
            return
        found = self._column(mapping, target)
        if found is not None and not target.is_text and not found[1]:
            self._add(way, found[0], value, param)
            self.exact += 1

    def _instant_range(
        self, mapping: FieldMapping, way: type[exp.Expr], value: datetime, param: str
    ) -> None:
        column = mapping.expr
        if self._dialect not in TYPED or not isinstance(column, exp.Column):
            return
        if self._unfolded.is_late(column):
            return
        kind = self._kind(column)
        if kind is Kind.TIMESTAMPTZ:
            self._add(way, column, value, param)
            self.exact += 1
        elif kind is Kind.TIMESTAMP:
            zone = mapping.time_zone or self._unfolded.source.defaults.time_zone
            around = -_AROUND_A_CHANGE if way in _UPWARDS else _AROUND_A_CHANGE
            try:
                local = value.astimezone(coerce.zone(zone)).replace(tzinfo=None) + around
            except (OverflowError, ValueError, KeyError):
                return
            self._add(exp.GTE if way in _UPWARDS else exp.LTE, column, local, param)

    # -- parts -------------------------------------------------------------------------------

    def _add(self, way: type[exp.Expr], column: exp.Column, value: Any, param: str) -> None:
        self.narrowed.conditions.append(
            way(this=column.copy(), expression=self._place(value, param))
        )

    def _place(self, value: Any, param: str) -> exp.Placeholder:
        name = f"{param}_{len(self.narrowed.constants)}"
        self.narrowed.constants[name] = value
        return exp.Placeholder(this=name)

    def _kind(self, column: exp.Column) -> Kind:
        return self._unfolded.column_type(column).kind

    def _declared_form(self, column: exp.Column) -> str:
        table = self._unfolded.source.tables[self._unfolded.aliases[column.table]]
        return table.columns[column.name].normal_form

    def _domain(self, column: exp.Column) -> tuple[str, ...]:
        table = self._unfolded.source.tables[self._unfolded.aliases[column.table]]
        return table.columns[column.name].domain
