"""Decides the type of an expression and whether its operands fit, as PostgreSQL would."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from roundview_catalog.expressions.functions import (
    AGGREGATES,
    BIGINT,
    BOOLEAN,
    DECIMAL,
    EXTRACT_TIMES,
    FLOAT,
    INTEGER,
    NODES,
    OWN,
    TEXT,
    Function,
)
from roundview_catalog.expressions.meeting import (
    DATE,
    DAYS,
    NUMBERS,
    TIMESTAMP,
    TIMESTAMPTZ,
    cast_type,
    castable,
    common_type,
    inside,
    interval_of,
    is_null,
    is_text_constant,
    literal_value,
)
from roundview_catalog.expressions.nodes import ExpressionError, offset_of
from roundview_catalog.expressions.times import time_zone
from roundview_catalog.types import Kind, Type

ColumnType = Callable[[exp.Column], Type]

COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_WHOLE = (Kind.INTEGER, Kind.BIGINT)


def infer(tree: exp.Expr, column_type: ColumnType) -> Type:
    """Returns the type of an expression; raises ExpressionError where operands do not fit.

    A text constant takes the type that it is compared or combined with.
    """
    return _Inference(column_type).type(tree)


def check(tree: exp.Expr, column_type: ColumnType, *, aggregates: bool = False) -> Type:
    """Returns the type of an expression that stands where aggregates are allowed or not."""
    found = tree.find(exp.Filter, *AGGREGATES)
    if found is not None and not aggregates:
        raise ExpressionError("no aggregates here", "", offset_of(found))
    return infer(tree, column_type)


class _Inference:
    def __init__(self, column_type: ColumnType) -> None:
        self.column_type = column_type

    def type(self, tree: exp.Expr) -> Type:
        if isinstance(tree, exp.Column):
            return self._column(tree)
        if isinstance(tree, exp.Paren):
            return self.type(tree.this)
        if isinstance(tree, exp.Literal):
            if tree.is_string:
                return TEXT
            if not str(tree.this).isdigit():
                return DECIMAL
            size = int(tree.this)
            return INTEGER if size < 1 << 31 else BIGINT if size < 1 << 63 else DECIMAL
        if isinstance(tree, exp.Boolean):
            return BOOLEAN
        if isinstance(tree, exp.Null):
            return TEXT
        row = NODES.get(type(tree))
        if row is not None:
            return self._function(tree, row, [tree.args.get(key) for key, _ in row.arguments])
        if isinstance(tree, exp.Anonymous) and str(tree.this) in OWN:
            row = OWN[str(tree.this)]
            given = [*tree.expressions, *[None] * len(row.arguments)]
            return self._function(tree, row, given[: len(row.arguments)])
        if isinstance(tree, ARITHMETIC):
            return self._arithmetic(tree)
        if isinstance(tree, (exp.Filter, *AGGREGATES)):
            return self._aggregate(tree)
        if isinstance(tree, exp.Cast):
            return self._cast(tree)
        return self._other(tree)

    def _other(self, tree: exp.Expr) -> Type:
        if isinstance(tree, COMPARISONS):
            self._comparable(tree, [tree.this, tree.expression])
        elif isinstance(tree, exp.And | exp.Or):
            for side in (tree.this, tree.expression):
                self._needs(side, BOOLEAN)
        elif isinstance(tree, exp.Not):
            self._needs(tree.this, BOOLEAN)
        elif isinstance(tree, exp.Is):
            if isinstance(tree.expression, exp.Boolean):
                self._needs(tree.this, BOOLEAN)
            else:
                self._may_be_null(tree.this)
        elif isinstance(tree, exp.Between):
            self._comparable(tree, [tree.this, tree.args["low"], tree.args["high"]])
        elif isinstance(tree, exp.Like | exp.ILike):
            self._needs_text(tree.this)
            self._needs_text(tree.expression)
        elif isinstance(tree, exp.In):
            if tree.args.get("query") is None:
                self._comparable(tree, [tree.this, *tree.expressions])
            else:
                self.type(tree.this)
        elif not isinstance(tree, exp.Exists):
            return self._valued(tree)
        return BOOLEAN

    def _valued(self, tree: exp.Expr) -> Type:
        if isinstance(tree, exp.Case):
            return self._case(tree)
        if isinstance(tree, exp.Coalesce | exp.Greatest | exp.Least):
            return self._chosen([tree.this, *tree.expressions])
        if isinstance(tree, exp.Nullif):
            self._comparable(tree, [tree.this, tree.expression])
            return self.type(tree.this)
        if isinstance(tree, exp.DPipe):
            return self._joined(tree)
        if isinstance(tree, exp.Concat | exp.ConcatWs):
            for part in tree.expressions:
                self._printed(part)
            if isinstance(tree, exp.ConcatWs):
                self._needs_text(tree.expressions[0])
            return TEXT
        if isinstance(tree, exp.Neg):
            return self._number(tree.this)
        if isinstance(tree, exp.UnixToTime):
            self._number(tree.this)
            return TIMESTAMPTZ
        if isinstance(tree, exp.TimestampTrunc | exp.Extract):
            return self._part_of_time(tree)
        if isinstance(tree, exp.AtTimeZone):
            return self._at_time_zone(tree)
        if isinstance(tree, exp.JSONExtract | exp.JSONExtractScalar):
            inner = self.type(tree.this)
            if inner.kind is not Kind.JSON:
                raise self._wrong(tree.this, f"{inner} is not JSON", "cast it to json")
            return Type(Kind.JSON) if type(tree) is exp.JSONExtract else TEXT
        raise self._wrong(tree, f"{type(tree).__name__.lower()} has no value of its own here", "")

    # -- parts -------------------------------------------------------------------------------

    def _column(self, tree: exp.Column) -> Type:
        try:
            return self.column_type(tree)
        except ExpressionError as error:
            if error.offset:
                raise
            at = offset_of(tree)
            raise ExpressionError(error.message, error.hint, at, error.code) from None

    def _function(self, tree: exp.Expr, row: Function, given: Sequence[exp.Expr | None]) -> Type:
        first = TEXT
        for at, ((_, family), node) in enumerate(zip(row.arguments, given, strict=True)):
            if node is None:
                continue
            type_ = self._of_family(node, family.rstrip("?!"), row)
            first = type_ if at == 0 else first
        if row.result is not None:
            return row.result
        if isinstance(tree, exp.Round | exp.Floor | exp.Ceil):
            if isinstance(tree, exp.Round) and tree.args.get("decimals") is not None:
                if first.kind is Kind.FLOAT:
                    raise self._wrong(
                        tree, "round(float, digits) does not exist", "cast to decimal"
                    )
                return DECIMAL
            return DECIMAL if first.kind is Kind.DECIMAL else FLOAT
        return Type(first.kind)

    def _of_family(self, node: exp.Expr, family: str, row: Function) -> Type:
        if family == "text":
            return self._needs_text(node)
        if family == "number":
            return self._number(node)
        type_ = self.type(node)
        if family == "whole" and (type_.kind not in _WHOLE and not is_null(node)):
            raise self._wrong(node, f"{row.name} needs an integer, not {type_}", "cast it")
        return type_

    def _arithmetic(self, tree: exp.Expr) -> Type:
        left, right = tree.this, tree.expression
        if isinstance(right, exp.Interval):
            return self._shifted(tree)
        types = [self.type(side) for side in (left, right)]
        for node, mine, other in ((left, 0, 1), (right, 1, 0)):
            if is_text_constant(node):
                literal_value(node, types[other])
                types[mine] = types[other]
        a, b = types
        if a.kind is Kind.DATE and isinstance(tree, exp.Add | exp.Sub):
            if b.kind in _WHOLE:
                return DATE
            if b.kind is Kind.DATE and isinstance(tree, exp.Sub):
                return INTEGER
        for side, type_ in ((left, a), (right, b)):
            if not type_.is_number and not is_null(side):
                raise self._wrong(side, f"no arithmetic with {type_}", "cast it")
        numbers = [t for t, side in ((a, left), (b, right)) if not is_null(side)] or [INTEGER]
        kind = min((t.kind for t in numbers), key=NUMBERS.index)
        if kind is Kind.FLOAT and isinstance(tree, exp.Mod):
            raise self._wrong(tree, "no remainder of float", "cast it to decimal")
        return Type(kind)

    def _shifted(self, tree: exp.Expr) -> Type:
        interval = tree.expression
        if not isinstance(tree, exp.Add | exp.Sub):
            raise self._wrong(interval, "an interval is added or subtracted", "")
        interval_of(interval)
        moment = self.type(tree.this)
        if moment.kind not in DAYS:
            raise self._wrong(tree.this, f"no interval is added to {moment}", "cast it")
        return TIMESTAMP if moment.kind is Kind.DATE else moment

    def _aggregate(self, tree: exp.Expr) -> Type:
        if isinstance(tree, exp.Filter):
            aggregate = tree.this
            if type(aggregate) not in AGGREGATES:
                raise self._wrong(tree, "FILTER follows an aggregate", "")
            self._needs(tree.expression.this, BOOLEAN)
            return self._aggregate(aggregate)
        value: exp.Expr = tree.this
        if isinstance(value, exp.Distinct):
            if len(value.expressions) != 1:
                raise self._wrong(tree, "DISTINCT takes one expression", "")
            value = value.expressions[0]
        if not isinstance(value, exp.Star) and value.find(*AGGREGATES) is not None:
            raise self._wrong(value, "an aggregate inside an aggregate", "")
        if isinstance(tree, exp.Count):
            if not isinstance(value, exp.Star):
                self._may_be_null(value)
            return BIGINT
        if isinstance(tree, exp.GroupConcat):
            if tree.args.get("separator") is None:
                raise self._wrong(tree, "string_agg needs a separator", "string_agg(x, ', ')")
            self._needs_text(tree.args["separator"])
            return self._needs_text(value)
        if isinstance(tree, exp.LogicalOr | exp.LogicalAnd):
            self._needs(value, BOOLEAN)
            return BOOLEAN
        if isinstance(tree, exp.Min | exp.Max):
            type_ = self.type(value)
            if type_.kind in (Kind.BOOLEAN, Kind.JSON):
                raise self._wrong(value, f"{type_} has no order", "bool_or, bool_and")
            return type_
        number = self._number(value)
        if number.kind is Kind.FLOAT:
            return FLOAT
        return BIGINT if isinstance(tree, exp.Sum) and number.kind is Kind.INTEGER else DECIMAL

    def _cast(self, tree: exp.Expr) -> Type:
        target = cast_type(tree)
        if is_text_constant(tree.this):
            if not isinstance(tree, exp.TryCast):
                literal_value(tree.this, target)
            return target
        source = self.type(tree.this)
        if not is_null(tree.this) and not castable(source.kind, target.kind):
            raise self._wrong(tree.this, f"{source} cannot be cast to {target}", "")
        return target

    def _case(self, tree: exp.Expr) -> Type:
        conditions = [part.this for part in tree.args["ifs"]]
        if tree.this is not None:
            self._comparable(tree, [tree.this, *conditions])
        else:
            for condition in conditions:
                self._needs(condition, BOOLEAN)
        results = [part.args["true"] for part in tree.args["ifs"]]
        if tree.args.get("default") is not None:
            results.append(tree.args["default"])
        return self._together(results)

    def _joined(self, tree: exp.Expr) -> Type:
        types = [self._printed(side) for side in (tree.this, tree.expression)]
        if not any(t.is_text for t in types):
            raise self._wrong(tree, f"|| joins text, not {types[0]} and {types[1]}", "cast one")
        return TEXT

    def _part_of_time(self, tree: exp.Expr) -> Type:
        is_trunc = isinstance(tree, exp.TimestampTrunc)
        moment = tree.this if is_trunc else tree.expression
        unit = (tree.args["unit"] if is_trunc else tree.this).name
        type_ = self.type(moment)
        if type_.kind not in DAYS:
            raise self._wrong(moment, f"{type_} has no {unit.lower()}", "cast it")
        if type_.kind is Kind.DATE and unit in EXTRACT_TIMES:
            raise self._wrong(moment, f"a date has no {unit.lower()}", "")
        return type_ if is_trunc else DECIMAL

    def _at_time_zone(self, tree: exp.Expr) -> Type:
        moment = self.type(tree.this)
        if moment.kind not in DAYS:
            raise self._wrong(tree.this, f"{moment} has no time zone", "cast it to timestamp")
        zone = tree.args["zone"]
        self._needs_text(zone)
        if is_text_constant(zone):
            try:
                time_zone(str(inside(zone).this))
            except ValueError:
                raise self._wrong(zone, "unknown time zone", "write Europe/Berlin") from None
        return TIMESTAMP if moment.kind is Kind.TIMESTAMPTZ else TIMESTAMPTZ

    # -- what must hold ----------------------------------------------------------------------

    def _chosen(self, nodes: Sequence[exp.Expr]) -> Type:
        for node in nodes:
            self._may_be_null(node)
        return self._together(nodes)

    def _together(self, nodes: Sequence[exp.Expr]) -> Type:
        return common_type(nodes, [self.type(node) for node in nodes])

    def _comparable(self, tree: exp.Expr, nodes: Sequence[exp.Expr]) -> None:
        type_ = self._together(nodes)
        if type_.kind is Kind.JSON:
            raise self._wrong(nodes[0], "JSON has no equality", "take a part with ->>")
        if type_.kind is Kind.BOOLEAN and not isinstance(
            tree,
            exp.EQ | exp.NEQ | exp.In | exp.NullSafeEQ | exp.NullSafeNEQ | exp.Nullif | exp.Case,
        ):
            raise self._wrong(nodes[0], "booleans have no order", "")

    def _needs(self, node: exp.Expr, wanted: Type) -> None:
        type_ = self.type(node)
        if is_text_constant(node):
            literal_value(node, wanted)
        elif type_.kind is not wanted.kind and not is_null(node):
            hint = "compare it: x = 1" if type_.is_number else ""
            raise self._wrong(node, f"a condition is needed, not {type_}", hint)

    def _printed(self, node: exp.Expr) -> Type:
        type_ = self.type(node)
        if type_.kind is Kind.JSON:
            raise self._wrong(node, "JSON is not text", "take a part with ->>")
        return type_

    def _may_be_null(self, node: exp.Expr) -> None:
        """Refuses to tell NULL from JSON's null, which are two things in PostgreSQL."""
        if type(inside(node)) is exp.JSONExtract:
            raise self._wrong(node, "-> may give JSON's null, which is not NULL", "write ->>")
        self.type(node)

    def _needs_text(self, node: exp.Expr) -> Type:
        type_ = self.type(node)
        if not type_.is_text and not is_null(node):
            raise self._wrong(node, f"text is needed, not {type_}", "cast it to text")
        return TEXT

    def _number(self, node: exp.Expr) -> Type:
        type_ = self.type(node)
        if is_null(node):
            return INTEGER
        if not type_.is_number:
            raise self._wrong(node, f"a number is needed, not {type_}", "cast it")
        return type_

    def _wrong(self, node: exp.Expr, message: str, hint: str) -> ExpressionError:
        return ExpressionError(message, hint, offset_of(node), "RV215")
