"""Decides what each of the four systems holds about a person, before it is written.

Times are naive: UTC, except for sales, which are local to the till.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any


@dataclass(slots=True)
class Address:
    """A postal address as one system spells it."""

    street: str
    city: str
    postal_code: str
    country: str
    kind: str = "Billing"
    is_deleted: bool = False


@dataclass(slots=True)
class Opportunity:
    """A deal of the CRM."""

    name: str
    stage: str
    probability: int
    amount: Decimal
    closes_on: date
    created_at: datetime
    source: str = "web"


@dataclass(slots=True)
class Contact:
    """A contact of the CRM with what hangs on it; `calls` and `comments` are (text, when)."""

    first_name: str
    last_name: str
    email: str | None
    alt_email: str | None
    phone: str | None
    mobile: str | None
    born_on: date | None
    created_at: datetime
    updated_at: datetime
    do_not_call: bool = False
    background_info: str | None = None
    title: str | None = None
    linkedin: str | None = None
    deleted_at: datetime | None = None
    account: int | None = None
    has_left_account: bool = False
    addresses: list[Address] = field(default_factory=list)
    comments: list[tuple[str, datetime]] = field(default_factory=list)
    calls: list[tuple[str, datetime]] = field(default_factory=list)
    opportunities: list[Opportunity] = field(default_factory=list)


@dataclass(slots=True)
class Lead:
    """A lead of the CRM."""

    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    company: str | None
    status: str
    source: str
    rating: int
    created_at: datetime
    do_not_call: bool = False
    deleted_at: datetime | None = None


@dataclass(slots=True)
class Line:
    """A line of a sale: `discount_type` 0 is percent of the line, 1 an amount off the line."""

    item: int
    quantity: Decimal
    discount: Decimal = Decimal(0)
    discount_type: int = 0


@dataclass(slots=True)
class Sale:
    """A sale at a till; `status` and `kind` are the till's codes."""

    at: datetime
    location: int
    lines: list[Line]
    status: int = 0
    kind: int = 0
    payment: str = "Cash"
    comment: str = ""
    number: str | None = None


@dataclass(slots=True)
class Shopper:
    """A customer of the tills."""

    first_name: str
    last_name: str
    gender: int | None
    phone: str
    email: str
    street: str
    city: str
    postal_code: str
    country: str
    account_number: str | None
    points: int
    consent: int | None
    at: datetime
    package: int | None = None
    comments: str = ""
    is_deleted: bool = False
    sales: list[Sale] = field(default_factory=list)


@dataclass(slots=True)
class Subscriber:
    """A subscriber of the mail tool; views and bounces are (campaign, when)."""

    email: str
    name: str
    attribs: dict[str, Any]
    status: str
    created_at: datetime
    updated_at: datetime
    lists: list[tuple[int, str, datetime, datetime]] = field(default_factory=list)
    views: list[tuple[int, datetime]] = field(default_factory=list)
    clicks: list[tuple[int, int, datetime]] = field(default_factory=list)
    bounces: list[tuple[int, str, datetime]] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """One entry of a ticket's thread: `kind` M by the user, R by staff, N an internal note."""

    kind: str
    poster: str
    body: str
    at: datetime


@dataclass(slots=True)
class Ticket:
    """A ticket of the support desk."""

    subject: str
    status: str
    priority: str
    channel: str
    topic: str
    agent: str | None
    created: datetime
    closed: datetime | None
    entries: list[Entry]
    rating: tuple[int, str, datetime] | None = None
    order_number: str | None = None
    number: str | None = None


@dataclass(slots=True)
class HelpUser:
    """A user of the support desk; the first email is the default one."""

    name: str
    emails: list[str]
    phone: str | None
    created: datetime
    updated: datetime
    tickets: list[Ticket] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """Everything the four systems hold about one person."""

    contacts: list[Contact] = field(default_factory=list)
    leads: list[Lead] = field(default_factory=list)
    shoppers: list[Shopper] = field(default_factory=list)
    subscribers: list[Subscriber] = field(default_factory=list)
    users: list[HelpUser] = field(default_factory=list)
