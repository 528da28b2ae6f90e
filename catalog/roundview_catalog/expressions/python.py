"""Writes an expression as Python text that computes it with three-valued logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from sqlglot import exp

from roundview_catalog.expressions.arithmetic import divided_by
from roundview_catalog.expressions.functions import AGGREGATES, NODES, OWN, Function
from roundview_catalog.expressions.inference import ARITHMETIC, ColumnType
from roundview_catalog.expressions.logic import TRUTHS, Logic
from roundview_catalog.expressions.meeting import (
    cast_type,
    inside,
    interval_of,
    is_text_constant,
    literal_value,
)
from roundview_catalog.expressions.naming import SIMPLE, Surroundings, Text
from roundview_catalog.expressions.nodes import ExpressionError, offset_of
from roundview_catalog.types import Kind, Type

ColumnText = Callable[[exp.Column], str]
Child = Callable[[str], tuple[str, ColumnText]]

_SIGNS: Mapping[type[exp.Expr], str] = MappingProxyType({exp.Add: "+", exp.Sub: "-", exp.Mul: "*"})
_RANGES: Mapping[Kind, str] = MappingProxyType(
    {Kind.INTEGER: "fits_integer", Kind.BIGINT: "fits_bigint", Kind.FLOAT: "fits_float"}
)
_EXACT: Mapping[type[exp.Expr], str] = MappingProxyType(
    {
        exp.Add: "exact_add",
        exp.Sub: "exact_subtract",
        exp.Mul: "exact_multiply",
        exp.Div: "exact_divide",
        exp.Mod: "exact_modulo",
    }
)


def python(
    tree: exp.Expr,
    column: ColumnText,
    column_type: ColumnType,
    child: Child | None = None,
    around: Surroundings | None = None,
) -> str:
    """Returns Python text that computes an expression over values, with names of RUNTIME.

    `column` writes a column; `child` gives for the alias of a child the text of its list of
    rows and the writer of its columns, in which each row is named `row`. `around` keeps
    constants and aggregates that several expressions share. The text assigns names that begin
    with an underscore and raises ValueError where PostgreSQL would fail.
    """
    return _Writer(column, column_type, child, [0], around).value(tree).code


def condition(
    tree: exp.Expr, column: ColumnText, column_type: ColumnType, child: Child | None = None
) -> str:
    """Returns Python text that is true exactly where a condition is TRUE, cheaper than `python`."""
    return _Writer(column, column_type, child, [0]).truth(tree)


class _Writer(Logic):
    def __init__(
        self,
        column: ColumnText,
        column_type: ColumnType,
        child: Child | None,
        counter: list[int],
        around: Surroundings | None = None,
    ) -> None:
        super().__init__(column_type, counter, around)
        self.column = column
        self.child = child

    def value(self, tree: exp.Expr) -> Text:
        if isinstance(tree, exp.Paren):
            return self.value(tree.this)
        if isinstance(tree, exp.Column):
            code = self.column(tree)
            return Text(code, True, SIMPLE.fullmatch(code) is not None)
        if isinstance(tree, exp.Literal):
            return self.constant(self.literal(tree))
        if isinstance(tree, exp.Boolean):
            return self.constant(bool(tree.this))
        if isinstance(tree, exp.Null):
            return Text("None", True, True)
        if isinstance(tree, TRUTHS):
            return self.truth_value(tree)
        if isinstance(tree, exp.NullSafeEQ | exp.NullSafeNEQ):
            a, b = self.meeting(tree.this, tree.expression)
            sign = "==" if isinstance(tree, exp.NullSafeEQ) else "!="
            return Text(f"({a.code} {sign} {b.code})", False)
        row = NODES.get(type(tree))
        if row is not None:
            return self._function(tree, row)
        if isinstance(tree, exp.Anonymous) and str(tree.this) in OWN:
            return self._own(tree, OWN[str(tree.this)])
        if isinstance(tree, ARITHMETIC):
            return self._arithmetic(tree)
        if isinstance(tree, exp.Cast):
            return self._cast(tree)
        if isinstance(tree, (exp.Filter, *AGGREGATES)):
            return self._aggregate(tree)
        return self._other(tree)

    def _other(self, tree: exp.Expr) -> Text:
        if isinstance(tree, exp.Case):
            return self._case(tree)
        if isinstance(tree, exp.Coalesce | exp.Greatest | exp.Least):
            return self._chosen(tree)
        if isinstance(tree, exp.Nullif):
            a, b = self.meeting(tree.this, tree.expression)
            named, first = self.named(a)
            return Text(f"(None if {first} == {b.code} else {named.code})")
        if isinstance(tree, exp.DPipe):
            parts = [self.as_text(side) for side in (tree.this, tree.expression)]
            return self.strict(parts, lambda a, b: f"{a} + {b}")
        if isinstance(tree, exp.ConcatWs):
            first, *rest = tree.expressions
            return self.strict([self.value(first)], lambda s: f"concat_ws({s}, {self._list(rest)})")
        if isinstance(tree, exp.Concat):
            return Text(f"concat({self._list(tree.expressions)})", False)
        if isinstance(tree, exp.Neg):
            if isinstance(tree.this, exp.Literal) and not tree.this.is_string:
                return self.constant(-self.literal(tree.this))
            write = _fitting(self.type(tree), lambda a: f"negative({a})")
            return self.strict([self.value(tree.this)], write)
        if isinstance(tree, exp.UnixToTime):
            return self.strict([self.value(tree.this)], lambda a: f"from_epoch({a})")
        if isinstance(tree, exp.TimestampTrunc):
            unit = tree.args["unit"].name
            return self.strict([self.value(tree.this)], lambda a: f"date_trunc({unit!r}, {a})")
        if isinstance(tree, exp.Extract):
            return self.strict(
                [self.value(tree.expression)], lambda a: f"extract({tree.this.name!r}, {a})"
            )
        if isinstance(tree, exp.AtTimeZone):
            is_instant = self.type(tree.this).kind is Kind.TIMESTAMPTZ
            name = "instant_to_local" if is_instant else "local_to_instant"
            parts = [self.value(tree.this), self.value(tree.args["zone"])]
            return self.strict(parts, lambda a, b: f"{name}({a}, {b})")
        if isinstance(tree, exp.JSONExtract | exp.JSONExtractScalar):
            return self._json(tree)
        raise ExpressionError(
            f"{type(tree).__name__.lower()} cannot be computed here", "", offset_of(tree), "RV209"
        )

    def _function(self, tree: exp.Expr, row: Function) -> Text:
        given = [tree.args[key] for key, _ in row.arguments if tree.args.get(key) is not None]
        name = row.python
        if isinstance(tree, exp.Trim):
            position = str(tree.args.get("position") or "")
            name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(position, "trim")
        elif isinstance(tree, exp.Pad) and not tree.args.get("is_left"):
            name = "rpad"
        parts = [self.value(node) for node in given]
        if isinstance(tree, exp.Round | exp.Floor | exp.Ceil) and len(parts) == 1:
            type_ = self.type(tree)
            parts[0] = self.in_type(tree.this, type_)

        def write(*values: str) -> str:
            return f"{name}({', '.join(values)})"

        is_abs = isinstance(tree, exp.Abs)
        return self.strict(parts, _fitting(self.type(tree), write) if is_abs else write)

    def _own(self, tree: exp.Expr, row: Function) -> Text:
        parts = [self.value(node) for node in tree.expressions]
        may_be_null = [family.endswith("!") for _, family in row.arguments]
        strict = [part for part, free in zip(parts, may_be_null, strict=False) if not free]
        free = [part.code for part, is_free in zip(parts, may_be_null, strict=False) if is_free]
        text = self.strict(strict, lambda *a: f"{row.python}({', '.join([*a, *free])})")
        return Text(text.code)

    def _arithmetic(self, tree: exp.Expr) -> Text:
        left, right = tree.this, tree.expression
        if isinstance(right, exp.Interval):
            sign = -1 if isinstance(tree, exp.Sub) else 1
            amounts = ", ".join(str(sign * part) for part in interval_of(right))
            return self.strict([self.value(left)], lambda a: f"shift({a}, {amounts})")
        type_ = self.type(tree)
        if Kind.DATE in (type_.kind, self.type(left).kind):
            return self._date_arithmetic(tree)
        parts = [self.in_type(side, type_) for side in (left, right)]
        if type_.kind is Kind.DECIMAL:
            divisor = inside(right)
            if self.around and isinstance(tree, exp.Div) and isinstance(divisor, exp.Literal):
                divide = divided_by(Decimal(str(divisor.this)))
                name = self.around.bind(divide, f"divided_by({divisor.this})")
                return self.strict(parts[:1], lambda a: f"{name}({a})")
            return self.strict(parts, lambda a, b: f"{_EXACT[type(tree)]}({a}, {b})")
        if type(tree) in _SIGNS:
            sign_text = _SIGNS[type(tree)]
            return self.strict(parts, _fitting(type_, lambda a, b: f"{a} {sign_text} {b}"))
        name = "whole_modulo" if isinstance(tree, exp.Mod) else "whole_divide"
        name = "float_divide" if type_.kind is Kind.FLOAT else name
        return self.strict(parts, _fitting(type_, lambda a, b: f"{name}({a}, {b})"))

    def _date_arithmetic(self, tree: exp.Expr) -> Text:
        right = tree.expression
        if is_text_constant(right) or self.type(right).kind is Kind.DATE:
            parts = [self.in_type(side, Type(Kind.DATE)) for side in (tree.this, right)]
            return self.strict(parts, lambda a, b: f"days_between({a}, {b})")
        sign = "-" if isinstance(tree, exp.Sub) else ""
        parts = [self.value(tree.this), self.value(right)]
        return self.strict(parts, lambda a, b: f"add_days({a}, {sign}{b})")

    def _cast(self, tree: exp.Expr) -> Text:
        target = cast_type(tree)
        is_try = isinstance(tree, exp.TryCast)
        if is_text_constant(tree.this) and not is_try:
            value = literal_value(tree.this, target)
            is_whole = not isinstance(value, Decimal | str) or target.precision is None
            if is_whole and target.kind is not Kind.JSON:
                return self.constant(value)
        source = self.type(tree.this)
        inner = self.value(tree.this)
        if source.kind is target.kind and target.precision is None:
            return inner
        if target.kind is Kind.TEXT:
            if target.precision is not None:
                return self.strict([inner], lambda a: f"cut({a}, {target.precision})")
            return self.as_text(tree.this)
        name = f"to_{target.kind.value}"
        sizes = "" if target.precision is None else f", {target.precision}, {target.scale or 0}"
        if is_try:
            return Text(self.strict([inner], lambda a: f"attempt({name}, {a}{sizes})").code)
        return self.strict([inner], lambda a: f"{name}({a}{sizes})")

    def _json(self, tree: exp.Expr) -> Text:
        steps = [
            int(part.this) if isinstance(part, exp.JSONPathSubscript) else str(part.this)
            for part in tree.expression.expressions
            if not isinstance(part, exp.JSONPathRoot)
        ]
        text = self.value(tree.this)
        for at, step in enumerate(steps):
            is_last = at == len(steps) - 1
            is_scalar = is_last and isinstance(tree, exp.JSONExtractScalar)
            text = Text(f"{'json_text' if is_scalar else 'json_get'}({text.code}, {step!r})")
        return text

    def _case(self, tree: exp.Expr) -> Text:
        branches = tree.args["ifs"]
        default = tree.args.get("default")
        results = [branch.args["true"] for branch in branches]
        type_ = self.common([*results, *([default] if default is not None else [])])
        conditions = [self.truth(branch.this) for branch in branches] if tree.this is None else []
        if tree.this is not None:
            conditions = self._matches(tree)
        texts = [self.in_type(result, type_) for result in results]
        last = Text("None") if default is None else self.in_type(default, type_)
        code = "".join(
            f"{text.code} if {condition} else "
            for text, condition in zip(texts, conditions, strict=True)
        )
        return Text(f"({code}{last.code})", any(t.is_nullable for t in (*texts, last)))

    def _matches(self, tree: exp.Expr) -> list[str]:
        """Writes the conditions of CASE x WHEN y: x is computed once."""
        options = [branch.this for branch in tree.args["ifs"]]
        type_ = self.common([tree.this, *options])
        subject, first = self.named(self.in_type(tree.this, type_))
        result: list[str] = []
        for option in options:
            text = self.in_type(option, type_)
            subject_text = first if not result else subject.code
            test = f"{subject_text} == {text.code}"
            # Two NULLs are not equal; the assignment must still happen first.
            may_be_null = text.is_nullable and subject.is_nullable
            result.append(f"({test} and {subject.code} is not None)" if may_be_null else test)
        return result

    def _chosen(self, tree: exp.Expr) -> Text:
        nodes = [tree.this, *tree.expressions]
        type_ = self.common(nodes)
        parts = [self.in_type(node, type_) for node in nodes]
        is_nullable = all(part.is_nullable for part in parts)
        if not isinstance(tree, exp.Coalesce):
            name = "greatest" if isinstance(tree, exp.Greatest) else "least"
            return Text(f"{name}({', '.join(part.code for part in parts)})", is_nullable)
        code = ""
        for part in parts[:-1]:
            if not part.is_nullable:
                return Text(f"({code}{part.code})", False)
            named, first = self.named(part)
            code += f"{named.code} if {first} is not None else "
        return Text(f"({code}{parts[-1].code})", is_nullable)

    def _aggregate(self, tree: exp.Expr) -> Text:
        aliases = {column.table for column in tree.find_all(exp.Column)}
        condition = None
        if isinstance(tree, exp.Filter):
            condition = tree.expression.this
            tree = tree.this
        if self.child is None or not aliases:
            raise ExpressionError(
                "an aggregate names columns of exactly one child", "", offset_of(tree), "RV216"
            )
        sources = [self.child(alias) for alias in sorted(aliases)]
        if len({rows for rows, _ in sources}) != 1:
            raise ExpressionError(
                "an aggregate names columns of exactly one child", "", offset_of(tree), "RV216"
            )
        rows, column = sources[0]
        # What is computed apart has names of its own.
        counter = self.counter if self.around is None else [0]
        inner = _Writer(column, self.column_type, None, counter, self.around)
        value = tree.this
        is_distinct = isinstance(value, exp.Distinct)
        value = value.expressions[0] if is_distinct else value
        text = "1" if isinstance(value, exp.Star) else inner.value(value).code
        items = f"{text} for row in {rows} or ()"
        if condition is not None:
            items += f" if {inner.truth(condition)}"
        values = f"distinct([{items}])" if is_distinct else f"[{items}]"
        if isinstance(tree, exp.Count) and isinstance(value, exp.Star):
            code = f"len({values})"
        elif isinstance(tree, exp.GroupConcat):
            separator = self.value(tree.args["separator"]).code
            code = f"aggregate_text({values}, {separator})"
        else:
            code = f"{AGGREGATES[type(tree)][1]}({values})"
        shared = code if self.around is None else self.around.once(code)
        return Text(shared, not isinstance(tree, exp.Count))

    def _list(self, nodes: Sequence[exp.Expr]) -> str:
        return ", ".join(self.value(node).code for node in nodes)


def _fitting(type_: Type, write: Callable[..., str]) -> Callable[..., str]:
    """Wraps a computation that may leave the range of its type."""
    if type_.kind not in _RANGES:
        return write
    return lambda *parts: f"{_RANGES[type_.kind]}({write(*parts)})"
