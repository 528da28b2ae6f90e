"""Makes the demo's systems: a CRM and tills as SQLite files, and the truth beside them."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

ESTATE_DATE = datetime(2026, 11, 1, tzinfo=UTC)
"""The day that the estate's data ends: output never depends on when it is made."""

_VERSION = 1
_GIVEN: Final = {
    "Anna": 0, "Marie": 0, "Sophie": 0, "Elif": 0, "Zoë": 0, "Katharina": 0, "Ingrid": 0,
    "Łucja": 0,
    "Robert": 1, "Thomas": 1, "Michael": 1, "José": 1, "Bjørn": 1, "Mehmet": 1, "Jürgen": 1,
    "Stephan": 1, "小明": 1, "Layla": 0, "يوسف": 1,
}  # fmt: skip
_NICKNAMES: Final = {"Robert": "Bob", "Thomas": "Tom", "Michael": "Mike", "Katharina": "Kathrin"}
_FAMILY = ("Müller", "Schmidt", "Weber", "Yılmaz", "Nowak", "O'Neill", "García", "Meyer",
           "Keller",
           "Fischer", "Bianchi", "Dubois", "van Dijk", "Ødegård", "Huber", "王",
           "Becker")  # fmt: skip
_CITIES = (("Berlin", "10115", "Germany"), ("Zürich", "8001", "Switzerland"),
           ("London", "N1 9GU", "UK"), ("München", "80331", "Deutschland"))  # fmt: skip
_STREETS = ("Lindenallee", "Hauptstraße", "Bahnhofstrasse", "High Street", "Am Markt")
_DOMAINS = ("mail.example", "post.example", "gmail.com")
_ITEMS = (("Kettle", "KET-1", "39.90"), ("Lamp", "LAM-2", "24.50"), ("Chair", "CHA-3", "89.00"),
          ("Mug", "MUG-4", "7.95"), ("Rug", "RUG-5", "120.00"))  # fmt: skip
_LOCATIONS = ((1, "Berlin", "EUR"), (2, "Zürich", "CHF"), (3, "London", "GBP"))

CRM_TABLES = """
CREATE TABLE contacts (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT,
    alt_email TEXT, phone TEXT, mobile TEXT, born_on DATE, do_not_call BIGINT NOT NULL,
    deleted_at TIMESTAMP, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE INDEX contacts_email ON contacts (email);
CREATE TABLE addresses (id INTEGER PRIMARY KEY, addressable_type TEXT, addressable_id BIGINT,
    street1 TEXT, city TEXT, zipcode TEXT, country TEXT, address_type TEXT, deleted_at TIMESTAMP);
CREATE INDEX addresses_owner ON addresses (addressable_id, addressable_type);
"""
POS_TABLES = """
CREATE TABLE ospos_people (person_id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT,
    gender BIGINT, phone_number TEXT, email TEXT,
    address_1 TEXT, city TEXT, zip TEXT, country TEXT);
CREATE TABLE ospos_customers (person_id INTEGER PRIMARY KEY, account_number TEXT,
    points BIGINT, consent BIGINT, date TIMESTAMP, deleted BIGINT NOT NULL);
CREATE TABLE ospos_stock_locations (location_id INTEGER PRIMARY KEY, location_name TEXT,
    currency TEXT);
CREATE TABLE ospos_items (item_id INTEGER PRIMARY KEY, name TEXT, item_number TEXT);
CREATE TABLE ospos_sales (sale_id INTEGER PRIMARY KEY, sale_time TIMESTAMP, customer_id BIGINT,
    location_id BIGINT, invoice_number TEXT,
    sale_status BIGINT NOT NULL, sale_type BIGINT NOT NULL);
CREATE INDEX sales_customer ON ospos_sales (customer_id);
CREATE UNIQUE INDEX sales_invoice ON ospos_sales (invoice_number);
CREATE TABLE ospos_sales_items (sale_id BIGINT, item_id BIGINT, line BIGINT,
    quantity_purchased DECIMAL(15,3), item_unit_price DECIMAL(15,2), discount DECIMAL(15,2),
    discount_type BIGINT, PRIMARY KEY (sale_id, item_id, line));
CREATE TABLE ospos_sales_items_taxes (sale_id BIGINT, item_id BIGINT, line BIGINT,
    item_tax_amount DECIMAL(15,4), PRIMARY KEY (sale_id, item_id, line));
CREATE TABLE ospos_sales_payments (payment_id INTEGER PRIMARY KEY, sale_id BIGINT,
    payment_type TEXT, payment_amount DECIMAL(15,2), payment_time TIMESTAMP);
CREATE INDEX payments_sale ON ospos_sales_payments (sale_id);
"""


