"""Decides which systems know a person, what they hold and how wrongly they spell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from roundview.demo import noise, texts
from roundview.demo.names import COUNTRIES
from roundview.demo.people import ESTATE_DATE, Person, random_for
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

_NOW = ESTATE_DATE.astimezone(UTC).replace(tzinfo=None)
_PLACEHOLDERS = 0.05
_CRM, _LEAD, _POS, _MAIL, _SUPPORT = 0.7, 0.08, 0.65, 0.6, 0.35
_CRM_TWICE, _POS_TWICE, _MAIL_TWICE, _SUPPORT_TWICE = 0.06, 0.05, 0.04, 0.03


def invent(person: Person, seed: int) -> History:
    """Returns a random history of a person; equal arguments give equal histories."""
    random = random_for(seed, "history", person.index)
    history = History()
    # Somebody whom no system knows would be nobody's customer.
    home = random.choice(("crm", "pos", "mail"))
    for system, share, twice in (
        ("crm", _CRM, _CRM_TWICE),
        ("pos", _POS, _POS_TWICE),
        ("mail", _MAIL, _MAIL_TWICE),
        ("support", _SUPPORT, _SUPPORT_TWICE),
    ):
        if system != home and random.random() > share:
            continue
        for copy in range(2 if random.random() < twice else 1):
            _ADD[system](history, person, random, copy)
    if random.random() < _LEAD:
        history.leads.append(_lead(person, random))
    return history


# -- CRM -------------------------------------------------------------------------------------


def _add_contact(history: History, person: Person, random: Random, copy: int) -> None:
    created = _between(random, person.joined)
    email: str | None = person.email.lower()
    if random.random() < 0.12:
        email = None
    elif random.random() < _PLACEHOLDERS:
        email = random.choice(noise.PLACEHOLDER_EMAILS)
    mobile: str | None = person.mobile if random.random() < 0.75 else None
    if person.former_mobile and random.random() < 0.5:
        mobile = person.former_mobile
    contact = Contact(
        first_name=noise.case(random, noise.given_name(random, person.given, often=0.1)),
        last_name=noise.case(random, _family(person, random)),
        email=email if not copy else noise.email(random, person.second_email).lower().strip(),
        alt_email=noise.email(random, _alternative(person)) if random.random() < 0.3 else None,
        phone=_landline(person, random) if random.random() < 0.6 else None,
        mobile=mobile,
        born_on=noise.birth_date(random, person.born) if random.random() < 0.55 else None,
        created_at=created,
        updated_at=_between(random, created.replace(tzinfo=UTC)),
        do_not_call=random.random() < 0.06,
        background_info=random.choice(texts.BACKGROUNDS) if random.random() < 0.08 else None,
        title=random.choice(texts.TITLES) if random.random() < 0.3 else None,
        linkedin=f"https://social.example/in/p{person.index}" if random.random() < 0.1 else None,
        deleted_at=_NOW - timedelta(days=30) if random.random() < 0.03 else None,
        account=random.randrange(texts.ACCOUNTS) if random.random() < 0.35 else None,
        has_left_account=random.random() < 0.1,
    )
    if random.random() < 0.6:
        contact.addresses.append(_address(person, random, "Billing"))
    if random.random() < 0.1:
        moved = replace(person, street=noise.typo(random, person.street))
        address = _address(moved, random, "Shipping")
        address.is_deleted = random.random() < 0.5
        contact.addresses.append(address)
    for _ in range(_few(random, 0.25)):
        contact.comments.append((random.choice(texts.COMMENTS), _since(random, created)))
    for _ in range(_few(random, 0.2)):
        contact.calls.append((random.choice(texts.CALLS), _since(random, created)))
    for _ in range(_few(random, 0.1)):
        contact.opportunities.append(_opportunity(random, created))
    history.contacts.append(contact)


def _opportunity(random: Random, created: datetime) -> Opportunity:
    at = _since(random, created)
    return Opportunity(
        name=random.choice(texts.DEALS),
        stage=random.choice(("prospecting", "proposal", "negotiation", "won", "lost")),
        probability=random.randrange(0, 101, 10),
        amount=Decimal(random.randrange(20_000, 900_000)) / 100,
        closes_on=(at + timedelta(days=90)).date(),
        created_at=at,
    )


def _lead(person: Person, random: Random) -> Lead:
    return Lead(
        first_name=noise.given_name(random, person.given, often=0.3),
        last_name=person.family,
        email=noise.email(random, person.email) if random.random() < 0.8 else None,
        phone=noise.phone(random, person.mobile, person.country),
        company=random.choice(texts.COMPANIES) if random.random() < 0.3 else None,
        status=random.choice(("new", "contacted", "converted", "rejected")),
        source=random.choice(("web", "campaign", "referral", "cold_call")),
        rating=random.randrange(6),
        created_at=_between(random, person.joined),
    )


# -- tills -----------------------------------------------------------------------------------


def _add_shopper(history: History, person: Person, random: Random, copy: int) -> None:
    at = _between(random, person.joined)
    phone = noise.phone(random, person.mobile, person.country)
    point = random.random()
    if point < 0.2:
        phone = ""
    elif point < 0.2 + _PLACEHOLDERS:
        phone = random.choice((*noise.PLACEHOLDER_PHONES, noise.HUB_PHONE))
    elif point < 0.4 and person.landline:
        phone = noise.phone(random, person.landline, person.country)
    email = noise.email(random, person.email) if random.random() < 0.45 else ""
    if random.random() < 0.1 and person.shared_email:
        email = person.shared_email
    has_address = random.random() < 0.5
    gender = {"female": 0, "male": 1}[person.gender]
    shopper = Shopper(
        first_name=noise.given_name(random, person.given, often=0.3),
        last_name=noise.case(random, _family(person, random)),
        gender=gender if random.random() < 0.7 else (9 if random.random() < 0.02 else None),
        phone=phone,
        email=email,
        street=person.street if has_address else "",
        city=person.city if has_address else "",
        postal_code=person.postal_code if has_address else "",
        country=random.choice(COUNTRIES[person.country].names) if has_address else "",
        account_number=loyalty_number(person.index, copy) if random.random() < 0.6 else None,
        points=random.randrange(0, 4_000),
        consent=random.choice((None, 0, 1, 1)),
        at=at,
        package=random.choice((None, 1, 2, 3)),
        comments=random.choice(texts.TILL_REMARKS) if random.random() < 0.05 else "",
        is_deleted=random.random() < 0.02,
    )
    home = {"DE": (1, 2), "CH": (3,), "GB": (4,), "FR": (1, 3)}[person.country]
    for _ in range(min(40, int(random.expovariate(0.28)))):
        shopper.sales.append(random_sale(random, random.choice(home), at))
    shopper.sales.sort(key=lambda sale: sale.at)
    history.shoppers.append(shopper)


def random_sale(random: Random, location: int, since: datetime) -> Sale:
    """Returns a sale in local time: mostly bought, some quotes, suspended, cancelled, returned."""
    day = _since(random, since).replace(hour=9 + random.randrange(11))
    lines = []
    for _ in range(1 + min(7, int(random.expovariate(0.7)))):
        point = random.random()
        line = Line(random.randrange(len(texts.ITEMS)), Decimal(random.choice((1, 1, 1, 2, 3))))
        if point < 0.1:
            line.discount = Decimal(random.choice((5, 10, 25)))
        elif point < 0.15:
            line.discount, line.discount_type = Decimal("0.50"), 1
        lines.append(line)
    if random.random() < 0.05:
        lines[0].quantity = Decimal(random.randrange(150, 2500)) / 1000
    sale = Sale(
        at=day,
        location=location,
        lines=lines,
        payment=random.choice(("Cash", "Debit Card", "Credit Card", "Gift Card")),
    )
    point = random.random()
    if point < 0.06:
        sale.kind = 4
        for line in lines:
            line.quantity = -line.quantity
    elif point < 0.09:
        sale.kind = 3
    elif point < 0.11:
        sale.status = 1
    elif point < 0.13:
        sale.status = 2
    elif point < 0.25:
        sale.kind = 1
    return sale


def loyalty_number(index: int, copy: int = 0) -> str:
    """Returns the number on the loyalty card of a person, in its normal form."""
    return f"RC{10_000_000 + index * 7 + copy * 5}"


# -- mail ------------------------------------------------------------------------------------


def _add_subscriber(history: History, person: Person, random: Random, copy: int) -> None:
    created = _between(random, person.joined)
    address = person.email if not copy else person.second_email
    if random.random() < 0.06 and person.shared_email:
        address = person.shared_email
    attribs: dict[str, object] = {"lang": person.language}
    if random.random() < 0.6:
        attribs["city"] = person.city
    if random.random() < 0.3:
        attribs["interests"] = random.sample(texts.INTERESTS, 2)
    if random.random() < 0.25:
        attribs["phone"] = noise.phone(random, person.mobile, person.country)
    subscriber = Subscriber(
        email=address.strip().lower(),
        name=person.full_name if random.random() < 0.85 else "",
        attribs=attribs,
        status=random.choice(("enabled",) * 17 + ("disabled", "blocklisted", "enabled")),
        created_at=created,
        updated_at=_since(random, created),
    )
    for number in random.sample(range(1, len(texts.LISTS) + 1), 1 + random.randrange(3)):
        status = random.choice(
            ("confirmed", "confirmed", "confirmed", "unconfirmed", "unsubscribed")
        )
        subscriber.lists.append((number, status, created, _since(random, created)))
    campaigns = [c for c, at in enumerate(texts.CAMPAIGN_DATES, 1) if at > created]
    for campaign in campaigns:
        sent = texts.CAMPAIGN_DATES[campaign - 1]
        if random.random() < 0.03:
            kind = random.choice(("soft", "hard", "complaint"))
            subscriber.bounces.append((campaign, kind, sent + timedelta(minutes=2)))
            continue
        for _ in range(_few(random, 0.45)):
            at = sent + timedelta(minutes=random.randrange(1, 4_000))
            subscriber.views.append((campaign, at))
            if random.random() < 0.25:
                link = 1 + random.randrange(len(texts.LINKS))
                subscriber.clicks.append((campaign, link, at + timedelta(seconds=40)))
    history.subscribers.append(subscriber)


# -- support ---------------------------------------------------------------------------------


def _add_user(history: History, person: Person, random: Random, copy: int) -> None:
    created = _between(random, person.joined)
    first = noise.given_name(random, person.given, often=0.1)
    emails = [noise.email(random, person.email).strip()]
    if copy:
        emails = [person.second_email]
    elif random.random() < 0.2:
        emails.append(person.second_email)
    phone: str | None = noise.phone(random, person.mobile, person.country)
    if random.random() < 0.4:
        phone = None
    elif random.random() < 0.1 and person.landline:
        phone = noise.phone(random, person.landline, person.country)
    user = HelpUser(
        name=f"{first} {person.family}",
        emails=emails,
        phone=phone,
        created=created,
        updated=_since(random, created),
    )
    for _ in range(1 + min(11, int(random.expovariate(0.7)))):
        user.tickets.append(_ticket(person, random, created))
    user.tickets.sort(key=lambda ticket: ticket.created)
    history.users.append(user)


def _ticket(person: Person, random: Random, since: datetime) -> Ticket:
    subject, body, answer, topic = random.choice(texts.TICKETS)
    created = _since(random, since)
    answered = created + timedelta(minutes=random.randrange(10, 2_000))
    status = random.choice(("open", "resolved", "closed", "closed", "closed"))
    agent = random.choice(texts.AGENTS)
    entries = [Entry("M", person.full_name, body, created)]
    closed = None
    if status != "open" or random.random() < 0.5:
        entries.append(Entry("R", agent, answer, answered))
    if random.random() < 0.2:
        entries.append(Entry("N", agent, random.choice(texts.INTERNAL), answered))
    if status != "open":
        closed = answered + timedelta(hours=random.randrange(1, 90))
    rating = None
    if closed is not None and random.random() < 0.4:
        score = random.choice((1, 2, 3, 4, 4, 5, 5))
        remark = random.choice(texts.REMARKS[score > 2])
        rating = (score, remark, closed + timedelta(hours=5))
    return Ticket(
        subject=subject,
        status=status,
        priority=random.choice(("low", "normal", "normal", "high", "emergency")),
        channel=random.choice(("Web", "Email", "Phone", "Other")),
        topic=topic,
        agent=agent if len(entries) > 1 else None,
        created=created,
        closed=closed,
        entries=entries,
        rating=rating,
    )


# -- shared ----------------------------------------------------------------------------------


def walk_ins(seed: int, count: int) -> Iterator[Sale]:
    """Yields sales to nobody in particular."""
    random = random_for(seed, "walk-ins")
    start = _NOW - timedelta(days=700)
    for _ in range(count):
        yield random_sale(random, 1 + random.randrange(4), start)


def _address(person: Person, random: Random, kind: str) -> Address:
    names = COUNTRIES[person.country].names
    return Address(person.street, person.city, person.postal_code, random.choice(names), kind)


def _family(person: Person, random: Random) -> str:
    return noise.typo(random, person.family) if random.random() < 0.04 else person.family


def _alternative(person: Person) -> str:
    return person.shared_email or person.second_email


def _landline(person: Person, random: Random) -> str | None:
    if random.random() < _PLACEHOLDERS:
        return random.choice(noise.PLACEHOLDER_PHONES)
    return noise.phone(random, person.landline, person.country) if person.landline else None


def _between(random: Random, joined: datetime) -> datetime:
    start = joined.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return _since(random, start) if random.random() < 0.5 else start


def _since(random: Random, start: datetime) -> datetime:
    seconds = max(1, int((_NOW - start).total_seconds()))
    return start + timedelta(seconds=random.randrange(seconds))


def _few(random: Random, share: float) -> int:
    return int(random.random() < share) + int(random.random() < share * share)


_ADD = {
    "crm": _add_contact,
    "pos": _add_shopper,
    "mail": _add_subscriber,
    "support": _add_user,
}
