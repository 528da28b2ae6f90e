"""Decides what operators mean: comparisons, logic, arithmetic, patterns, arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError, unsupported
from roundview_sql.metadata.binding.casts import VECTORS, Casts
from roundview_sql.metadata.binding.typed import Scope, Typed, call, text

if TYPE_CHECKING:
    from roundview_sql.metadata.binding.expressions import Expressions

_COMPARED: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ,
                    exp.NullSafeNEQ)  # fmt: skip
_PATTERNS: Final = (exp.Like, exp.ILike)
_ARITHMETIC: Final = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.BitwiseAnd, exp.BitwiseOr,
                      exp.BitwiseLeftShift, exp.BitwiseRightShift, exp.BitwiseXor)  # fmt: skip
_RANKS: Final[Mapping[int, int]] = {
    codes.INT2: 0, codes.INT4: 1, codes.INT8: 2, codes.NUMERIC: 3, codes.FLOAT4: 4,
    codes.FLOAT8: 5,
}  # fmt: skip
_WHOLE: Final = (codes.INT2, codes.INT4, codes.INT8)
_SIGNS: Final[Mapping[str, type[exp.Expr]]] = {
    "=": exp.EQ, "<>": exp.NEQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT,
    ">=": exp.GTE, "~": exp.RegexpLike, "~*": exp.RegexpILike, "~~": exp.Like, "~~*": exp.ILike,
    "||": exp.DPipe, "+": exp.Add, "-": exp.Sub, "*": exp.Mul, "/": exp.Div, "@>":
    exp.ArrayContainsAll, "&&": exp.ArrayOverlaps,
}  # fmt: skip
_NEGATED: Final[Mapping[str, type[exp.Expr]]] = {
    "!~": exp.RegexpLike, "!~*": exp.RegexpILike, "!~~": exp.Like, "!~~*": exp.ILike,
}  # fmt: skip


class Operators:
    """Binds operators."""

    def __init__(self, expressions: Expressions, casts: Casts) -> None:
        self._bind = expressions.bind
        self._expressions = expressions
        self._casts = casts

    def bind(self, node: exp.Expr, scope: Scope) -> Typed | None:
        """Returns what an operator gives, None for what is none."""
        if isinstance(node, exp.Escape) and isinstance(node.this, _PATTERNS):
            escape = self._bind(node.expression, scope).node
            node = node.this
            found: Typed | None = self._like(node, scope, escape)
        else:
            found = self._bound(node, scope)
        if found is not None and node.args.get("negate"):
            return Typed(_paren(exp.Not(this=_paren(found.node))), codes.BOOL)
        return found

    def _bound(self, node: exp.Expr, scope: Scope) -> Typed | None:
        if isinstance(node, exp.And | exp.Or | exp.Not):
            return self._logic(node, scope)
        if isinstance(node, exp.Is):
            return self._is(node, scope)
        if isinstance(node, _COMPARED):
            return self._compared(node, scope)
        if isinstance(node, exp.In):
            return self._in(node, scope)
        if isinstance(node, exp.Between):
            return self._between(node, scope)
        if isinstance(node, _PATTERNS):
            return self._like(node, scope)
        if isinstance(node, exp.RegexpLike | exp.RegexpILike):
            return self._regular(node, scope)
        if isinstance(node, exp.Operator):
            return self._named(node, scope)
        if isinstance(node, exp.DPipe):
            return self._joined(node, scope)
        if isinstance(node, _ARITHMETIC):
            return self._computed(node, scope)
        if isinstance(node, exp.Neg | exp.BitwiseNot):
            inner = self._bind(node.this, scope)
            return Typed(type(node)(this=inner.node), inner.oid, is_constant=inner.is_constant)
        if isinstance(node, exp.ArrayContainsAll | exp.ArrayOverlaps | exp.ArrayContainedBy):
            return self._lists(node, scope)
        if isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
            raise unsupported("JSON in a question about the catalog")
        return None

    def alike(self, left: Typed, right: Typed) -> tuple[Typed, Typed]:
        """Returns two values as the type in which they are compared."""
        if left.is_unknown and right.is_unknown:
            return self._casts.cast(left, codes.TEXT), self._casts.cast(right, codes.TEXT)
        return self._casts.meet(left, right.oid), self._casts.meet(right, left.oid)

    def _logic(self, node: exp.Expr, scope: Scope) -> Typed:
        left = _paren(self._expressions.truth(node.this, scope))
        if isinstance(node, exp.Not):
            return Typed(_paren(exp.Not(this=left)), codes.BOOL)
        right = _paren(self._expressions.truth(node.expression, scope))
        return Typed(_paren(type(node)(this=left, expression=right)), codes.BOOL)

    def _is(self, node: exp.Expr, scope: Scope) -> Typed:
        value = self._bind(node.this, scope)
        made = value.node
        if isinstance(node.expression, exp.Boolean):
            made = self._casts.meet(value, codes.BOOL).node
        elif value.is_unknown:
            made = self._casts.cast(value, codes.TEXT).node
        return Typed(
            _paren(exp.Is(this=_paren(made), expression=node.expression.copy())), codes.BOOL
        )

    def _compared(self, node: exp.Expr, scope: Scope) -> Typed:
        right = node.expression
        if isinstance(right, exp.Anonymous) and str(right.this).lower() == "all":
            right = exp.All(this=right.expressions[0])
        if isinstance(right, exp.Any | exp.All):
            return self._any(node, right, scope)
        left_value, right_value = self.alike(self._bind(node.this, scope), self._bind(right, scope))
        made = type(node)(this=_paren(left_value.node), expression=_paren(right_value.node))
        return Typed(_paren(made), codes.BOOL)

    def _any(self, node: exp.Expr, right: exp.Expr, scope: Scope) -> Typed:
        inner = right.this.unnest() if isinstance(right.this, exp.Paren) else right.this
        left = self._bind(node.this, scope)
        if isinstance(inner, exp.Subquery | exp.Query):
            value = self._bind(inner, scope)
            left = self._casts.meet(left, value.oid)
            query = (
                value.node
                if isinstance(value.node, exp.Subquery)
                else exp.Subquery(this=value.node)
            )
            made = type(node)(this=left.node, expression=type(right)(this=query))
            return Typed(_paren(made), codes.BOOL)
        value = self._bind(inner, scope)
        if value.is_unknown:
            base = codes.TEXT if left.is_unknown else left.oid
            value = self._casts.cast(value, self._casts.array(base))
        left = self._casts.meet(left, self._casts.element(value.oid))
        contains = call("list_contains", value.node, left.node)
        is_any = isinstance(right, exp.Any)
        if isinstance(node, exp.EQ) and is_any:
            return Typed(contains, codes.BOOL)
        if isinstance(node, exp.NEQ) and not is_any:
            return Typed(exp.Not(this=contains), codes.BOOL)
        one = exp.to_identifier("rv_one")
        condition = type(node)(this=left.node, expression=exp.Column(this=one))
        applied = call("list_transform", value.node, exp.Lambda(this=condition, expressions=[one]))
        return Typed(call("list_bool_or" if is_any else "list_bool_and", applied), codes.BOOL)

    def _in(self, node: exp.Expr, scope: Scope) -> Typed:
        left = self._bind(node.this, scope)
        query = node.args.get("query")
        if query is not None:
            inner = query.this if isinstance(query, exp.Subquery) else query
            made, outputs = self._expressions.query(inner, scope)
            left = self._casts.meet(left, outputs[0].oid)
            return Typed(_paren(exp.In(this=left.node, query=exp.Subquery(this=made))), codes.BOOL)
        values = [self._bind(one, scope) for one in node.expressions]
        if left.is_unknown:
            left = self._casts.cast(left, self._casts.common(values))
        nodes = [self._casts.meet(one, left.oid).node for one in values]
        return Typed(_paren(exp.In(this=_paren(left.node), expressions=nodes)), codes.BOOL)

    def _between(self, node: exp.Expr, scope: Scope) -> Typed:
        value = self._bind(node.this, scope)
        low, high = (
            self._casts.meet(self._bind(node.args[name], scope), value.oid).node
            for name in ("low", "high")
        )
        return Typed(_paren(exp.Between(this=value.node, low=low, high=high)), codes.BOOL)

    def _like(self, node: exp.Expr, scope: Scope, escape: exp.Expr | None = None) -> Typed:
        left, right = self._texts(node, scope)
        made: exp.Expr = type(node)(this=left, expression=right)
        # PostgreSQL escapes with a backslash unless another sign is named.
        return Typed(_paren(exp.Escape(this=made, expression=escape or text("\\"))), codes.BOOL)

    def _regular(self, node: exp.Expr, scope: Scope) -> Typed:
        left, right = self._texts(node, scope)
        flags = [text("i")] if isinstance(node, exp.RegexpILike) else []
        return Typed(call("regexp_matches", left, right, *flags), codes.BOOL)

    def _texts(self, node: exp.Expr, scope: Scope) -> tuple[exp.Expr, exp.Expr]:
        left, right = self._bind(node.this, scope), self._bind(node.expression, scope)
        return self._casts.cast(left, codes.TEXT).node, self._casts.cast(right, codes.TEXT).node

    def _named(self, node: exp.Expr, scope: Scope) -> Typed:
        said = node.args["operator"]
        sign = str(said if isinstance(said, str) else said.sql()).rpartition(".")[2]
        kind = _SIGNS.get(sign)
        if kind is not None:
            return self._expressions.bind(kind(this=node.this, expression=node.expression), scope)
        negated = _NEGATED.get(sign)
        if negated is None:
            raise WireError("42883", f"operator {sign} does not exist")
        inner = negated(this=node.this, expression=node.expression)
        return self._expressions.bind(exp.Not(this=inner), scope)

    def _joined(self, node: exp.Expr, scope: Scope) -> Typed:
        left, right = self._bind(node.this, scope), self._bind(node.expression, scope)
        lists = [one.oid for one in (left, right) if self._casts.element(one.oid)]
        if lists:
            left, right = self._casts.meet(left, lists[0]), self._casts.meet(right, lists[0])
            if self._casts.element(left.oid) and self._casts.element(right.oid):
                return Typed(call("list_concat", left.node, right.node), lists[0])
            name = "list_append" if self._casts.element(left.oid) else "list_prepend"
            return Typed(call(name, left.node, right.node), lists[0])
        made = exp.DPipe(
            this=_paren(self._casts.cast(left, codes.TEXT).node),
            expression=_paren(self._casts.cast(right, codes.TEXT).node),
        )
        return Typed(_paren(made), codes.TEXT)

    def _computed(self, node: exp.Expr, scope: Scope) -> Typed:
        left, right = self._bind(node.this, scope), self._bind(node.expression, scope)
        left, right = self._casts.meet(left, right.oid), self._casts.meet(right, left.oid)
        ranks = [_RANKS.get(one.oid) for one in (left, right)]
        if None in ranks:
            oid = left.oid if left.oid not in _RANKS else right.oid
            return Typed(_paren(type(node)(this=left.node, expression=right.node)), oid)
        oid = max((left.oid, right.oid), key=lambda one: _RANKS[one])
        made: exp.Expr
        if isinstance(node, exp.Div) and oid in _WHOLE:
            made = exp.IntDiv(this=_paren(left.node), expression=_paren(right.node))
        else:
            made = type(node)(this=_paren(left.node), expression=_paren(right.node))
        return Typed(_paren(made), oid)

    def _lists(self, node: exp.Expr, scope: Scope) -> Typed:
        left, right = self.alike(self._bind(node.this, scope), self._bind(node.expression, scope))
        if left.oid in VECTORS or right.oid in VECTORS:
            raise WireError("42883", "operator does not exist for these types")
        if isinstance(node, exp.ArrayContainedBy):
            left, right = right, left
        name = "list_has_any" if isinstance(node, exp.ArrayOverlaps) else "list_has_all"
        return Typed(call(name, left.node, right.node), codes.BOOL)


def _paren(node: exp.Expr) -> exp.Expr:
    if isinstance(
        node, exp.Paren | exp.Column | exp.Literal | exp.Anonymous | exp.Dot | exp.Subquery
    ):
        return node
    return exp.Paren(this=node)
