"""Writes the tills: people who are customers or employees, and sales whose totals nobody stores."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from roundview.demo import texts
from roundview.demo.personas import WALK_IN_NUMBER
from roundview.demo.records import Line, Sale, Shopper
from roundview.demo.writer import TableWriter

FILE = "pos.db"
FIRST_NUMBER = 100_001
"""The first running number of receipts."""

_CENT = Decimal("0.01")

DDL = (
    """CREATE TABLE ospos_people (
        person_id integer PRIMARY KEY, first_name varchar(255) NOT NULL,
        last_name varchar(255) NOT NULL, gender int(1), phone_number varchar(255) NOT NULL,
        email varchar(255) NOT NULL, address_1 varchar(255) NOT NULL,
        address_2 varchar(255) NOT NULL, city varchar(255) NOT NULL, state varchar(255) NOT NULL,
        zip varchar(255) NOT NULL, country varchar(255) NOT NULL, comments text NOT NULL)""",
    """CREATE TABLE ospos_customers (
        person_id integer PRIMARY KEY, company_name varchar(255), account_number varchar(255),
        taxable int(1) NOT NULL DEFAULT 1, tax_id varchar(32) NOT NULL DEFAULT '',
        discount decimal(15,2) NOT NULL DEFAULT 0, discount_type tinyint NOT NULL DEFAULT 0,
        package_id int, points int, consent int(1), date timestamp NOT NULL, employee_id int,
        deleted int(1) NOT NULL DEFAULT 0)""",
    """CREATE TABLE ospos_customers_packages (
        package_id integer PRIMARY KEY, package_name varchar(255),
        points_percent decimal(5,2) NOT NULL DEFAULT 0, deleted int(1) NOT NULL DEFAULT 0)""",
    """CREATE TABLE ospos_employees (
        person_id integer PRIMARY KEY, username varchar(255) NOT NULL,
        deleted int(1) NOT NULL DEFAULT 0)""",
    """CREATE TABLE ospos_stock_locations (
        location_id integer PRIMARY KEY, location_name varchar(255) NOT NULL,
        currency char(3) NOT NULL, deleted int(1) NOT NULL DEFAULT 0)""",
    """CREATE TABLE ospos_items (
        item_id integer PRIMARY KEY, name varchar(255) NOT NULL, category varchar(255) NOT NULL,
        item_number varchar(255), cost_price decimal(15,2) NOT NULL,
        unit_price decimal(15,2) NOT NULL, deleted int(1) NOT NULL DEFAULT 0)""",
    """CREATE TABLE ospos_sales (
        sale_id integer PRIMARY KEY, sale_time timestamp NOT NULL, customer_id int,
        employee_id int NOT NULL, comment text, invoice_number varchar(32),
        quote_number varchar(32), sale_status tinyint NOT NULL DEFAULT 0,
        sale_type tinyint NOT NULL DEFAULT 0)""",
    """CREATE TABLE ospos_sales_items (
        sale_id int NOT NULL, item_id int NOT NULL, description varchar(255), line int(3) NOT NULL,
        quantity_purchased decimal(15,3) NOT NULL, item_cost_price decimal(15,2) NOT NULL,
        item_unit_price decimal(15,2) NOT NULL, discount decimal(15,2) NOT NULL DEFAULT 0,
        discount_type tinyint NOT NULL DEFAULT 0, item_location int NOT NULL,
        PRIMARY KEY (sale_id, item_id, line)) WITHOUT ROWID""",
    """CREATE TABLE ospos_sales_items_taxes (
        sale_id int NOT NULL, item_id int NOT NULL, line int(3) NOT NULL,
        name varchar(255) NOT NULL, percent decimal(15,4) NOT NULL, tax_type tinyint NOT NULL,
        item_tax_amount decimal(15,4) NOT NULL,
        PRIMARY KEY (sale_id, item_id, line, name)) WITHOUT ROWID""",
    """CREATE TABLE ospos_sales_payments (
        payment_id integer PRIMARY KEY, sale_id int NOT NULL, payment_type varchar(40) NOT NULL,
        payment_amount decimal(15,2) NOT NULL, cash_refund decimal(15,2) NOT NULL DEFAULT 0,
        employee_id int, payment_time timestamp NOT NULL, reference_code varchar(40))""",
    """CREATE TABLE ospos_giftcards (
        giftcard_id integer PRIMARY KEY, giftcard_number varchar(255), value decimal(15,2) NOT NULL,
        person_id int, deleted int(1) NOT NULL DEFAULT 0)""",
)

INDEXES = (
    "CREATE UNIQUE INDEX account_number ON ospos_customers (account_number)",
    "CREATE UNIQUE INDEX invoice_number ON ospos_sales (invoice_number)",
    "CREATE INDEX customer_id ON ospos_sales (customer_id)",
    "CREATE INDEX sale_id ON ospos_sales_payments (sale_id)",
    "CREATE INDEX giftcard_person ON ospos_giftcards (person_id)",
)


class PosWriter:
    """The tills of one estate, written person by person."""

    def __init__(self, directory: Path) -> None:
        self._out = TableWriter(directory / FILE, DDL)
        self._receipt = FIRST_NUMBER
        # Numbers that somebody is known by; running ones leave them out.
        self._given = {WALK_IN_NUMBER}
        for first, last in texts.EMPLOYEES:
            number = self._person(first, last, None, "", f"{first.lower()}@roastery.example")
            self._out.add("ospos_employees", number, first.lower(), 0)
        for number, (name, currency, _, _) in enumerate(texts.LOCATIONS, 1):
            self._out.add("ospos_stock_locations", number, name, currency, 0)
        for number, name in enumerate(texts.PACKAGES, 1):
            self._out.add("ospos_customers_packages", number, name, number, 0)
        for number, (sku, name, category, price) in enumerate(texts.ITEMS, 1):
            cost = (price * Decimal("0.6")).quantize(_CENT)
            self._out.add("ospos_items", number, name, category, sku, cost, price, 0)

    def add_shopper(self, shopper: Shopper) -> tuple[str, list[str]]:
        """Writes a customer with sales; returns the source key and the numbers of the sales."""
        number = self._person(
            shopper.first_name, shopper.last_name, shopper.gender, shopper.phone, shopper.email,
            shopper.street, shopper.city, shopper.postal_code, shopper.country, shopper.comments,
        )  # fmt: skip
        self._out.add(
            "ospos_customers", number, None, shopper.account_number, 1, "", 0, 0, shopper.package,
            shopper.points, shopper.consent, shopper.at, 1, int(shopper.is_deleted),
        )  # fmt: skip
        if shopper.points > 3_800:
            card = self._out.next_id("ospos_giftcards")
            self._out.add("ospos_giftcards", card, f"GC{9000 + card}", Decimal(25), number, 0)
        return str(number), [self._sale(sale, number) for sale in shopper.sales]

    def add_walk_ins(self, sales: Iterable[Sale]) -> list[str]:
        """Writes sales without a customer and returns their numbers."""
        return [self._sale(sale, None) for sale in sales]

    def close(self) -> None:
        """Finishes the file."""
        self._out.close(INDEXES)

    def _person(
        self,
        first: str,
        last: str,
        gender: int | None,
        phone: str,
        email: str,
        street: str = "",
        city: str = "",
        postal_code: str = "",
        country: str = "",
        comments: str = "",
    ) -> int:
        number = self._out.next_id("ospos_people")
        self._out.add(
            "ospos_people", number, first, last, gender, phone, email, street, "", city, "",
            postal_code, country, comments,
        )  # fmt: skip
        return number

    def _sale(self, sale: Sale, customer: int | None) -> str:
        number = self._out.next_id("ospos_sales")
        receipt = sale.number or self._number(sale)
        if sale.number:
            self._given.add(receipt)
        quote = f"Q-{number}" if sale.kind == 3 else None
        self._out.add(
            "ospos_sales", number, sale.at, customer, 1 + number % len(texts.EMPLOYEES),
            sale.comment, receipt or None, quote, sale.status, sale.kind,
        )  # fmt: skip
        total = Decimal(0)
        for at, line in enumerate(sale.lines, 1):
            total += self._line(number, at, line, sale.location)
        if sale.status == 0 and sale.kind != 3:
            payment = self._out.next_id("ospos_sales_payments")
            self._out.add(
                "ospos_sales_payments", payment, number, sale.payment, total, 0, 1, sale.at, None
            )
        return receipt

    def _number(self, sale: Sale) -> str:
        if sale.kind == 3 or sale.status == 1:
            return ""
        prefix = "INV" if sale.kind == 1 else "R"
        while True:
            self._receipt += 1
            number = f"{prefix}-{self._receipt}"
            if number not in self._given:
                return number

    def _line(self, sale: int, at: int, line: Line, location: int) -> Decimal:
        item = line.item + 1
        _, _, _, price = texts.ITEMS[line.item]
        self._out.add(
            "ospos_sales_items", sale, item, None, at, line.quantity,
            (price * Decimal("0.6")).quantize(_CENT), price, line.discount, line.discount_type,
            location,
        )  # fmt: skip
        gross = line.quantity * price
        if line.discount_type == 0:
            gross *= 1 - line.discount / 100
        else:
            gross -= line.discount
        _, _, percent, is_on_top = texts.LOCATIONS[location - 1]
        share = percent / 100 if is_on_top else percent / (100 + percent)
        tax = (gross * share).quantize(_CENT)
        self._out.add("ospos_sales_items_taxes", sale, item, at, "VAT", percent, is_on_top, tax)
        return (gross + (tax if is_on_top else 0)).quantize(_CENT)