@dataclass(frozen=True, slots=True)
class Person:
    """One real person of the estate, as nobody but the truth knows them."""

    number: int
    given: str
    family: str
    gender: int
    born: date
    email: str
    phone: str
    city: tuple[str, str, str]
    street: str


@dataclass(frozen=True, slots=True)
class Estate:
    """A finished estate; `truth` maps SOURCE/SOURCE_KEY to the number of the person."""

    directory: Path
    people: int
    seed: int

    @property
    def catalog(self) -> Path:
        """Returns the folder of the estate's catalog, which users may edit."""
        return self.directory / "catalog"

    @property
    def truth(self) -> dict[str, int]:
        """Returns which record is which person."""
        data = json.loads((self.directory / "truth.json").read_text(encoding="utf-8"))
        records: dict[str, int] = data["records"]
        return records

    @property
    def env(self) -> dict[str, str]:
        """Returns the variables that the estate's catalog names."""
        return {"ROUNDVIEW_DEMO": str(self.directory.resolve())}


def make(directory: Path, people: int = 2000, seed: int = 1) -> Estate:
    """Makes an estate, or returns the finished one of the same size and seed.

    The same parameters give the same rows. A catalog that was edited is kept.
    """
    directory.mkdir(parents=True, exist_ok=True)
    estate = Estate(directory, people, seed)
    done = directory / "estate.json"
    wanted = {"version": _VERSION, "people": people, "seed": seed}
    if done.is_file() and json.loads(done.read_text(encoding="utf-8")) == wanted:
        return estate
    for name in ("crm.db", "pos.db", "truth.json", "estate.json"):
        (directory / name).unlink(missing_ok=True)
    chance = random.Random(seed)  # noqa: S311 - reproducible data, not a secret
    persons = [_person(number, chance) for number in range(1, people + 1)]
    truth: dict[str, int] = {}
    _crm(directory / "crm.db", persons, chance, truth)
    _pos(directory / "pos.db", persons, chance, truth)
    (directory / "truth.json").write_text(json.dumps({"records": truth}), encoding="utf-8")
    if not estate.catalog.exists():
        shutil.copytree(Path(__file__).parent / "catalog", estate.catalog)
    done.write_text(json.dumps(wanted), encoding="utf-8")
    return estate


def _person(number: int, chance: random.Random) -> Person:
    given = "Anna" if number == 1 else chance.choice(list(_GIVEN))
    family = "Keller" if number == 1 else chance.choice(_FAMILY)
    local = f"person{number}"
    return Person(
        number=number,
        given=given,
        family=family,
        gender=_GIVEN[given],
        born=date(1940, 1, 1) + timedelta(days=chance.randrange(24000)),
        email=f"{local}@{chance.choice(_DOMAINS)}",
        phone=f"30{4000000 + number * 7919 % 5000000:07d}",
        city=chance.choice(_CITIES),
        street=f"{chance.choice(_STREETS)} {chance.randrange(1, 200)}",
    )


def _spelled(phone: str, chance: random.Random) -> str:
    return chance.choice(
        (
            f"+49 {phone[:2]} {phone[2:]}",
            f"0{phone[:2]}/{phone[2:]}",
            f"0049{phone}",
            f"+49 (0){phone[:2]} {phone[2:5]}-{phone[5:]}",
        )
    )


def _crm(path: Path, persons: list[Person], chance: random.Random, truth: dict[str, int]) -> None:
    contacts: list[tuple[object, ...]] = []
    addresses: list[tuple[object, ...]] = []
    for person in persons:
        # Some people are not in the CRM, some stand in it twice.
        copies = 1 if person.number == 1 else chance.choices((0, 1, 2), (15, 80, 5))[0]
        for copy in range(copies):
            key = len(contacts) + 1
            truth[f"crm/{key}"] = person.number
            email = (
                person.email
                if chance.random() < 0.85
                else chance.choice((None, "noemail@na.example"))
            )
            contacts.append(
                (
                    key,
                    _NICKNAMES.get(person.given, person.given) if copy else person.given,
                    person.family,
                    person.email if person.number == 1 else email,
                    f"{person.given[0].lower()}.{person.number}@work.example"
                    if chance.random() < 0.2
                    else "",
                    _spelled(person.phone, chance) if chance.random() < 0.7 else "000000",
                    None,
                    person.born.isoformat() if chance.random() < 0.8 else None,
                    int(chance.random() < 0.1),
                    ESTATE_DATE.isoformat(sep=" ")
                    if chance.random() < 0.02 and person.number > 1
                    else None,
                    _moment(chance),
                    _moment(chance),
                )
            )
            city, code, country = person.city
            addresses.append(
                (key, "Contact", key, person.street, city, code, country, "Business", None)
            )
    addresses.append(
        (len(addresses) + 1, "Account", 1, "Not a person's 1", "Berlin", "1", "DE", "Billing", None)
    )
    with _database(path, CRM_TABLES) as db:
        db.executemany("INSERT INTO contacts VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", contacts)
        db.executemany("INSERT INTO addresses VALUES (?,?,?,?,?,?,?,?,?)", addresses)
    db.close()


