"""However someone writes an identifier, it has one form; what cannot be one has none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundview_catalog import normalizers

PHONE = "+491713920042"
TEXT = st.text(max_size=60)
DIGITS = st.text("0123456789+ ()-./", min_size=1, max_size=24)


@pytest.mark.parametrize(
    "written",
    [
        "+49 171 3920042", "0049 171 392 00 42", "0171/3920042", "(0171) 392-0042", "+49 (0)171 3920042",
        "0171 3920042", "\uff10\uff11\uff17\uff11 \uff13\uff19\uff12\uff10\uff10\uff14\uff12",
        "\u200f+49 171 3920042\u200e", "tel:+49-171-3920042", "+49\u2011171\u20133920042",
        "  +49.171.3920042  ",
    ],
)  # fmt: skip
def test_a_number_has_one_form(written: str) -> None:
    assert normalizers.normalize("phone", written, region="DE") == PHONE


@pytest.mark.parametrize(
    "written",
    ["", " ", "abc", "12", "+", "0171 3920042 or 0172", "1" * 400, "0171\x003920042", "+4917139200421234"],
)  # fmt: skip
def test_what_is_no_number_has_none(written: str) -> None:
    assert normalizers.normalize("phone", written, region="DE") is None


def test_a_number_without_country_needs_a_region() -> None:
    assert normalizers.normalize("phone", "044 668 18 00") is None
    assert normalizers.normalize("phone", "044 668 18 00", region="CH") == "+41446681800"
    assert set(normalizers.candidates("phone", "030 123456", ("DE", "AT"))) >= {"+4930123456"}
    assert normalizers.candidates("phone", PHONE, ("US",)) == (PHONE,)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (" Ann.Lee+shop@GMail.com ", "annlee@gmail.com"),
        ("ann.lee@googlemail.com", "annlee@gmail.com"),
        ("Ann.Lee@Mail.Example", "ann.lee@mail.example"),
        ("mailto:ann@mail.example", "ann@mail.example"),
        ("ann\u200b@mail.example", "ann@mail.example"),
        ("\uff41nn@mail.example", "ann@mail.example"),
        ("ann", None),
        ("ann@", None),
        ("@mail.example", None),
        ("a b@mail.example", None),
        ("ann@mail", None),
        ("ann@@mail.example", None),
        ("+tag@mail.example", None),
        ("%' OR 1=1 --@x", None),
        (f"{'a' * 400}@mail.example", None),
    ],
)
def test_an_address_has_one_form(written: str, expected: str | None) -> None:
    assert normalizers.normalize("email", written) == expected


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("code", " ab-12 3 ", "AB123"),
        ("code", "\u2116", "NO"),
        ("code", "---", None),
        ("handle", "https://social.example/@Ann/", "ann"),
        ("handle", "@Ann", "ann"),
        ("handle", "two words", None),
        ("text", "INV-1", "INV-1"),
        ("text", "x" * 129, None),
    ],
)
def test_numbers_and_names_have_one_form(kind: str, written: str, expected: str | None) -> None:
    assert normalizers.normalize(kind, written) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("email", "noemail@shop.example", True),
        ("email", "ann@mail.example", False),
        ("phone", "+490000000000", True),
        ("phone", "+49123456789", True),
        ("phone", PHONE, False),
        ("code", "NONE", True),
        ("code", "0000", True),
        ("code", "RC10004711", False),
        ("code", "", False),
    ],
)
def test_placeholders_are_known(kind: str, value: str, expected: bool) -> None:
    assert normalizers.is_placeholder(kind, value) is expected


def test_names_are_compared_without_accents_and_case() -> None:
    assert normalizers.name_key(" José-María ") == normalizers.name_key("JOSE MARIA")
    assert normalizers.name_key("Straße") == "strasse"
    assert normalizers.name_key("李 小龍") == "李小龍"
    assert normalizers.name_key("…") == ""


def test_what_a_number_says_of_itself() -> None:
    assert normalizers.phone_country(PHONE) == "DE"
    assert normalizers.is_mobile(PHONE) is True
    assert normalizers.is_mobile("+4930123456") is False
    assert normalizers.is_mobile("not a number") is None
    assert normalizers.phone_country("not a number") is None


@given(st.sampled_from(normalizers.NORMALIZERS), st.one_of(TEXT, DIGITS))
def test_a_normal_form_is_its_own_normal_form(kind: str, text: str) -> None:
    form = normalizers.normalize(kind, text, region="DE")
    if form is not None:
        assert normalizers.normalize(kind, form, region="US") == form


@given(DIGITS)
def test_what_looks_like_a_number_is_e164_or_nothing(text: str) -> None:
    form = normalizers.normalize("phone", text, region="DE")
    assert form is None or (form[0] == "+" and form[1:].isdigit() and form.isascii())
