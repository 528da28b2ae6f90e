"""Decides what a condition on a computed field is on the column that it is computed from.

What comes of it may let through more rows than the field's condition, never fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.errors import InternalError
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.mapped import FieldMapping
from roundview_catalog.types import Kind, Type
from roundview_federation.rewrite.presence import TYPED
from roundview_federation.rewrite.row_values import literal_value
from roundview_federation.rewrite.source_keys import INTEGERS, native_value
from roundview_federation.rewrite.spans import Solved, solved
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.rewrite.verdict import NOWHERE, OPEN, Outcome, Placed, Turned, Verdict

MOST_SPELLINGS: Final = 64
_UPWARDS: Final = (exp.GT, exp.GTE)
_NORMALIZE: Final = "normalize_"
# Letters beside ASCII whose other case is ASCII (Unicode's SpecialCasing.txt among them).
_LOWERED: Final = {"k": "\u212a", "i": "\u0130"}
_RAISED: Final = {
    "S": ("\u017f",), "I": ("\u0131",), "SS": ("\u00df",), "FF": ("\ufb00",), "FI": ("\ufb01",),
    "FL": ("\ufb02",), "FFI": ("\ufb03",), "FFL": ("\ufb04",), "ST": ("\ufb05", "\ufb06"),
}  # fmt: skip
_LONGEST_RAISED: Final = 3


def equality(
    mapping: FieldMapping, target: Type, unfolded: Unfolded, dialect: str, param: str
) -> Turned | None:
    """Turns an equality of a computed field with some values, None where nothing is known."""
    if unfolded.is_late(mapping.expr) or not dialect:
        return None
    span = _solved(mapping, target, unfolded, dialect)
    if span is not None:
        return _within(span, mapping, param)
    if isinstance(mapping.expr.unnest(), exp.Case):
        return _arms(mapping, target, unfolded, dialect, param)
    if target.kind is not Kind.TEXT:
        return None
    found = _between(mapping.expr.unnest(), unfolded)
    return None if found is None else _among(*found, mapping.expr, param)


def other_case(
    mapping: FieldMapping, target: Type, unfolded: Unfolded, dialect: str, param: str
) -> Turned | None:
    """Turns an equality of a text in lower or upper case with short texts."""
    tree = mapping.expr.unnest()
    if not dialect or target.kind is not Kind.TEXT or unfolded.is_late(tree):
        return None
    if not isinstance(tree, exp.Lower | exp.Upper) or not isinstance(tree.this, exp.Column):
        return None
    if unfolded.column_type(tree.this).kind is not Kind.TEXT:
        return None
    spell = lowered_from if isinstance(tree, exp.Lower) else raised_from
    return _among(tree.this, spell, tree, param)


def order(
    way: type[exp.Expr],
    mapping: FieldMapping,
    target: Type,
    unfolded: Unfolded,
    dialect: str,
    param: str,
) -> Turned | None:
    """Turns a comparison by order of a computed number, None where nothing is known."""
    if unfolded.is_late(mapping.expr) or not dialect:
        return None
    found = _solved(mapping, target, unfolded, dialect)
    if found is None:
        return None
    known, is_up = found, way in _UPWARDS
    is_least = is_up is not known.is_falling

    def judge(wanted: Sequence[Any]) -> Verdict:
        span = known.span(wanted[0], None) if is_up else known.span(None, wanted[0])
        end = None if span is None else span[0 if is_least else 1]
        if end is None:
            return OPEN
        value = known.at_least(end) if is_least else known.at_most(end)
        return OPEN if value is None else (Outcome.ASKED, (value,))

    way_back = exp.GTE if is_least else exp.LTE

    def placed(places: Sequence[exp.Placeholder]) -> exp.Expr:
        return way_back(this=known.column.copy(), expression=places[0])

    return Turned(param, judge, placed=placed, form=_form(mapping, known.type, str(is_up)))


def normalized(name: str, unfolded: Unfolded, param: str) -> Turned | None:
    """Turns an equality of a derived normal form where its column holds nothing else."""
    derive = unfolded.entity.fields[name].derive if name in unfolded.entity.fields else None
    if not isinstance(derive, exp.Anonymous) or not derive.name.startswith(_NORMALIZE):
        return None
    inputs = list(derive.find_all(exp.Column))
    if len(derive.expressions) != 1 or derive.expressions != inputs:
        return None
    base = inputs[0].name
    mapping = unfolded.branch.slots[unfolded.slot].get(base)
    if mapping is None or base in unfolded.masks or mapping.codes is not None:
        return None
    column = mapping.expr
    if not isinstance(column, exp.Column) or unfolded.is_late(column):
        return None
    if unfolded.column_type(column).kind is not Kind.TEXT:
        return None
    declared = unfolded.source.tables[unfolded.aliases[column.table]].columns[column.name]
    if declared.search or declared.normal_form != derive.name.removeprefix(_NORMALIZE):
        return None
    return _among(column, lambda value: [value], column, param)


# -- numbers ---------------------------------------------------------------------------------


def one_of(tree: exp.Expr) -> Placed:
    """Returns the comparison of a column with one value, or with several."""

    def placed(places: Sequence[exp.Placeholder]) -> exp.Expr:
        if len(places) == 1:
            return exp.EQ(this=tree.copy(), expression=places[0])
        return exp.In(this=tree.copy(), expressions=list(places))

    return placed


def _solved(mapping: FieldMapping, target: Type, unfolded: Unfolded, dialect: str) -> Solved | None:
    found = solved(mapping.expr, target, unfolded.column_type)
    # Elsewhere an amount may be stored as text, or as a double.
    is_stored = found is not None and (found.type.kind in INTEGERS or dialect in TYPED)
    return found if is_stored else None


def _within(known: Solved, mapping: FieldMapping, param: str) -> Turned:
    def judge(wanted: Sequence[Any]) -> Verdict:
        numbers = [one for one in wanted if one is not None]
        span = known.span(min(numbers), max(numbers)) if numbers else None
        if span is None or span[0] is None or span[1] is None:
            return OPEN
        low, high = known.at_least(span[0]), known.at_most(span[1])
        if low is None or high is None:
            return OPEN
        if low > high:
            return NOWHERE
        return Outcome.ASKED, ((low,) if low == high else (low, high))

    def placed(places: Sequence[exp.Placeholder]) -> exp.Expr:
        column = known.column
        if len(places) == 1:
            return exp.EQ(this=column.copy(), expression=places[0])
        return exp.And(
            this=exp.GTE(this=column.copy(), expression=places[0]),
            expression=exp.LTE(this=column.copy(), expression=places[1]),
        )

    return Turned(param, judge, placed=placed, form=_form(mapping, known.type))


def _form(mapping: FieldMapping, type_: Type, more: str = "") -> str:
    return f"{mapping.expr.sql()}|{mapping.type}|{type_}|{more}"


# -- texts -----------------------------------------------------------------------------------

_Spell = Callable[[str], list[Any] | None]
"""Returns which values of a column make a text, None where they are not known."""


def _among(column: exp.Column, spell: _Spell, tree: exp.Expr, param: str) -> Turned:
    """Compares a column with all values that make one of the wanted texts."""

    def judge(wanted: Sequence[Any]) -> Verdict:
        made = [spell(one) for one in wanted if isinstance(one, str)]
        if None in made or len(made) < len(wanted):
            return OPEN
        values = tuple(dict.fromkeys(chain.from_iterable(one for one in made if one)))
        if not values:
            return NOWHERE
        return OPEN if len(values) > MOST_SPELLINGS else (Outcome.ASKED, values)

    return Turned(param, judge, placed=one_of(column), form=f"spelled {tree.sql()}")


def _between(tree: exp.Expr, unfolded: Unfolded) -> tuple[exp.Column, _Spell] | None:
    """Reads a text as a column between constants, as `'A-' || c || '/x'` is."""
    if isinstance(tree, exp.ConcatWs):
        # A kind of Concat to the parser, whose first part stands between the others.
        return None
    parts = tree.expressions if isinstance(tree, exp.Concat) else list(_joined(tree))
    inner = [at for at, part in enumerate(parts) if not _is_text(part)]
    if len(parts) < 2 or len(inner) != 1:
        return None
    column = parts[inner[0]].unnest()
    if type(column) is exp.Cast and column.to.this.value in ("TEXT", "VARCHAR"):
        column = column.this.unnest() if not column.to.expressions else column
    if not isinstance(column, exp.Column):
        return None
    type_ = unfolded.column_type(column)
    if type_.kind not in (Kind.TEXT, *INTEGERS):
        return None
    before = "".join(part.name for part in parts[: inner[0]])
    behind = "".join(part.name for part in parts[inner[0] + 1 :])
    is_concat = isinstance(tree, exp.Concat)

    def spell(text: str) -> list[Any] | None:
        is_made = text.startswith(before) and text.endswith(behind)
        if not is_made or len(text) < len(before) + len(behind):
            return []
        middle = text[len(before) : len(text) - len(behind)]
        if is_concat and not middle:
            # To concat() NULL is nothing.
            return None
        value = native_value(middle, type_)
        return [] if value is None else [value]

    return column, spell


def _joined(tree: exp.Expr) -> list[exp.Expr]:
    tree = tree.unnest()
    if isinstance(tree, exp.DPipe):
        return [*_joined(tree.this), *_joined(tree.expression)]
    return [tree]


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def lowered_from(text: str) -> list[Any] | None:
    """Returns the texts whose lower case is a text, None where they are too many or not known.

    >>> lowered_from("a1")
    ['a1', 'A1']
    """
    if not text.isascii():
        return None
    if text != text.lower():
        return []
    return _spellings([(one + one.upper() if one.isalpha() else one) + _LOWERED.get(one, "")
                       for one in text])  # fmt: skip


def raised_from(text: str) -> list[Any] | None:
    """Returns the texts whose upper case is a text, None where they are too many or not known.

    >>> sorted(raised_from("X1"))
    ['X1', 'x1']
    """
    if not text.isascii():
        return None
    if text != text.upper():
        return []
    made: list[list[str]] = [[""]]
    for end in range(1, len(text) + 1):
        found = []
        for length in range(1, min(end, _LONGEST_RAISED) + 1):
            part = text[end - length : end]
            signs = list(_RAISED.get(part, ()))
            if length == 1:
                signs += [part, part.lower()]
            found += [before + one for before in made[end - length] for one in signs]
        made.append(list(dict.fromkeys(found)))
        if len(made[-1]) > MOST_SPELLINGS:
            return None
    return list(made[-1])


def _spellings(signs: list[str]) -> list[Any] | None:
    made = [""]
    for some in signs:
        made = [before + one for before in made for one in dict.fromkeys(some)]
        if len(made) > MOST_SPELLINGS:
            return None
    return list(made)


# -- cases -----------------------------------------------------------------------------------


def _arms(
    mapping: FieldMapping, target: Type, unfolded: Unfolded, dialect: str, param: str
) -> Turned | None:
    """Has the source number the arms of a CASE of constants, and asks for some numbers."""
    tree = mapping.expr.unnest().copy()
    constants: list[Any] = []
    for one in [*(part.args["true"] for part in tree.args["ifs"]), tree.args.get("default")]:
        if one is None:
            continue
        if not isinstance(one, exp.Literal | exp.Boolean | exp.Null):
            return None
        try:
            constants.append(literal_value(replace(mapping, expr=one), target))
        except ValueError:
            return None
        one.replace(exp.Literal.number(len(constants)))
    rendered = _numbered(tree, unfolded, dialect)

    def judge(wanted: Sequence[Any]) -> Verdict:
        numbers = [at for at, one in enumerate(constants, 1) if one is not None and one in wanted]
        if not numbers:
            return NOWHERE
        return OPEN if rendered is None else (Outcome.ASKED, tuple(numbers))

    def placed(places: Sequence[exp.Placeholder]) -> exp.Expr:
        if rendered is None:
            raise InternalError(f"a CASE of {unfolded.branch.id} is not computed by the source")
        made = rendered.copy()
        made.set("expressions", list(places))
        return made

    return Turned(param, judge, placed=placed, form=f"arms {mapping.expr.sql()}|{target}")


def _numbered(tree: exp.Expr, unfolded: Unfolded, dialect: str) -> exp.Expr | None:
    """Returns `tree IN (1)` as the source computes it, None where it cannot, or it might fail."""
    asked = exp.In(this=tree, expressions=[exp.Literal.number(1)])
    column_type = unfolded.column_type
    try:
        can = expressions.pushable(asked, dialect, column_type)
        can = can and expressions.cannot_fail(asked, column_type)
    except ExpressionError:
        return None
    rendered = expressions.render(asked, dialect, column_type) if can else None
    return rendered if isinstance(rendered, exp.In) else None
