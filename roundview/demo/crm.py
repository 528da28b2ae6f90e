"""Writes the CRM: contacts, leads and deals with soft deletes and polymorphic children."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from roundview.demo import texts
from roundview.demo.people import ESTATE_DATE
from roundview.demo.records import Contact, Lead
from roundview.demo.writer import TableWriter

FILE = "crm.db"
FIRST_CONTACT = 1001
FIRST_LEAD = 501

_START = ESTATE_DATE.replace(tzinfo=None) - timedelta(days=3_000)

DDL = (
    """CREATE TABLE users (
        id integer PRIMARY KEY, username varchar(32) NOT NULL, email varchar(254),
        first_name varchar(32), last_name varchar(32), created_at datetime NOT NULL,
        deleted_at datetime)""",
    """CREATE TABLE accounts (
        id integer PRIMARY KEY, user_id integer, name varchar(64) NOT NULL, website varchar(64),
        toll_free_phone varchar(32), phone varchar(32), email varchar(254), rating integer,
        category varchar(32), deleted_at datetime, created_at datetime NOT NULL,
        updated_at datetime NOT NULL)""",
    """CREATE TABLE contacts (
        id integer PRIMARY KEY, user_id integer, lead_id integer, assigned_to integer,
        first_name varchar(64) NOT NULL, last_name varchar(64) NOT NULL, access varchar(8),
        title varchar(64), department varchar(64), source varchar(32), email varchar(254),
        alt_email varchar(254), phone varchar(32), mobile varchar(32), fax varchar(32),
        linkedin varchar(128), born_on date, do_not_call boolean NOT NULL DEFAULT 0,
        background_info text, deleted_at datetime, created_at datetime NOT NULL,
        updated_at datetime NOT NULL)""",
    """CREATE TABLE account_contacts (
        id integer PRIMARY KEY, account_id integer NOT NULL, contact_id integer NOT NULL,
        deleted_at datetime, created_at datetime NOT NULL)""",
    """CREATE TABLE addresses (
        id integer PRIMARY KEY, street1 varchar(255), street2 varchar(255), city varchar(64),
        state varchar(64), zipcode varchar(16), country varchar(64), address_type varchar(16),
        addressable_type varchar(255) NOT NULL, addressable_id integer NOT NULL,
        deleted_at datetime, created_at datetime NOT NULL)""",
    """CREATE TABLE leads (
        id integer PRIMARY KEY, user_id integer, campaign_id integer,
        first_name varchar(64) NOT NULL, last_name varchar(64) NOT NULL, company varchar(64),
        status varchar(32), source varchar(32), referred_by varchar(64), email varchar(254),
        phone varchar(32), rating integer NOT NULL DEFAULT 0,
        do_not_call boolean NOT NULL DEFAULT 0, deleted_at datetime,
        created_at datetime NOT NULL, updated_at datetime NOT NULL)""",
    """CREATE TABLE opportunities (
        id integer PRIMARY KEY, user_id integer, name varchar(64) NOT NULL, source varchar(32),
        stage varchar(32), probability integer, amount decimal(12,2), discount decimal(12,2),
        closes_on date, deleted_at datetime, created_at datetime NOT NULL)""",
    """CREATE TABLE contact_opportunities (
        id integer PRIMARY KEY, contact_id integer NOT NULL, opportunity_id integer NOT NULL,
        role varchar(32), deleted_at datetime)""",
    """CREATE TABLE tasks (
        id integer PRIMARY KEY, user_id integer, assigned_to integer, name varchar(255) NOT NULL,
        asset_type varchar(32), asset_id integer, priority varchar(32), category varchar(32),
        due_at datetime, completed_at datetime, deleted_at datetime,
        created_at datetime NOT NULL)""",
    """CREATE TABLE comments (
        id integer PRIMARY KEY, user_id integer, commentable_type varchar(255) NOT NULL,
        commentable_id integer NOT NULL, private boolean, comment text,
        created_at datetime NOT NULL)""",
)

INDEXES = (
    "CREATE INDEX index_contacts_on_email ON contacts (email)",
    "CREATE INDEX index_contacts_on_mobile ON contacts (mobile)",
    "CREATE INDEX index_account_contacts_on_contact ON account_contacts (contact_id)",
    "CREATE INDEX index_addresses_on_addressable ON addresses (addressable_id, addressable_type)",
    "CREATE INDEX index_contact_opportunities_on_contact ON contact_opportunities (contact_id)",
    "CREATE INDEX index_tasks_on_asset ON tasks (asset_id, asset_type)",
    "CREATE INDEX index_comments_on_commentable ON comments (commentable_id, commentable_type)",
)


class CrmWriter:
    """The CRM of one estate, written person by person."""

    def __init__(self, directory: Path) -> None:
        self._out = TableWriter(directory / FILE, DDL)
        for number, name in enumerate(texts.AGENTS, 1):
            first, _, last = name.partition(" ")
            email = f"{first.lower()}@roastery.example"
            self._out.add("users", number, first.lower(), email, first, last, _START, None)
        for number in range(1, texts.ACCOUNTS + 1):
            company = texts.COMPANIES[number % len(texts.COMPANIES)]
            self._out.add(
                "accounts", number, 1, f"{company} {number}", f"https://c{number}.example",
                "0800 0000800", None, f"office{number}@company.example", number % 6,
                ("customer", "partner", "vendor")[number % 3],
                _START if number % 20 == 0 else None, _START, _START,
            )  # fmt: skip

    def add_contact(self, contact: Contact) -> str:
        """Writes a contact with everything below it and returns its source key."""
        number = self._out.next_id("contacts", FIRST_CONTACT)
        agent = 1 + number % len(texts.AGENTS)
        created, updated = contact.created_at, contact.updated_at
        self._out.add(
            "contacts", number, agent, None, agent, contact.first_name, contact.last_name, "Public",
            contact.title, None, "web", contact.email, contact.alt_email, contact.phone,
            contact.mobile, None, contact.linkedin, contact.born_on, int(contact.do_not_call),
            contact.background_info, contact.deleted_at, created, updated,
        )  # fmt: skip
        if contact.account is not None:
            link = self._out.next_id("account_contacts")
            left = updated if contact.has_left_account else None
            self._out.add("account_contacts", link, contact.account + 1, number, left, created)
        for address in contact.addresses:
            row = self._out.next_id("addresses")
            self._out.add(
                "addresses", row, address.street, None, address.city, None, address.postal_code,
                address.country, address.kind, "Contact", number,
                updated if address.is_deleted else None, created,
            )  # fmt: skip
        for text, at in contact.comments:
            row = self._out.next_id("comments")
            self._out.add("comments", row, agent, "Contact", number, 0, text, at)
        for place, (text, due) in enumerate(contact.calls):
            self._add_call(number, agent, text, due, is_done=place == 0)
        for deal in contact.opportunities:
            row = self._out.next_id("opportunities")
            self._out.add(
                "opportunities", row, agent, deal.name, deal.source, deal.stage, deal.probability,
                deal.amount, None, deal.closes_on, None, deal.created_at,
            )  # fmt: skip
            link = self._out.next_id("contact_opportunities")
            self._out.add("contact_opportunities", link, number, row, "buyer", None)
        self._add_strangers(number, created)
        return str(number)

    def add_lead(self, lead: Lead) -> str:
        """Writes a lead and returns its source key."""
        number = self._out.next_id("leads", FIRST_LEAD)
        self._out.add(
            "leads", number, 1, None, lead.first_name, lead.last_name, lead.company, lead.status,
            lead.source, None, lead.email, lead.phone, lead.rating, int(lead.do_not_call),
            lead.deleted_at, lead.created_at, lead.created_at,
        )  # fmt: skip
        return f"lead:{number}"

    def close(self) -> None:
        """Finishes the file."""
        self._out.close(INDEXES)

    def _add_call(
        self, contact: int, agent: int, text: str, due: datetime, *, is_done: bool
    ) -> None:
        row = self._out.next_id("tasks")
        done = due + timedelta(hours=1) if is_done else None
        self._out.add(
            "tasks", row, agent, agent, text, "Contact", contact, None, "call", due, done, None, due
        )

    def _add_strangers(self, number: int, created: datetime) -> None:
        """Adds rows of other types with the same id, which a mapping must not take for ours."""
        if number % 7 == 0:
            row = self._out.next_id("addresses")
            self._out.add(
                "addresses", row, "Werkstraße 1", None, "Bremen", None, "28195", "Germany",
                "Business", "Account", number, None, created,
            )  # fmt: skip
        if number % 11 == 0:
            row = self._out.next_id("comments")
            self._out.add(
                "comments", row, 1, "Opportunity", number, 1, "Discount of 5 % agreed.", created
            )
