"""Proves which names and birth dates may be one person's, and that guards cannot be counted."""

from __future__ import annotations

import pytest

from roundview_identity.guards import (
    BIRTH_AGREES,
    BIRTH_DIFFERS,
    GIVEN_AGREES,
    GIVEN_DIFFERS,
    Guards,
    compare,
    is_named,
)
from roundview_identity.records import Record

GUARDS = Guards(bytes(range(32)))


def verdict(a: Record, b: Record) -> int:
    left, right = GUARDS.seal([b"h" * 16] * 2, [GUARDS.tokens(a), GUARDS.tokens(b)])
    assert compare(left, right) == compare(right, left)
    return compare(left, right)


def named(given: str, family: str = "", born: str = "") -> Record:
    return Record("crm", "1", (), given, family, born)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Ann", "ann"),
        ("Anna", "Annie"),
        ("Robert", "Bob"),
        ("Alexander", "Alex"),
        ("Sam", "Samantha"),
        ("R.", "Robert"),
        ("J. R.", "John"),
        ("José", "Jose"),
        ("José María", "Jose"),
        ("Hans-Peter", "Hans"),
        ("Jörg", "Joerg"),
        ("Stefan", "Stephan"),
        ("Thomas", "Thmoas"),
        ("Thomas", "Thoms"),
        ("Thomas", "Thommas"),
        ("Katarina", "Katerina"),
        ("Юлия", "Юлия"),
    ],
)
def test_names_that_agree(a: str, b: str) -> None:
    assert verdict(named(a), named(b)) == GIVEN_AGREES


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("John", "Jane"),
        ("John", "Joan"),
        ("Peter", "Petra"),
        ("Mario", "Maria"),
        ("Martin", "Martina"),
        ("Daniel", "Daniela"),
        ("Alexander", "Alexandra"),
        ("P.", "Robert"),
        ("Юлия", "Иван"),
    ],
)
def test_names_that_differ(a: str, b: str) -> None:
    assert verdict(named(a), named(b)) == GIVEN_DIFFERS


@pytest.mark.parametrize(("a", "b"), [("", "Ann"), ("Yulia", "Юлия"), (".", "Ann")])
def test_names_that_say_nothing(a: str, b: str) -> None:
    assert verdict(named(a), named(b)) == 0


def test_exchanged_names_agree() -> None:
    assert verdict(named("Ann", "Moor"), named("Moor", "Ann")) == GIVEN_AGREES
    assert verdict(named("Ann", "Moor"), named("Moor", "Eve")) == GIVEN_DIFFERS


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("1980-03-04", "1980-03-04", BIRTH_AGREES),
        ("1980-03-04", "1980-04-03", 0),
        ("1980-03-04", "1908-03-04", 0),
        ("1980-03-04", "1980-03-05", 0),
        ("1980-03-04", "1955-07-04", BIRTH_DIFFERS),
        ("1980-03-04", "1981-04-03", BIRTH_DIFFERS),
        ("1980-03-04", "", 0),
        ("1900-01-01", "1980-03-04", 0),
        ("not a date", "1980-03-04", 0),
    ],
)
def test_birth_dates(a: str, b: str, expected: int) -> None:
    assert verdict(named("", born=a), named("", born=b)) == expected


def test_a_guard_is_empty_where_there_is_nothing_to_guard() -> None:
    assert GUARDS.tokens(named("", "Moor")) == b""
    assert GUARDS.seal([b"h" * 16], [b""]) == [b""]
    (only_birth,) = GUARDS.seal([b"h" * 16], [GUARDS.tokens(named("", born="1980-03-04"))])
    assert not is_named(only_birth)


def test_equal_names_have_unequal_codes_under_other_identifiers() -> None:
    tokens = GUARDS.tokens(named("Ann", "Moor", "1980-03-04"))
    one, other = GUARDS.seal([b"1" * 16, b"2" * 16], [tokens, tokens])
    codes = [{g[at : at + 4] for at in range(1, len(g), 4)} for g in (one, other)]
    assert codes[0].isdisjoint(codes[1])
    assert Guards(bytes(32)).seal([b"1" * 16], [tokens]) != [one]
