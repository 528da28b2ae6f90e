"""Decides how a true value looks after people typed it into a system."""

from __future__ import annotations

from datetime import date
from random import Random

from roundview.demo.names import COUNTRIES, NICKNAMES

PLACEHOLDER_EMAILS = ("noemail@example.com", "na@example.com", "none@mail.example")
PLACEHOLDER_PHONES = ("000000", "+49 000 0000000", "1111111")
HUB_PHONE = "0800 0000800"
"""The company's own hotline, which clerks type where a number is demanded."""

_NEIGHBOURS = {"a": "s", "e": "r", "i": "o", "n": "m", "r": "t", "s": "d", "t": "z", "m": "n"}


def phone(random: Random, number: str, country: str) -> str:
    """Returns an E.164 number as someone in its country writes it."""
    dial = COUNTRIES[country].dial
    national = number.removeprefix(f"+{dial}")
    head, tail = national[:3], national[3:]
    return (
        number,
        f"+{dial} {head} {tail[:4]} {tail[4:]}".rstrip(),
        f"0{head} {tail}",
        f"0{head}/{tail}",
        f"(0{head}) {tail[:3]}-{tail[3:]}",
        f"00{dial} {head} {tail}",
        f"0{national}",
        f"+{dial} (0){head}-{tail}",
    )[random.randrange(8)]


def email(random: Random, address: str) -> str:
    """Returns an address in another spelling of the same mailbox."""
    local, _, domain = address.partition("@")
    return (
        address,
        address,
        address.upper(),
        f"{local.capitalize()}@{domain}",
        f" {address} ",
        f"{local}+shop@{domain}",
    )[random.randrange(6)]


def given_name(random: Random, given: str, *, often: float = 0.2) -> str:
    """Returns a first name, sometimes as a nickname, an initial or with a typo."""
    point = random.random()
    if point > often:
        return given
    if point < often * 0.5:
        return NICKNAMES.get(given, given)
    if point < often * 0.7 and given.isascii():
        return f"{given[0]}."
    return typo(random, given)


def typo(random: Random, text: str) -> str:
    """Returns a text with one slip of the fingers."""
    if len(text) < 4:
        return text
    at = random.randrange(1, len(text) - 1)
    kind = random.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    return text[:at] + _NEIGHBOURS.get(text[at], text[at] * 2) + text[at + 1 :]


def case(random: Random, text: str) -> str:
    """Returns a text sometimes in capitals or in lower case."""
    point = random.random()
    if point < 0.05:
        return text.upper()
    return text.lower() if point < 0.08 else text


def birth_date(random: Random, born: date) -> date:
    """Returns a birth date, sometimes with day and month exchanged."""
    if random.random() < 0.02 and born.day <= 12:
        return date(born.year, born.day, born.month)
    return born
