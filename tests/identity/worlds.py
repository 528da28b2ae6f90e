"""Decides which people and records the identity tests speak of."""

from __future__ import annotations

import random
from collections.abc import Iterator

from roundview_catalog.model import IdentifierKind
from roundview_identity.keys import Keys
from roundview_identity.records import Record
from roundview_identity.rules import Rules

KEYS = Keys(b"the secret of the identity tests")
RULES = Rules(
    {
        kind.name: kind
        for kind in (
            IdentifierKind("email", "", "email", max_records=8, blocked=("shared@*",)),
            IdentifierKind("phone", "", "phone", max_records=8),
            IdentifierKind("landline", "", "phone", usage="shared"),
            IdentifierKind("loyalty_no", "", "code", usage="unique"),
            IdentifierKind("customer_id", "", "text", usage="unique"),
            IdentifierKind("order_number", "", "text", is_live=True),
        )
    }
)
SOURCES = ("crm", "mail", "pos", "support")


def record(
    name: str,
    given: str = "",
    *,
    family: str = "",
    born: str = "",
    **identifiers: str | tuple[str, ...],
) -> Record:
    """Returns a record: `record("crm/1", "Ann", email="a@x.example", phone=("+491", "+492"))`."""
    source, _, key = name.partition("/")
    pairs = [
        (kind, value)
        for kind, values in identifiers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return Record(source, key, tuple(pairs), given, family, born)


def clock() -> int:
    """Returns the same millisecond always: ids then depend on `randoms` alone."""
    return 1_800_000_000_000


def randoms(seed: int = 1) -> random.Random:
    """Returns a source of random bytes that repeats itself."""
    return random.Random(seed)


GIVEN = [
    "Ottokar",
    "Wilhelmina",
    "Zebulon",
    "Quirin",
    "Philippa",
    "Xaver",
    "Rosamund",
    "Yasmin",
    "Benedikt",
    "Umberto",
    "Henrietta",
    "Katinka",
    "Dorothea",
    "Gustav",
    "Evangeline",
    "Ferdinand",
]
FAMILY = [
    "Lindqvist",
    "Abernathy",
    "Castellano",
    "Drozdowski",
    "Eisenhauer",
    "Fitzgerald",
    "Grunewald",
]


def town(seed: int, people: int) -> Iterator[tuple[Record, int]]:
    """Yields records of a town with the number of their person: households that share phones
    and some an email, nicknames left out, missing fields, duplicates, one hub number."""
    rng = random.Random(seed)
    key = 0
    for person in range(people):
        household = person // 3
        given = GIVEN[(person * 7 + person // 3) % len(GIVEN)]
        family = FAMILY[household % len(FAMILY)]
        born = f"{1940 + person % 60}-{1 + person % 12:02}-{1 + person % 28:02}"
        email = f"{given}.{family}.{person}@mail.example".lower()
        phone = f"+4930{5_000_000 + (household if person % 3 else person + 100_000)}"
        for source in SOURCES:
            for _ in range(rng.choice((0, 1, 1, 1, 2))):
                key += 1
                identifiers = []
                if rng.random() < 0.7:
                    identifiers.append(("email", email))
                if rng.random() < 0.6:
                    identifiers.append(("phone", phone))
                if rng.random() < 0.02:
                    identifiers.append(("phone", "+498005550100"))
                if source == "pos" and rng.random() < 0.5:
                    identifiers.append(("loyalty_no", f"LOYAL{person}"))
                yield (
                    Record(
                        source,
                        f"k{key}",
                        tuple(identifiers),
                        given if rng.random() < 0.9 else "",
                        family,
                        born if rng.random() < 0.4 else "",
                    ),
                    person,
                )
