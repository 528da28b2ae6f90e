"""A file's values, the places of their characters, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundview_catalog import document
from roundview_catalog.report import Report


def problems(text: str) -> list[tuple[int, int, str]]:
    report = Report()
    assert document.read(text, "x.yaml", report) is None
    assert report.problems
    return [(p.position.line, p.position.column, p.code) for p in report.problems]


def parsed(text: str) -> document.Document:
    report = Report()
    found = document.read(text, "x.yaml", report)
    assert found is not None, report.problems
    return found


def test_scalars_are_yaml_1_2_core_and_nothing_else() -> None:
    text = """
none: null
tilde: ~
empty:
yes_: yes
no_: no
on_: on
true_: true
True_: True
octal: 0123
hex: 0x1F
under: 1_000
time: 12:30
date: 2024-01-02
sexagesimal: 190:20:30
int: -17
float: 1.50
exponent: 12e3
inf: .inf
huge: 1e999
quoted: "12"
block: |-
  12
0123: key
"""
    assert parsed(text).data == {
        "none": None, "tilde": None, "empty": None, "yes_": "yes", "no_": "no", "on_": "on",
        "true_": True, "True_": "True", "octal": "0123", "hex": "0x1F", "under": "1_000",
        "time": "12:30", "date": "2024-01-02", "sexagesimal": "190:20:30", "int": -17,
        "float": 1.5, "exponent": 12000.0, "inf": ".inf", "huge": "1e999", "quoted": "12",
        "block": "12", "0123": "key",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "column", "code"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "RV202"),
        ("a: {b: 1, c: 2, b: 3}\n", 1, 17, "RV202"),
        ('a: 1\n"a": 2\n', 2, 1, "RV202"),
        ("a: &x 1\nb: 2\n", 1, 4, "RV203"),
        ("a: 1\nb: *x\n", 2, 4, "RV203"),
        ("a: !!str 1\n", 1, 4, "RV203"),
        ("a: ! x\n", 1, 4, "RV203"),
        ("a: !!python/object/apply:os.system [x]\n", 1, 4, "RV203"),
        ("<<: {a: 1}\n", 1, 1, "RV203"),
        ("a:\n\tb: 1\n", 2, 1, "RV201"),
        ("a: b\tc\n", 1, 5, "RV201"),
        ("a: 1\n---\nb: 2\n", 2, 1, "RV201"),
        ("%YAML 1.1\n---\na: 1\n", 1, 1, "RV201"),
        ("a: x\x00y\n", 1, 5, "RV201"),
        ("a: x\x1by\n", 1, 5, "RV201"),
        ("a: x\u2028y\n", 1, 5, "RV201"),
        ('a: "x\\0y"\n', 1, 4, "RV201"),
        ("a: \ud800\n", 1, 4, "RV201"),
        ("\ufeffa: 1\n", 1, 1, "RV201"),
        ("", 1, 1, "RV201"),
        ("# only a comment\n", 1, 1, "RV201"),
        ("a: [1, 2\n", 2, 1, "RV201"),
        ("a: 'x\n", 2, 1, "RV201"),
        ("a: x: y\n", 1, 5, "RV201"),
        ("? [a, b]\n: 1\n", 1, 3, "RV201"),
        ("a: {b: coalesce(x, y), c: 1}\n", 1, 20, "RV207"),
        ("a: {b}\n", 1, 5, "RV207"),
        ("a: {b: }\n", 1, 5, "RV207"),
        ("a: attribs #>> '{a}'\n", 1, 12, "RV208"),
        ("a: x #comment\n", 1, 6, "RV208"),
        ("a: x ## comment\n", 1, 6, "RV208"),
        ("a: {b: x #>> 1}\n", 1, 10, "RV208"),
    ],
)
def test_refused_with_its_place(text: str, line: int, column: int, code: str) -> None:
    assert (line, column, code) in problems(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 5000,
        "a: " + "{a: " * 5000,
        "\n".join(" " * i + "a:" for i in range(700)),
        "- " * 700 + "x",
        "a: " + "[" * 40 + "]" * 40,
        "a: " + "x" * (1024 * 1024),
        "a: " + "é" * (600 * 1024),
    ],
)
def test_deep_and_large_files_are_refused_without_recursion(text: str) -> None:
    assert [code for _, _, code in problems(text)] == ["RV204"]


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert problems("\n".join(rows))[0] == (1, 5, "RV203")


def test_every_problem_of_a_file_is_reported() -> None:
    assert [code for _, _, code in problems("a: &x 1\na: {b}\nc: x #y\n")] == [
        "RV203", "RV202", "RV207", "RV208",
    ]  # fmt: skip


def test_hash_comments_with_a_blank_are_comments() -> None:
    assert parsed("a: x # said\nb: {c: d} # e\n").data == {"a": "x", "b": {"c": "d"}}


def test_messages_never_quote_the_file() -> None:
    report = Report()
    assert document.read("password: 'hunter2\nx: [hunter2", "x.yaml", report) is None
    assert "hunter2" not in "".join(map(str, report.problems))


def test_keys_and_missing_values_have_places() -> None:
    found = parsed("a:\n  b: 1\n  c:\n    - x\n    - y\n")
    assert str(found.key_position(("a", "b"))) == "x.yaml:2:3"
    assert str(found.position(("a", "c", 1))) == "x.yaml:5:7"
    assert str(found.position(("a", "zzz"))) == "x.yaml:2:3"
    assert str(found.key_position(("a", "zzz", "deeper"))) == "x.yaml:2:3"


WORDS = st.text(alphabet="abc.='\"(\\é,", min_size=1, max_size=6)
LINES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
BLOCKS = st.lists(st.one_of(LINES, st.just(""), LINES.map(lambda s: "  " + s)), min_size=1)


def assert_exact(text: str) -> None:
    """Every character that is no blank or break points at itself (or at its escape)."""
    report = Report()
    found = document.read(text, "x.yaml", report)
    if found is None:
        return
    value = found.data["key"]
    if not isinstance(value, str):
        return
    lines = text.split("\n")
    for offset, character in enumerate(value):
        place = found.position(("key",), offset)
        row = lines[place.line - 1]
        there = row[place.column - 1] if place.column <= len(row) else "\n"
        if there == "\\" and text.lstrip("key: \n").startswith('"'):
            continue
        if character in " \n":
            assert there in " \n"
        else:
            assert there == character
    places = [found.position(("key",), offset) for offset in range(len(value) + 1)]
    assert places == sorted(places)


@given(BLOCKS, st.sampled_from(["|", ">", "|-", ">-", "|+", ">+"]), st.integers(1, 4))
@settings(max_examples=300, deadline=None)
def test_places_in_block_scalars(lines: list[str], style: str, indent: int) -> None:
    body = "\n".join(" " * indent + line if line else "" for line in lines)
    assert_exact(f"key: {style}\n{body}\n")


@given(BLOCKS)
@settings(max_examples=300, deadline=None)
def test_places_in_plain_scalars(lines: list[str]) -> None:
    assert_exact("key: a" + "\n".join("  " + line for line in lines) + "\n")


@given(BLOCKS, st.sampled_from(["'", '"']))
@settings(max_examples=300, deadline=None)
def test_places_in_quoted_scalars(lines: list[str], quote: str) -> None:
    inner = "\n".join("  " + line for line in lines)
    if quote == "'":
        inner = inner.replace("'", "''")
    else:
        inner = inner.replace("\\", "\\\\").replace('"', '\\"').replace("é", "\\u00e9")
    assert_exact(f"key: {quote}{inner}{quote}\n")


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("key: a = b\n", 4, (1, 10)),
        ("key:\n  a\n  = b\n", 4, (3, 5)),
        ("key: >-\n  a\n  = b\n", 4, (3, 5)),
        ("key: >-\n\n  a\n    = b\n  c\n", 7, (4, 7)),
        ("key: |\n  a\n  = b\n", 4, (3, 5)),
        ("key: |2\n    a\n  b\n", 2, (2, 5)),
        ("key: 'it''s x'\n", 5, (1, 13)),
        ('key: "\\u00e9\\n x"\n', 3, (1, 16)),
        ('key: "a \\\n   b"\n', 2, (2, 4)),
        ("key: 'a\n\n  b'\n", 2, (3, 3)),
        ("key: ab\n", 99, (1, 8)),
    ],
)
def test_places_are_exact(text: str, offset: int, expected: tuple[int, int]) -> None:
    place = parsed(text).position(("key",), offset)
    assert (place.line, place.column) == expected
