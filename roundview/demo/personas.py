"""Decides the few people whom documentation, desk and tests know by name.

Their numbers are from ranges that are kept free for films and books.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from roundview.demo import noise
from roundview.demo.records import (
    Address,
    Contact,
    Entry,
    HelpUser,
    History,
    Lead,
    Line,
    Opportunity,
    Sale,
    Shopper,
    Subscriber,
    Ticket,
)


@dataclass(frozen=True, slots=True)
class Persona:
    """One known person: what systems hold of them and what a caller would say.

    `identifiers`: kind -> values in the spellings of the systems.
    """

    name: str
    title: str
    history: History = field(default_factory=History)
    identifiers: dict[str, list[str]] = field(default_factory=dict)


WALK_IN_NUMBER = "R-200001"
NIGHT_OF_TWO_HOURS = datetime(2025, 10, 26, 2, 30)  # noqa: DTZ001
"""A local time in Berlin that happened twice."""

_CREATED = datetime(2021, 3, 9, 8, 15)  # noqa: DTZ001
_UPDATED = datetime(2026, 4, 17, 13, 5)  # noqa: DTZ001


def personas() -> tuple[Persona, ...]:
    """Returns everybody known by name; the first is the one who is in every system."""
    return (
        _heroine(),
        *_household(),
        *_twins(),
        _twice_in_crm(),
        _british(),
        _right_to_left(),
        _japanese(),
        _placeholder(),
        _lead_only(),
    )


STRANGER = Persona(
    "stranger",
    "Nobody: no system knows these identifiers",
    identifiers={"email": ["nobody.knows@mail.example"], "phone": ["+49 171 3920099"]},
)


def newcomer() -> Persona:
    """Returns somebody who is in no system yet; `estate.welcome` adds the contact to the CRM."""
    contact = _contact("Ines", "Morgenroth", "ines.morgenroth@mail.example", "+491713920077")
    return Persona(
        "newcomer",
        "Becomes a contact of the CRM while everything runs",
        History(contacts=[contact]),
        {"email": ["ines.morgenroth@mail.example"], "phone": ["+49 171 3920077"]},
    )


def _heroine() -> Persona:
    contact = _contact("Leonie", "Vogt", "leonie.vogt@mail.example", "+491713920042")
    contact.alt_email = "l.vogt@work.example"
    contact.phone = "030 / 23125 042"
    contact.born_on = date(1987, 5, 4)
    contact.do_not_call = True
    contact.background_info = "Runs a small café, buys for it and for the family."
    contact.title = "Owner"
    contact.account = 3
    contact.linkedin = "https://social.example/in/leonie-vogt"
    contact.addresses = [
        Address("Lindenallee 12", "Berlin", "10115", "Germany"),
        Address("Alte Gasse 3", "Potsdam", "14467", "Germany", "Shipping", is_deleted=True),
    ]
    contact.comments = [("Wants to hear about the new roast.", _at(2026, 2, 11, 9, 40))]
    contact.calls = [
        ("Promised a replacement grinder", _at(2026, 5, 28, 14, 20)),
        ("Renewal call", _at(2026, 6, 20, 9, 0)),
    ]
    contact.opportunities = [
        Opportunity(
            "Office coffee, 12 months", "negotiation", 60, Decimal("4200.00"),
            date(2026, 7, 31), _at(2026, 5, 2, 10, 0),
        )
    ]  # fmt: skip
    shopper = Shopper(
        first_name="Leonie", last_name="VOGT", gender=0, phone="0171/3920042",
        email="Leonie.Vogt@MAIL.example ", street="Lindenallee 12", city="Berlin",
        postal_code="10115", country="Deutschland", account_number="RC10004711", points=2310,
        consent=1, at=_at(2022, 11, 5, 16, 30), package=3,
    )  # fmt: skip
    shopper.sales = [
        Sale(_at(2025, 3, 14, 17, 2), 1, [_line(0, 2), _line(5, 3)], payment="Debit Card"),
        Sale(NIGHT_OF_TWO_HOURS, 1, [_line(14, 2)], payment="Cash", comment="Night of coffee"),
        Sale(_at(2025, 12, 20, 11, 45), 3, [_line(28, 1), _line(25, 4)], payment="Credit Card"),
        Sale(
            _at(2026, 4, 3, 15, 10), 1,
            [Line(22, Decimal(1), Decimal(10)), Line(0, Decimal(1), Decimal("0.50"), 1)],
            kind=1, payment="Credit Card", number="INV-204711",
        ),
        Sale(_at(2026, 4, 9, 10, 30), 1, [_line(5, -1)], kind=4, payment="Cash"),
        Sale(_at(2026, 5, 30, 12, 0), 1, [_line(20, 1)], kind=3),
        Sale(_at(2026, 5, 31, 18, 15), 2, [_line(2, 1)], status=1),
    ]  # fmt: skip
    subscriber = Subscriber(
        "leonie.vogt@mail.example", "Leonie Vogt",
        {"lang": "de", "city": "Berlin", "interests": ["espresso", "courses"]},
        "enabled", _CREATED, _UPDATED,
        lists=[
            (1, "confirmed", _CREATED, _CREATED),
            (2, "unsubscribed", _CREATED, _at(2025, 9, 1, 7, 0)),
            (4, "unconfirmed", _UPDATED, _UPDATED),
        ],
        views=[(23, _at(2026, 4, 21, 6, 12)), (24, _at(2026, 5, 12, 5, 55))],
        clicks=[(24, 3, _at(2026, 5, 12, 5, 57))],
        bounces=[(20, "soft", _at(2026, 2, 17, 7, 2))],
    )  # fmt: skip
    user = HelpUser(
        "Leonie Vogt", ["leonie.vogt+help@mail.example", "l.vogt@work.example"],
        "0049 171 3920042", _at(2023, 2, 1, 12, 0), _at(2026, 5, 29, 8, 0),
    )  # fmt: skip
    user.tickets = [
        Ticket(
            "Invoice missing", "closed", "low", "Email", "Billing", "Tom Becker",
            _at(2025, 12, 22, 9, 0), _at(2025, 12, 23, 10, 0),
            [
                Entry("M", "Leonie Vogt", "I need the invoice for my tax return.",
                      _at(2025, 12, 22, 9, 0)),
                Entry("R", "Tom Becker", "You find it attached.", _at(2025, 12, 23, 9, 45)),
            ],
            rating=(5, "Quick and friendly!", _at(2025, 12, 23, 18, 0)),
        ),
        Ticket(
            "Grinder makes a loud noise", "open", "high", "Phone", "Repair", "Maya Lindqvist",
            _at(2026, 5, 27, 7, 50), None,
            [
                Entry("M", "Leonie Vogt", "Since this morning it screams when I switch it on.",
                      _at(2026, 5, 27, 7, 50)),
                Entry("R", "Maya Lindqvist", "We will send a replacement by Friday.",
                      _at(2026, 5, 28, 14, 30)),
                Entry("N", "Maya Lindqvist", "Promised: replacement by Friday.",
                      _at(2026, 5, 28, 14, 31)),
            ],
            order_number="INV-204711", number="472913",
        ),
    ]  # fmt: skip
    return Persona(
        "heroine",
        "Leonie Vogt, in all four systems, with an open case",
        History([contact], [], [shopper], [subscriber], [user]),
        {
            "email": ["leonie.vogt@mail.example", "Leonie.Vogt@MAIL.example",
                      "leonie.vogt+help@mail.example", "l.vogt@work.example"],
            "phone": ["+491713920042", "0171/3920042", "0049 171 3920042", "+49 (0)171-3920042"],
            "loyalty_no": ["RC10004711", "rc 1000 4711"],
            "order_number": ["INV-204711"],
            "case_number": ["472913"],
        },
    )  # fmt: skip


def _household() -> tuple[Persona, Persona]:
    """Two adults behind one landline: the number alone names neither."""
    landline = "+49 30 23125 114"
    jonas = _contact("Jonas", "Keller", "jonas.keller@post.example", "+491713920014")
    jonas.phone = "030 23125114"
    jonas.born_on = date(1979, 1, 30)
    jonas.addresses = [Address("Ringstraße 7", "Berlin", "10247", "DE")]
    marta = _shopper("Marta", "Keller", "(030) 23125-114", "marta.keller@web.example", 0)
    marta.street, marta.city, marta.postal_code = "Ringstraße 7", "Berlin", "10247"
    marta.country = "DE"
    marta.sales = [Sale(_at(2026, 3, 2, 10, 5), 2, [_line(10, 2)], payment="Cash")]
    second = _contact("Marta", "Keller", "marta.keller@web.example", None)
    second.phone = landline
    return (
        Persona(
            "household_first",
            "Jonas Keller, shares a landline with Marta",
            History(contacts=[jonas]),
            {"email": ["jonas.keller@post.example"], "phone": ["+491713920014", landline]},
        ),
        Persona(
            "household_second",
            "Marta Keller, shares a landline with Jonas",
            History(contacts=[second], shoppers=[marta]),
            {"email": ["marta.keller@web.example"], "phone": [landline]},
        ),
    )


def _twins() -> tuple[Persona, Persona]:
    """Same surname, birth date, street and one family address; still two people."""
    result = []
    for given, mobile in (("Emil", "+491713920021"), ("Oskar", "+491713920022")):
        contact = _contact(given, "Sommer", "familie.sommer@post.example", mobile)
        contact.born_on = date(1996, 8, 19)
        contact.addresses = [Address("Gartenweg 5", "Leipzig", "04109", "Deutschland")]
        identifiers = {"phone": [mobile], "email": ["familie.sommer@post.example"]}
        history = History(contacts=[contact])
        result.append(
            Persona(f"twin_{given.lower()}", f"{given} Sommer, a twin", history, identifiers)
        )
    return result[0], result[1]


def _twice_in_crm() -> Persona:
    first = _contact("Thomas", "Brandt", "thomas.brandt@example.net", "+491713920033")
    second = _contact("Tom", "Brandt", "brandt@work.example", "+491713920033")
    second.alt_email = "Thomas.Brandt@example.net"
    second.created_at = _at(2025, 1, 8, 10, 0)
    shopper = _shopper("T.", "Brandt", "0171-3920033", "thomas.brandt@example.net", 1)
    shopper.sales = [Sale(_at(2026, 1, 15, 13, 0), 1, [_line(4, 1)], payment="Debit Card")]
    return Persona(
        "twice_in_crm",
        "Thomas Brandt, entered twice in the CRM",
        History(contacts=[first, second], shoppers=[shopper]),
        {"email": ["thomas.brandt@example.net", "brandt@work.example"],
         "phone": ["+491713920033"]},
    )  # fmt: skip


def _british() -> Persona:
    shopper = _shopper("Maggie", "Walker", "07700 900123", "m.walker@example.org", 0)
    shopper.street, shopper.city, shopper.postal_code = "4 Mill Lane", "London", "SW1A 2AA"
    shopper.country, shopper.consent = "United Kingdom", 0
    shopper.sales = [
        Sale(_at(2026, 2, 3, 14, 0), 4, [_line(21, 1), Line(0, Decimal("0.250"))], payment="Cash")
    ]
    user = HelpUser(
        "Margaret Walker", ["m.walker@example.org"], "+44 7700 900123", _CREATED, _UPDATED
    )
    return Persona(
        "british",
        "Margaret Walker, pays in pounds; her number has no country at the till",
        History(shoppers=[shopper], users=[user]),
        {"email": ["m.walker@example.org"], "phone": ["+447700900123"]},
    )


def _right_to_left() -> Persona:
    contact = _contact("ليلى", "الحداد", "layla@example.org", "+491713920055")
    subscriber = Subscriber(
        "layla@example.org", "ليلى الحداد", {"lang": "ar"}, "enabled", _CREATED, _UPDATED
    )
    return Persona(
        "right_to_left",
        "A name that is written from right to left",
        History(contacts=[contact], subscribers=[subscriber]),
        {"email": ["layla@example.org"], "phone": ["+491713920055"]},
    )


def _japanese() -> Persona:
    shopper = _shopper("花子", "佐藤", "０１７１－３９２００６６", "hanako@example.com", 0)
    subscriber = Subscriber(
        "hanako@example.com", "佐藤 花子", {"lang": "ja"}, "blocklisted", _CREATED, _UPDATED
    )
    return Persona(
        "japanese",
        "A name and a phone number in wide characters; on the mail tool's blocklist",
        History(shoppers=[shopper], subscribers=[subscriber]),
        {"email": ["hanako@example.com"], "phone": ["+491713920066"]},
    )


def _placeholder() -> Persona:
    contact = _contact("Karl", "Weiß", noise.PLACEHOLDER_EMAILS[0], None)
    contact.phone = noise.PLACEHOLDER_PHONES[0]
    return Persona(
        "placeholder", "Karl Weiß, of whom clerks knew nothing", History(contacts=[contact])
    )


def _lead_only() -> Persona:
    lead = Lead(
        "Agnès", "Fournier", "agnes.fournier@post.example", "+33 1 99 00 12 34", None,
        "contacted", "campaign", 4, _UPDATED,
    )  # fmt: skip
    return Persona(
        "lead_only",
        "Agnès Fournier, only a lead so far",
        History(leads=[lead]),
        {"email": ["agnes.fournier@post.example"], "phone": ["+33199001234"]},
    )


def _contact(given: str, family: str, email: str, mobile: str | None) -> Contact:
    return Contact(given, family, email, None, None, mobile, None, _CREATED, _UPDATED)


def _shopper(given: str, family: str, phone: str, email: str, gender: int) -> Shopper:
    return Shopper(given, family, gender, phone, email, "", "", "", "", None, 120, None, _CREATED)


def _line(item: int, quantity: int) -> Line:
    return Line(item, Decimal(quantity))


def _at(year: int, month: int, day: int, hour: int, minute: int) -> datetime:
    return datetime(year, month, day, hour, minute)  # noqa: DTZ001
