"""Types an expression, writes it as Python, and says where a source computes the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sqlglot import exp

from roundview_catalog.expressions.gate import AGGREGATES, ExpressionError
from roundview_catalog.types import Kind, Type

ColumnType = Callable[[exp.Column], Type]
ColumnText = Callable[[exp.Column], str]
Child = Callable[[str], tuple[str, ColumnText]]

_TEXT, _BOOLEAN, _INTEGER = Type(Kind.TEXT), Type(Kind.BOOLEAN), Type(Kind.INTEGER)
_DECIMAL, _TIME, _INSTANT = Type(Kind.DECIMAL), Type(Kind.TIMESTAMP), Type(Kind.TIMESTAMPTZ)

_COMPARISONS: Mapping[type[exp.Expr], str] = MappingProxyType(
    {exp.EQ: "eq", exp.NEQ: "ne", exp.LT: "lt", exp.LTE: "le", exp.GT: "gt", exp.GTE: "ge"}
)
_ARITHMETIC: Mapping[type[exp.Expr], str] = MappingProxyType(
    {exp.Add: "add", exp.Sub: "sub", exp.Mul: "mul", exp.Div: "div", exp.Mod: "mod"}
)
# class -> (Python name, its arguments in order, result; None: the first argument's type)
_CALLS: Mapping[type[exp.Expr], tuple[str, tuple[str, ...], Type | None]] = MappingProxyType(
    {
        exp.Lower: ("lower", ("this",), _TEXT), exp.Upper: ("upper", ("this",), _TEXT),
        exp.Left: ("left", ("this", "expression"), _TEXT),
        exp.Right: ("right", ("this", "expression"), _TEXT),
        exp.Substring: ("substring", ("this", "start", "length"), _TEXT),
        exp.Length: ("length", ("this",), _INTEGER),
        exp.Replace: ("replace", ("this", "expression", "replacement"), _TEXT),
        exp.SplitPart: ("split_part", ("this", "delimiter", "part_index"), _TEXT),
        exp.StrPosition: ("strpos", ("this", "substr"), _INTEGER),
        exp.Pad: ("lpad", ("this", "expression", "fill_pattern"), _TEXT),
        exp.Abs: ("absolute", ("this",), None), exp.Neg: ("neg", ("this",), None),
        exp.Round: ("rounded", ("this", "decimals"), None),
        exp.Floor: ("floor", ("this",), None), exp.Ceil: ("ceil", ("this",), None),
        exp.Nullif: ("nullif", ("this", "expression"), None),
        exp.DPipe: ("join", ("this", "expression"), _TEXT),
    }
)  # fmt: skip
_VARIADIC: Mapping[type[exp.Expr], tuple[str, Type | None]] = MappingProxyType(
    {
        exp.Coalesce: ("coalesce", None), exp.Greatest: ("greatest", None),
        exp.Least: ("least", None), exp.Concat: ("concat", _TEXT),
        exp.ConcatWs: ("concat_ws", _TEXT),
    }
)  # fmt: skip
_AGGREGATES: Mapping[type[exp.Expr], tuple[str, Type | None]] = MappingProxyType(
    {
        exp.Sum: ("aggregate_sum", None), exp.Min: ("aggregate_min", None),
        exp.Max: ("aggregate_max", None), exp.Avg: ("aggregate_avg", _DECIMAL),
        exp.Count: ("aggregate_count", Type(Kind.BIGINT)),
        exp.LogicalOr: ("aggregate_or", _BOOLEAN), exp.LogicalAnd: ("aggregate_and", _BOOLEAN),
    }
)  # fmt: skip
_SQL_TYPES: Mapping[str, Kind] = MappingProxyType(
    {
        "INT": Kind.INTEGER, "SMALLINT": Kind.INTEGER, "BIGINT": Kind.BIGINT, "TEXT": Kind.TEXT,
        "VARCHAR": Kind.TEXT, "DECIMAL": Kind.DECIMAL, "BOOLEAN": Kind.BOOLEAN, "DATE": Kind.DATE,
        "TIMESTAMP": Kind.TIMESTAMP, "TIMESTAMPTZ": Kind.TIMESTAMPTZ, "UUID": Kind.UUID,
    }
)  # fmt: skip
# What SQLite and DuckDB compute exactly as PostgreSQL does, for text and integers.
_EXACT: tuple[type[exp.Expr], ...] = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.And, exp.Or,
    exp.Not, exp.EQ, exp.NEQ, exp.Is, exp.In, exp.Case, exp.If, exp.Coalesce, exp.Nullif,
    exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between,
)  # fmt: skip
_EXACT_KINDS = frozenset({Kind.INTEGER, Kind.BIGINT, Kind.TEXT, Kind.UUID, Kind.ENUM})


def infer(tree: exp.Expr, column_type: ColumnType) -> Type:  # noqa: C901 - a table
    """Returns the type of an expression; raises ExpressionError where operands do not fit."""
    if isinstance(tree, exp.Column):
        return column_type(tree)
    if isinstance(tree, exp.Paren | exp.Filter | exp.Distinct):
        inner = tree.this if tree.this is not None else tree.expressions[0]
        return infer(inner, column_type)
    if isinstance(tree, exp.Literal):
        if tree.is_string:
            return _TEXT
        return _INTEGER if str(tree.this).isdigit() else _DECIMAL
    if isinstance(tree, exp.Cast | exp.TryCast):
        infer(tree.this, column_type)
        return cast_type(tree)
    if isinstance(tree, exp.Case):
        results = [part.args["true"] for part in tree.args["ifs"]]
        if tree.args.get("default") is not None:
            results.append(tree.args["default"])
        return _common([infer(result, column_type) for result in results if not _is_null(result)])
    if type(tree) in _ARITHMETIC:
        return _arithmetic(tree, column_type)
    for table in (_CALLS, _AGGREGATES):
        row = table.get(type(tree))
        if row is not None:
            inner = None if isinstance(tree.this, exp.Star) else infer(tree.this, column_type)
            return row[-1] or inner or _INTEGER
    if type(tree) in _VARIADIC:
        result = _VARIADIC[type(tree)][1]
        return result or _common([infer(p, column_type) for p in _parts(tree) if not _is_null(p)])
    if isinstance(tree, exp.AtTimeZone):
        return _TIME if infer(tree.this, column_type).kind is Kind.TIMESTAMPTZ else _INSTANT
    if isinstance(tree, exp.TimestampTrunc):
        return infer(tree.this, column_type)
    if isinstance(tree, exp.Extract):
        return _DECIMAL
    if isinstance(tree, exp.JSONExtract):
        return Type(Kind.JSON)
    if isinstance(tree, exp.Trim | exp.JSONExtractScalar | exp.GroupConcat | exp.Null):
        return _TEXT
    if isinstance(tree, exp.Anonymous):
        for argument in tree.expressions:
            infer(argument, column_type)
        return _BOOLEAN if str(tree.this).lower() == "is_mobile" else _TEXT
    for part in tree.find_all(exp.Column):
        column_type(part)
    return _BOOLEAN


def cast_type(tree: exp.Expr) -> Type:
    """Returns the type that a CAST names."""
    kind = _SQL_TYPES.get(str(tree.args["to"].this.value))
    if kind is None:
        raise ExpressionError(f"cannot cast to {tree.args['to'].sql()}", code="RV215")
    sizes = [int(part.name) for part in tree.args["to"].expressions]
    if kind is Kind.DECIMAL and sizes:
        return Type(kind, sizes[0], sizes[1] if len(sizes) > 1 else 0)
    return Type(kind)


def python(
    tree: exp.Expr, column: ColumnText, column_type: ColumnType, child: Child | None = None
) -> str:
    """Returns Python text that computes an expression over values, with names of RUNTIME.

    `column` writes a column; `child` gives for the alias of a child the text of its list of
    rows and the writer of its columns, in which each row is named `row`.
    """
    return _Writer(column, column_type, child).text(tree)


def pushable(tree: exp.Expr, dialect: str, column_type: ColumnType) -> bool:
    """Tells whether a source computes the expression exactly as PostgreSQL would.

    For SQLite and DuckDB that is text and integer comparison, CASE, COALESCE, NULLIF and IN;
    everything else is computed on arrival.
    """
    if dialect not in ("sqlite", "duckdb"):
        return False
    for node in tree.walk():
        if not isinstance(node, _EXACT):
            return False
        if isinstance(node, exp.Column) and column_type(node).kind not in _EXACT_KINDS:
            return isinstance(node.parent, exp.Is) and node.parent is tree
    return True


def render(tree: exp.Expr, dialect: str, column_type: ColumnType) -> exp.Expr:
    """Returns the expression as the dialect takes it; it must be pushable."""
    return tree.copy()


class _Writer:
    def __init__(self, column: ColumnText, column_type: ColumnType, child: Child | None) -> None:
        self.column = column
        self.column_type = column_type
        self.child = child

    def text(self, tree: exp.Expr) -> str:
        kind = type(tree)
        if kind is exp.Column:
            return self.column(tree)  # type: ignore[arg-type]
        if kind is exp.Paren:
            return f"({self.text(tree.this)})"
        if isinstance(tree, exp.Literal):
            return self.literal(tree)
        if kind is exp.Boolean:
            return repr(bool(tree.this))
        if kind is exp.Null:
            return "None"
        if kind in _COMPARISONS:
            return f"{_COMPARISONS[kind]}({self.pair(tree)})"
        if kind in _ARITHMETIC:
            return f"{_ARITHMETIC[kind]}({self.pair(tree)})"
        if kind in (exp.And, exp.Or):
            name = "and3" if kind is exp.And else "or3"
            return f"{name}({self.text(tree.this)}, {self.text(tree.expression)})"
        if kind is exp.Not:
            return f"not3({self.text(tree.this)})"
        if kind in _CALLS:
            name, arguments, _ = _CALLS[kind]
            given = [tree.args[a] for a in arguments if tree.args.get(a) is not None]
            return f"{name}({', '.join(self.text(g) for g in given)})"
        if kind in _VARIADIC:
            return f"{_VARIADIC[kind][0]}({', '.join(self.text(p) for p in _parts(tree))})"
        if isinstance(tree, (exp.Filter, *AGGREGATES)):
            return self.aggregate(tree)
        return self.special(tree)

    def special(self, tree: exp.Expr) -> str:
        if isinstance(tree, exp.Is):
            negated = bool(tree.args.get("negate"))
            if isinstance(tree.expression, exp.Null):
                return f"({self.text(tree.this)} is {'not ' if negated else ''}None)"
            truth = bool(tree.expression.this)
            return f"({self.text(tree.this)} is {'not ' if negated else ''}{truth})"
        if isinstance(tree, exp.In):
            options = ", ".join(self.text(option) for option in tree.expressions)
            return f"in3({self.text(tree.this)}, ({options},))"
        if isinstance(tree, exp.Between):
            value = self.text(tree.this)
            low, high = self.text(tree.args["low"]), self.text(tree.args["high"])
            return f"and3(ge({value}, {low}), le({value}, {high}))"
        if isinstance(tree, exp.Like | exp.ILike):
            return f"like({self.pair(tree)}, {isinstance(tree, exp.ILike)})"
        if isinstance(tree, exp.Case):
            return self.case(tree)
        if isinstance(tree, exp.Trim):
            name = {"LEADING": "lstrip", "TRAILING": "rstrip"}.get(
                str(tree.args.get("position")), "strip"
            )
            given = [tree.this, *([tree.expression] if tree.args.get("expression") else [])]
            return f"{name}({', '.join(self.text(g) for g in given)})"
        if isinstance(tree, exp.TryCast):
            return f"try_cast_to({self.text(tree.this)}, {str(cast_type(tree))!r})"
        if isinstance(tree, exp.Cast):
            return f"cast_to({self.text(tree.this)}, {str(cast_type(tree))!r})"
        if isinstance(tree, exp.TimestampTrunc):
            return f"date_trunc({tree.args['unit'].name.upper()!r}, {self.text(tree.this)})"
        if isinstance(tree, exp.Extract):
            return f"extract({tree.this.name.upper()!r}, {self.text(tree.expression)})"
        if isinstance(tree, exp.JSONExtract | exp.JSONExtractScalar):
            name = "json_text" if isinstance(tree, exp.JSONExtractScalar) else "json_get"
            path = [
                part.this
                for part in tree.expression.expressions
                if part.args.get("this") is not None
            ]
            return f"{name}({self.text(tree.this)}, {', '.join(repr(p) for p in path)})"
        if isinstance(tree, exp.Anonymous):
            arguments = ", ".join(self.text(a) for a in tree.expressions)
            return f"{str(tree.this).lower()}({arguments})"
        raise ExpressionError(f"{type(tree).__name__} is not supported yet", code="RV209")

    def case(self, tree: exp.Case) -> str:
        default = tree.args.get("default")
        text = "None" if default is None else self.text(default)
        for branch in reversed(tree.args["ifs"]):
            condition = self.text(branch.this)
            if tree.this is not None:
                condition = f"eq({self.text(tree.this)}, {condition})"
            text = f"({self.text(branch.args['true'])} if {condition} is True else {text})"
        return text

    def aggregate(self, tree: exp.Expr) -> str:
        condition = None
        if isinstance(tree, exp.Filter):
            condition = tree.expression.this
            tree = tree.this
        aliases = {c.table for c in tree.find_all(exp.Column)}
        aliases |= (
            {c.table for c in condition.find_all(exp.Column)} if condition is not None else set()
        )
        if self.child is None or len(aliases) != 1:
            raise ExpressionError("an aggregate names columns of exactly one child", code="RV216")
        rows, column = self.child(next(iter(aliases)))
        inner = _Writer(column, self.column_type, None)
        value = tree.this
        is_distinct = isinstance(value, exp.Distinct)
        if is_distinct:
            value = value.expressions[0]
        text = "1" if isinstance(value, exp.Star) else inner.text(value)
        items = f"{text} for row in {rows} or ()"
        if condition is not None:
            items += f" if ({inner.text(condition)}) is True"
        values = f"distinct([{items}])" if is_distinct else f"[{items}]"
        if isinstance(tree, exp.GroupConcat):
            separator = tree.args.get("separator")
            return f"aggregate_text({self.text(separator) if separator else repr(',')}, {values})"
        return f"{_AGGREGATES[type(tree)][0]}({values})"

    def pair(self, tree: exp.Expr) -> str:
        return f"{self.text(tree.this)}, {self.text(tree.expression)}"

    def literal(self, tree: exp.Literal) -> str:
        if tree.is_string:
            return repr(str(tree.this))
        return str(tree.this) if str(tree.this).isdigit() else f"Decimal({str(tree.this)!r})"


def _parts(tree: exp.Expr) -> list[Any]:
    first = [tree.this] if tree.args.get("this") is not None else []
    return [*first, *tree.expressions]


def _is_null(tree: exp.Expr) -> bool:
    return isinstance(tree, exp.Null)


def _arithmetic(tree: exp.Expr, column_type: ColumnType) -> Type:
    left, right = infer(tree.this, column_type), infer(tree.expression, column_type)
    for one in (left, right):
        if not one.is_number:
            raise ExpressionError(f"no arithmetic with {one}", "cast it", code="RV215")
    if Kind.FLOAT in (left.kind, right.kind):
        return Type(Kind.FLOAT)
    if Kind.DECIMAL in (left.kind, right.kind):
        return _DECIMAL
    return Type(Kind.BIGINT) if Kind.BIGINT in (left.kind, right.kind) else _INTEGER


def _common(types: list[Type]) -> Type:
    if not types:
        return _TEXT
    first = types[0]
    if all(one.is_number for one in types):
        order = (Kind.FLOAT, Kind.DECIMAL, Kind.BIGINT, Kind.INTEGER)
        return min(types, key=lambda one: order.index(one.kind))
    for one in types[1:]:
        if one.is_text != first.is_text or one.is_number != first.is_number:
            raise ExpressionError(f"{first} and {one} do not go together", code="RV215")
    return first if all(one == first for one in types) else _widest(first)


def _widest(first: Type) -> Type:
    return _TEXT if first.is_text else first