def _pos(path: Path, persons: list[Person], chance: random.Random, truth: dict[str, int]) -> None:
    rows: dict[str, list[tuple[object, ...]]] = {
        name: [] for name in ("people", "customers", "sales", "items", "taxes", "payments")
    }
    for person in persons:
        if person.number > 1 and chance.random() > 0.7:
            continue
        key = 100_000 + person.number
        truth[f"pos/{key}"] = person.number
        given = (
            _NICKNAMES.get(person.given, person.given) if chance.random() < 0.3 else person.given
        )
        city, code, country = person.city
        upper = person.email.upper() if chance.random() < 0.3 else person.email
        gender = person.gender if chance.random() < 0.9 else 9
        rows["people"].append(
            (key, given, person.family, gender, _spelled(person.phone, chance), upper,
             person.street, city, code, country)
        )  # fmt: skip
        rows["customers"].append(
            (key, f"L-{person.number:06d}", chance.randrange(900), chance.choice((0, 1, None)),
             _moment(chance), 0)
        )  # fmt: skip
        for _ in range(3 if person.number == 1 else chance.randrange(4)):
            _sale(rows, key, chance)
    for _ in range(len(persons) // 10):
        _sale(rows, None, chance)
    with _database(path, POS_TABLES) as db:
        db.executemany("INSERT INTO ospos_people VALUES (?,?,?,?,?,?,?,?,?,?)", rows["people"])
        db.executemany("INSERT INTO ospos_customers VALUES (?,?,?,?,?,?)", rows["customers"])
        db.executemany("INSERT INTO ospos_stock_locations VALUES (?,?,?)", _LOCATIONS)
        db.executemany(
            "INSERT INTO ospos_items VALUES (?,?,?)",
            [(at, name, sku) for at, (name, sku, _) in enumerate(_ITEMS, 1)],
        )
        db.executemany("INSERT INTO ospos_sales VALUES (?,?,?,?,?,?,?)", rows["sales"])
        db.executemany("INSERT INTO ospos_sales_items VALUES (?,?,?,?,?,?,?)", rows["items"])
        db.executemany("INSERT INTO ospos_sales_items_taxes VALUES (?,?,?,?)", rows["taxes"])
        db.executemany("INSERT INTO ospos_sales_payments VALUES (?,?,?,?,?)", rows["payments"])
    db.close()


def _sale(
    rows: dict[str, list[tuple[object, ...]]], customer: int | None, chance: random.Random
) -> None:
    sale = len(rows["sales"]) + 1
    kind = chance.choices((0, 1, 3, 4), (70, 15, 5, 10))[0]
    status = chance.choices((0, 1, 2), (90, 5, 5))[0]
    at = _moment(chance)
    location = chance.choice(_LOCATIONS)[0]
    rows["sales"].append((sale, at, customer, location, f"INV-{sale:06d}", status, kind))
    sign = -1 if kind == 4 else 1
    for line, item in enumerate(chance.sample(range(1, len(_ITEMS) + 1), chance.randint(1, 3)), 1):
        price = _ITEMS[item - 1][2]
        discount, discount_type = chance.choice((("0", 0), ("10", 0), ("5", 1)))
        rows["items"].append(
            (sale, item, line, sign * chance.randint(1, 3), price, discount, discount_type)
        )
        if chance.random() < 0.5:
            rows["taxes"].append((sale, item, line, round(float(price) * 0.19 * sign, 4)))
    rows["payments"].append((None, sale, chance.choice(("Cash", "Card")), "10.00", at))


def _moment(chance: random.Random) -> str:
    moment = ESTATE_DATE - timedelta(minutes=chance.randrange(60 * 24 * 900))
    return moment.replace(tzinfo=None).isoformat(sep=" ")


def _database(path: Path, tables: str) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    db.executescript(tables)
    return db
