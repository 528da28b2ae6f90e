"""Decides who the invented people are, as they would describe themselves.

People come in households that share a surname, a street, a landline and sometimes an email
address. Each household depends on the seed and its number only, so that any number of people
can be made one after the other in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from roundview.demo.names import (
    COUNTRIES,
    COUNTRY_SHARES,
    CULTURES,
    MAIL_DOMAINS,
    Country,
    Culture,
    ascii_name,
)

ESTATE_DATE = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""The moment up to which the estate's history goes."""

_HOUSEHOLD_SIZES = ((1, 0.55), (2, 0.25), (3, 0.1), (4, 0.1))
_SHARES_EMAIL = 0.12
_OTHER_SURNAME = 0.15
_TWINS = 0.02
_JUNIOR = 0.03
_LANDLINE = 0.7


@dataclass(frozen=True, slots=True)
class Person:
    """One person; phones are in E.164 form, `landline` and `shared_email` are the household's."""

    index: int
    household: int
    given: str
    family: str
    gender: str
    born: date
    country: str
    city: str
    street: str
    postal_code: str
    email: str
    second_email: str
    shared_email: str
    mobile: str
    landline: str
    former_mobile: str
    joined: datetime
    language: str
    script: str = "latin"

    @property
    def full_name(self) -> str:
        """Returns given and family name."""
        return f"{self.given} {self.family}"


def random_for(seed: int, *parts: object) -> Random:
    """Returns a random source that depends on the seed and the parts only."""
    return Random("/".join(map(str, (seed, *parts))))  # noqa: S311


def pick(random: Random, shares: tuple[tuple[object, float], ...]) -> object:
    """Returns one of the values by their shares."""
    point = random.random()
    for value, share in shares:
        point -= share
        if point < 0:
            return value
    return shares[-1][0]


def make_people(count: int, seed: int, first: int = 0) -> Iterator[Person]:
    """Yields `count` people, numbered from `first`, household by household."""
    index = first
    household = 0
    while index < first + count:
        for member in _household(seed, household, index):
            if index == first + count:
                return
            yield member
            index += 1
        household += 1


def _household(seed: int, number: int, first: int) -> Iterator[Person]:
    random = random_for(seed, "household", number)
    code = str(pick(random, COUNTRY_SHARES))
    country = COUNTRIES[code]
    culture_name = str(pick(random, country.cultures))
    culture = CULTURES[culture_name]
    place = random.choice(country.places)
    family = random.choice(culture.family)
    street = _street(random, country, code)
    postal = _postal_code(random, code, place.postal)
    landline = ""
    if random.random() < _LANDLINE:
        landline = f"+{country.dial}{place.area}" + _digits(
            number, country.landline_length - len(place.area)
        )
    size = int(str(pick(random, _HOUSEHOLD_SIZES)))
    domain = random.choice(MAIL_DOMAINS)
    local = ascii_name(family) or "family"
    shared = f"familie.{local}{number}@{domain}" if random.random() < _SHARES_EMAIL else ""
    eldest: Person | None = None
    for place_in_household in range(size):
        member = _member(random, first + place_in_household, number, code, country, culture, family)
        member = replace(
            member,
            city=place.city,
            street=street,
            postal_code=postal,
            landline=landline,
            shared_email=shared if size > 1 else "",
            script=culture.script,
        )
        if eldest is not None:
            member = _related(random, member, eldest, culture)
        eldest = eldest or member
        yield member


def _member(
    random: Random,
    index: int,
    household: int,
    code: str,
    country: Country,
    culture: Culture,
    family: str,
) -> Person:
    gender = "female" if random.random() < 0.52 else "male"
    given = random.choice(culture.female if gender == "female" else culture.male)
    born = date(1938, 1, 1) + timedelta(days=random.randrange(25_000))
    joined = ESTATE_DATE - timedelta(
        days=random.randrange(60, 2_600), seconds=random.randrange(86_400)
    )
    return Person(
        index=index,
        household=household,
        given=given,
        family=family,
        gender=gender,
        born=born,
        country=code,
        city="",
        street="",
        postal_code="",
        email=_email(random, index, given, family, born),
        second_email=f"{ascii_name(family) or 'work'}{index}@work.example",
        shared_email="",
        mobile=_mobile(country, index),
        landline="",
        former_mobile=_mobile(country, index - 37) if index > 37 and random.random() < 0.01 else "",
        joined=joined,
        language={"DE": "de", "CH": "de", "GB": "en", "FR": "fr"}[code],
    )


def _related(random: Random, member: Person, eldest: Person, culture: Culture) -> Person:
    point = random.random()
    if point < _TWINS:
        return replace(member, born=eldest.born)
    if point < _TWINS + _JUNIOR and member.gender == eldest.gender:
        return replace(member, given=eldest.given, born=eldest.born + timedelta(days=10_000))
    if point < _TWINS + _JUNIOR + _OTHER_SURNAME:
        return replace(member, family=random.choice(culture.family))
    return member


def _email(random: Random, index: int, given: str, family: str, born: date) -> str:
    first, last = ascii_name(given), ascii_name(family)
    domain = random.choice(MAIL_DOMAINS)
    if not first or not last:
        return f"user{index}@{domain}"
    style = random.randrange(4)
    local = (
        f"{first}.{last}{index}",
        f"{first[0]}.{last}{index}",
        f"{last}.{first}.{born.year}.{index}",
        f"{first}{last}{index}",
    )[style]
    return f"{local}@{domain}"


def _mobile(country: Country, index: int) -> str:
    rest = _digits(index, country.mobile_length - len(country.mobile))
    return f"+{country.dial}{country.mobile}{rest}"


def _digits(number: int, length: int) -> str:
    """Returns digits that look random and are one-to-one with the number."""
    size = 10**length
    return str((number * 7_368_787 + 2_718_281) % size).rjust(length, "0")


def _street(random: Random, country: Country, code: str) -> str:
    name, house = random.choice(country.streets), random.randrange(1, 120)
    return f"{house} {name}" if code in ("GB", "FR") else f"{name} {house}"


def _postal_code(random: Random, code: str, start: str) -> str:
    if code == "GB":
        return (
            f"{start}{random.randrange(1, 20)} {random.randrange(1, 9)}{random.choice('ABDEFG')}H"
        )
    length = 4 if code == "CH" else 5
    rest = length - len(start)
    return start + str(random.randrange(10**rest)).rjust(rest, "0")
