"""Decides which constants of a question its plan does not depend on: those become parameters.

Only what is compared with a column in WHERE or ON, or looked up, can be one. Everything else is
part of what names the plan: ordinals, limits, intervals, patterns, selected constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_federation.dialect.gate import gate
from roundview_federation.dialect.literals import constant_text
from roundview_federation.rewrite.query.conditions import Later, ValuesDecide, said
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.sql.direct import Direct
from roundview_federation.sql.fingerprint import Constant, Fingerprint
from roundview_federation.sql.planned import PlannedQuery, PlannedRead
from roundview_federation.sql.witness import Witness

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_MOMENTS = (exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ)
_PLAIN = frozenset(
    {
        "text", "character varying", "smallint", "integer", "bigint", "boolean", "date",
        "timestamp without time zone", "timestamp with time zone", "uuid",
    }
)  # fmt: skip
"""Types of which a text says the same as a parameter and as a literal; a numeric takes its scale
from the literal."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The plan of all questions that differ in the texts of `free` constants only.

    Without a plan there is none: each of these questions has its own.
    """

    free: frozenset[int]
    planned: PlannedQuery | None


def plan_shared(
    text: str, known: Fingerprint, plan: Callable[[exp.Query, Witness], PlannedQuery]
) -> tuple[Shared, PlannedQuery]:
    """Plans a question with as many parameters as its plan allows, and returns its own plan too.

    `plan` plans a tree. Raises RequestError as that does for the text as it stands.
    """
    shared = _shared(text, known, plan)
    planned = None if shared.planned is None else bound(shared.planned, known.texts, text)
    return shared, planned or plan(gate(text), Witness())


def _shared(
    text: str, known: Fingerprint, plan: Callable[[exp.Query, Witness], PlannedQuery]
) -> Shared:
    tree = gate(text)
    free = _free(_candidates(tree, known), known)
    is_first = True
    while free:
        # Planning takes its tree apart, and a copy takes about as long as reading it again.
        tree = tree if is_first else gate(text)
        is_first = False
        _replace(_candidates(tree, known), free)
        try:
            planned = plan(tree, Witness(known.texts))
            typed = frozenset(one.number + 1 for one in known.constants if one.type is not None)
            numbers = decided_numbers(planned, typed, known.texts)
            decided = {number - 1 for number in numbers}
        except ValuesDecide as needed:
            decided = {number - 1 for number in needed.numbers}
        except RequestError:
            # Refused with its position when it is planned as it stands.
            return _ALONE
        if not decided:
            return Shared(free, planned)
        free -= decided
    return _ALONE


def bound(planned: PlannedQuery, texts: Sequence[str], shape: str) -> PlannedQuery | None:
    """Returns the plan of one question from the shared one, None where its texts do not fit.

    Then it has to be planned as it stands, and perhaps refused.
    """
    values = fitting(planned, texts)
    if values is None:
        return None
    reads = {}
    for name, one in planned.reads.items():
        made = _bound_read(one, texts)
        if made is None:
            return None
        reads[name] = made
    direct = planned.direct
    if direct is not None and direct.conditions:
        direct = _bound_direct(direct, texts)
    return replace(planned, shape=shape, reads=reads, direct=direct, values=values)


def fitting(planned: PlannedQuery, texts: Sequence[str]) -> dict[str, str] | None:
    """Returns what texts say in the residual of a shared plan, None where they do not fit it."""
    try:
        values = {
            f"p{number}": constant_text(texts[number - 1], type_, _NOWHERE)
            for number, type_ in planned.parameters.items()
        }
    except RequestError:
        return None
    return values if all(one.is_alike(texts) for one in planned.decided) else None


def decided_numbers(
    planned: PlannedQuery, typed: frozenset[int], texts: Sequence[str]
) -> frozenset[int]:
    """Returns the parameters whose texts are not values of the types that they are compared with.

    `typed` are those that have a type of their own.
    """
    return frozenset(_decided(planned, typed, texts))


def _candidates(tree: exp.Query, known: Fingerprint) -> dict[int, tuple[exp.Literal, Constant]]:
    """Returns the literals that a plan may do without, by where they stand in the text."""
    by_place = {one.start: one for one in known.constants}
    found = {}
    for literal in _compared(tree):
        start, end = literal.meta_get("start"), literal.meta_get("end")
        constant = by_place.get(start)
        if constant is None or (constant.type is None) != literal.is_string:
            continue
        quotes = 2 if literal.is_string else 0
        if end - start + 1 == len(literal.name) + quotes:
            found[start] = (literal, constant)
    return found


def _compared(tree: exp.Query) -> Iterator[exp.Literal]:
    for place in tree.find_all(exp.Where, exp.Join, exp.Table):
        if isinstance(place, exp.Table):
            call = place.this
            if isinstance(call, exp.Anonymous) and call.name == LOOKUP:
                yield from (one for one in call.expressions[1:] if isinstance(one, exp.Literal))
            continue
        condition = place.this if isinstance(place, exp.Where) else place.args.get("on")
        stack = [condition] if condition is not None else []
        while stack:
            node = stack.pop()
            if isinstance(node, exp.And | exp.Or):
                stack += [node.left, node.right]
            elif isinstance(node, exp.Paren | exp.Not):
                stack.append(node.this)
            else:
                yield from filter(None, map(_literal, _constants(node)))


def _constants(node: exp.Expr) -> Sequence[exp.Expr]:
    """Returns what a condition compares a column with."""
    if isinstance(node, _COMPARISONS):
        left, right = node.left, node.right
        if isinstance(left, exp.Column):
            return (right,)
        return (left,) if isinstance(right, exp.Column) else ()
    if not isinstance(node.this, exp.Column):
        return ()
    if isinstance(node, exp.In):
        return tuple(node.expressions)
    if isinstance(node, exp.Between):
        return node.args["low"], node.args["high"]
    return ()


def _literal(node: exp.Expr) -> exp.Literal | None:
    if isinstance(node, exp.Literal):
        return node
    if isinstance(node, exp.Cast) and node.to.this in _MOMENTS and not node.to.expressions:
        inner = node.this
        return inner if isinstance(inner, exp.Literal) and inner.is_string else None
    return None


def _free(
    candidates: Mapping[int, tuple[exp.Literal, Constant]], known: Fingerprint
) -> frozenset[int]:
    """Returns the numbers that stand nowhere but where a parameter may."""
    held = {one.number for one in known.constants if one.start not in candidates}
    return frozenset(one.number for _, one in candidates.values()) - held


def _replace(candidates: Mapping[int, tuple[exp.Literal, Constant]], free: frozenset[int]) -> None:
    for literal, constant in candidates.values():
        if constant.number in free:
            number = exp.Literal(this=str(constant.number + 1), is_string=False)
            made: exp.Expr = exp.Parameter(this=number)
            if constant.type is not None:
                made = exp.Cast(this=made, to=exp.DataType.build(constant.type))
            literal.replace(made)


def _decided(planned: PlannedQuery, typed: frozenset[int], texts: Sequence[str]) -> Iterator[int]:
    for number, type_ in planned.parameters.items():
        if number not in typed and type_.name not in _PLAIN:
            yield number
    for one in planned.reads.values():
        for value in [*one.conditions.values.values(), *(one.customers or ())]:
            for later in value if isinstance(value, list) else (value,):
                if isinstance(later, Later) and later.value(texts) is None:
                    yield later.number


def _bound_read(planned: PlannedRead, texts: Sequence[str]) -> PlannedRead | None:
    read, customers = planned.read, planned.customers
    values = said(planned.conditions.values, texts)
    others = said({"customers": customers or (), "arguments": read.arguments}, texts)
    if values is None or others is None:
        return None
    if any(isinstance(one, Later) for one in read.arguments):
        read = replace(read, arguments=others["arguments"])
    conditions = replace(planned.conditions, values=values)
    if customers is not None:
        customers = tuple(map(str, others["customers"]))
    return replace(planned, read=read, conditions=conditions, customers=customers)


def _bound_direct(direct: Direct, texts: Sequence[str]) -> Direct:
    values = said({str(at): one[2] for at, one in enumerate(direct.conditions)}, texts) or {}
    conditions = tuple(
        (name, compare, values[str(at)]) for at, (name, compare, _) in enumerate(direct.conditions)
    )
    return replace(direct, conditions=conditions)


_NOWHERE = exp.Null()
_ALONE = Shared(frozenset(), None)
