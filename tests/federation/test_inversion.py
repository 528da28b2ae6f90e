"""Proves that turning a condition back onto the column of a computed field leaves no row out."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.types import Kind, Type, parse_type
from roundview_federation.rewrite.invert import MOST_SPELLINGS, lowered_from, raised_from
from roundview_federation.rewrite.spans import Solved, solved

COLUMNS = {
    "i": Type(Kind.INTEGER), "b": Type(Kind.BIGINT), "d": parse_type("decimal(12,4)"),
    "n": Type(Kind.DECIMAL),
}  # fmt: skip
TARGETS = [parse_type(text) for text in ("decimal(18,4)", "decimal(12,2)", "decimal(30,0)")]
NUMBERS = st.sampled_from(
    ["1", "2", "3", "7", "100", "0.5", "100.00", "1.19", "0.003", "12345.678"]
)


def column_type(column: exp.Column) -> Type:
    return COLUMNS[column.name]


def _computed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from("+-*/")
    return st.one_of(
        st.builds(lambda a, sign, k: f"({a} {sign} {k})", inner, signs, NUMBERS),
        st.builds(lambda a, sign, k: f"({k} {sign} {a})", inner, st.sampled_from("+-*"), NUMBERS),
        st.builds(lambda a: f"(-{a})", inner),
        st.builds(lambda a, k: f"round({a}, {k})", inner, st.integers(0, 3)),
        st.builds(lambda a, type_: f"CAST({a} AS {type_})", inner,
                  st.sampled_from(["numeric(20,1)", "numeric(25,6)", "bigint"])),
    )  # fmt: skip


TREES = st.recursive(st.sampled_from([f"t.{name}" for name in COLUMNS]), _computed, max_leaves=4)


@given(TREES, st.sampled_from(TARGETS), st.data())
def test_a_row_lies_within_what_is_asked_for_its_value(
    text: str, target: Type, data: st.DataObject
) -> None:
    tree = expressions.parse(text)
    known = solved(tree, target, column_type)
    if known is None:
        return
    whole = st.integers(-(2**31) + 1, 2**31 - 1)
    exact = st.decimals(-99_999_999, 99_999_999, places=4)
    value = data.draw(exact if known.type.kind is Kind.DECIMAL else whole)
    made = _made(tree, target, known.column.name, value)
    if made is None:
        return
    _within(known, value, known.span(made, made))
    above, below = known.span(made, None), known.span(None, made)
    for span in (above, below):
        _within(known, value, span)
    assert above is not None
    assert (above[0] is None) is known.is_falling


def test_arithmetic_that_turns_back_does() -> None:
    for text in ("t.i / 100.00", "5 - t.d * 2", "-(t.b + 1)", "round(t.d / 3, 1)", "t.i / 7"):
        assert solved(expressions.parse(text), TARGETS[0], column_type) is not None, text
    for text in ("t.i * t.i", "1 / t.d", "t.i * 0", "t.i % 3", "abs(t.i)", "t.d"):
        assert solved(expressions.parse(text), TARGETS[0], column_type) is None, text


def _made(tree: exp.Expr, target: Type, column: str, value: Any) -> Any:
    """Returns the field of a row, None where it cannot be computed."""
    text = expressions.python(tree, lambda _: "value", column_type)
    namespace = {**expressions.RUNTIME, "value": value}
    try:
        made = eval(text, namespace)
        converter = coerce.converter(expressions.infer(tree, column_type), target, "UTC")
        return made if converter is None else converter(made)
    except (ValueError, ArithmeticError):
        return None


def _within(known: Solved, value: Any, span: Any) -> None:
    assert span is not None
    low, high = span
    if low is not None:
        bound = known.at_least(low)
        assert bound is None or bound <= value
    if high is not None:
        bound = known.at_most(high)
        assert bound is None or bound >= value


@pytest.mark.parametrize(("spell", "change"), [(lowered_from, str.lower), (raised_from, str.upper)])
def test_every_letter_that_becomes_ascii_is_a_spelling(spell: Any, change: Any) -> None:
    for number in range(sys.maxunicode + 1):
        letter = chr(number)
        made = change(letter)
        if made.isascii():
            assert letter in spell(made), (letter, made)


@given(st.text("abCk1 iSsßfIıT-", max_size=4))
def test_a_text_is_among_the_spellings_of_its_other_case(text: str) -> None:
    for spell, made in ((lowered_from, text.lower()), (raised_from, text.upper())):
        spellings = spell(made)
        assert spellings is None or text in spellings
        assert spellings is None or len(spellings) <= MOST_SPELLINGS


def test_a_letter_of_another_alphabet_has_spellings_that_nobody_knows() -> None:
    assert lowered_from("straße") is None
    assert raised_from("ÉTÉ") is None
    assert (lowered_from("Ok"), raised_from("Ok")) == ([], [])
    assert decimal_of(raised_from("1.5")) == Decimal("1.5")


def decimal_of(spellings: list[Any] | None) -> Decimal:
    assert spellings is not None
    (only,) = spellings
    return Decimal(only)
