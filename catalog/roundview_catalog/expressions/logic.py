"""Writes conditions as Python text with three-valued logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from roundview_catalog.expressions.meeting import (
    inside,
    is_null,
    is_text_constant,
    literal_value,
)
from roundview_catalog.expressions.naming import Naming, Text
from roundview_catalog.expressions.nodes import ExpressionError, offset_of
from roundview_catalog.types import Kind, Type

_OPERATORS: Mapping[type[exp.Expr], str] = MappingProxyType(
    {exp.EQ: "==", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
)
_OPPOSITES: Mapping[str, str] = MappingProxyType(
    {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
)
TRUTHS = (*_OPERATORS, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.Like, exp.ILike)


class Logic(Naming):
    """Writes truth in two forms: a value (True, False, None) and a bare Python test."""

    def truth(self, tree: exp.Expr, *, wanted: bool = True) -> str:
        """Returns text that is true exactly where a condition is `wanted`."""
        tree = inside(tree)
        if isinstance(tree, exp.Not):
            return self.truth(tree.this, wanted=not wanted)
        if isinstance(tree, exp.And | exp.Or):
            word = "and" if isinstance(tree, exp.And) is wanted else "or"
            parts = [self.truth(part, wanted=wanted) for part in _flat(tree)]
            return f"({f' {word} '.join(parts)})"
        if isinstance(tree, exp.Boolean):
            return repr(bool(tree.this) is wanted)
        if isinstance(tree, exp.Is):
            return self._is(tree) if wanted else f"(not {self._is(tree)})"
        if type(tree) in _OPERATORS:
            return self._comparison_truth(tree, wanted)
        if isinstance(tree, exp.In) and self._is_constant_list(tree):
            return self._membership_truth(tree, wanted)
        if isinstance(tree, exp.Between):
            return self.truth(_between(tree), wanted=wanted)
        value = self._boolean(tree)
        if not value.is_nullable:
            return value.code if wanted else f"(not {value.code})"
        return f"({value.code} is {wanted})"

    def _comparison_truth(self, tree: exp.Expr, wanted: bool) -> str:
        a, b = self.meeting(tree.this, tree.expression)
        sign = _OPERATORS[type(tree)]
        sign = sign if wanted else _OPPOSITES[sign]
        if is_null(tree.this) or is_null(tree.expression):
            return "False"
        if sign == "==" and not (a.is_nullable and b.is_nullable):
            return f"({a.code} == {b.code})"
        return self.test([a, b], lambda x, y: f"{x} {sign} {y}")

    def _membership_truth(self, tree: exp.Expr, wanted: bool) -> str:
        value, options, has_null = self._membership(tree)
        if wanted:
            return f"({value.code} in {options})" if options != "()" else "False"
        if has_null:
            return "False"
        return self.test([value], lambda a: f"{a} not in {options}")

    def truth_value(self, tree: exp.Expr) -> Text:
        if isinstance(tree, exp.Is):
            return Text(self._is(tree), False)
        if isinstance(tree, exp.Not):
            inner = self._boolean(tree.this)
            return self.strict([inner], lambda a: f"not {a}")
        if isinstance(tree, exp.And | exp.Or):
            return self._junction(tree)
        if isinstance(tree, exp.Between):
            return self._junction(_between(tree))
        if isinstance(tree, exp.In):
            return self._in(tree)
        if isinstance(tree, exp.Like | exp.ILike):
            return self._like(tree)
        a, b = self.meeting(tree.this, tree.expression)
        sign = _OPERATORS[type(tree)]
        return self.strict([a, b], lambda x, y: f"{x} {sign} {y}")

    def _junction(self, tree: exp.Expr) -> Text:
        """Writes AND or OR: the first deciding operand ends it, a NULL leaves it open."""
        deciding = isinstance(tree, exp.Or)
        parts = [self._boolean(part) for part in _flat(tree)]
        if not any(part.is_nullable for part in parts):
            word = " or " if deciding else " and "
            return Text(f"({word.join(part.code for part in parts)})", False)
        names, text = [], ""
        for part in parts:
            named, first = self.named(part)
            names += [named.code] if part.is_nullable else []
            text += f"{deciding} if {first} is {deciding} else "
        nulls = " or ".join(f"{name} is None" for name in names)
        return Text(f"({text}None if {nulls} else {not deciding})")

    def _is(self, tree: exp.Expr) -> str:
        negated = bool(tree.args.get("negate"))
        if isinstance(tree.expression, exp.Null):
            value = self.value(tree.this)
            if value.is_nullable:
                return f"({value.code} is {'not ' if negated else ''}None)"
            # Python warns of `7 is None`; what raises an error must be computed all the same.
            return f"({value.code} {'!=' if negated else '=='} None)"
        wanted = bool(tree.expression.this)
        truth = self.truth(tree.this, wanted=wanted)
        return f"(not {truth})" if negated else truth

    def _in(self, tree: exp.Expr) -> Text:
        if tree.args.get("query") is not None:
            raise ExpressionError("a sub-select is not computed here", "", offset_of(tree), "RV209")
        if self._is_constant_list(tree):
            value, options, has_null = self._membership(tree)
            if has_null:
                found = self.strict([value], lambda a: f"(True if {a} in {options} else None)")
                return Text(found.code)
            return self.strict([value], lambda a: f"{a} in {options}")
        type_ = self.common([tree.this, *tree.expressions])
        parts = [self.in_type(node, type_).code for node in tree.expressions]
        value = self.in_type(tree.this, type_)
        found = self.strict([value], lambda a: f"is_in({a}, ({', '.join(parts)},))")
        # A NULL among the options leaves it open even for a value that is never NULL.
        return Text(found.code)

    def _is_constant_list(self, tree: exp.Expr) -> bool:
        return tree.args.get("query") is None and all(
            isinstance(inside(node), exp.Literal | exp.Null) for node in tree.expressions
        )

    def _membership(self, tree: exp.Expr) -> tuple[Text, str, bool]:
        type_ = self.common([tree.this, *tree.expressions])
        known = [node for node in tree.expressions if not is_null(node)]
        parts = [self.in_type(node, type_).code for node in known]
        options = f"({', '.join(parts)},)" if parts else "()"
        return self.in_type(tree.this, type_), options, len(known) < len(tree.expressions)

    def _like(self, tree: exp.Expr) -> Text:
        negation = "not " if tree.args.get("negate") else ""
        pattern = inside(tree.expression)
        if isinstance(tree, exp.Like) and isinstance(pattern, exp.Literal):
            quick = _quick_like(str(pattern.this))
            if quick is not None:
                return self.strict([self.value(tree.this)], lambda a: f"{negation}{quick(a)}")
        name = "like" if isinstance(tree, exp.Like) else "ilike"
        parts = [self.value(tree.this), self.value(tree.expression)]
        return self.strict(parts, lambda a, b: f"{negation}{name}({a}, {b})")

    def _boolean(self, tree: exp.Expr) -> Text:
        if is_text_constant(tree):
            return self.constant(literal_value(tree, Type(Kind.BOOLEAN)))
        return self.value(tree)


def _flat(tree: exp.Expr) -> list[exp.Expr]:
    """Returns the operands of a chain of ANDs or ORs in order."""
    parts: list[exp.Expr] = []
    pending = [tree]
    while pending:
        node = pending.pop()
        bare = inside(node)
        if type(bare) is type(tree):
            pending += [bare.expression, bare.this]
        else:
            parts.append(node)
    return parts


def _between(tree: exp.Expr) -> exp.Expr:
    value = tree.this
    return exp.And(
        this=exp.GTE(this=value.copy(), expression=tree.args["low"].copy()),
        expression=exp.LTE(this=value.copy(), expression=tree.args["high"].copy()),
    )


def _quick_like(pattern: str) -> Callable[[str], str] | None:
    """Returns how a pattern without _ and escapes is tested by a method of text."""
    core = pattern.strip("%")
    if "_" in pattern or "\\" in pattern or "%" in core:
        return None
    if not core:
        return (lambda a: f"({a} == '')") if not pattern else None
    if pattern == core:
        return lambda a: f"({a} == {core!r})"
    if pattern.startswith("%") and pattern.endswith("%"):
        return lambda a: f"({core!r} in {a})"
    method = "endswith" if pattern.startswith("%") else "startswith"
    return lambda a: f"{a}.{method}({core!r})"
