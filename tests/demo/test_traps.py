"""Proves that each difficulty of real systems is in the estate, so that mappings meet it."""

from __future__ import annotations

import sqlite3
from typing import Any

import duckdb
import pytest

from roundview.demo.estate import Estate
from roundview_catalog.normalizers import is_placeholder, normalize

SQLITE_TRAPS = {
    "deleted contact": ("crm", "SELECT 1 FROM contacts WHERE deleted_at IS NOT NULL"),
    "deleted link": ("crm", "SELECT 1 FROM account_contacts WHERE deleted_at IS NOT NULL"),
    "deleted address": ("crm", "SELECT 1 FROM addresses WHERE deleted_at IS NOT NULL"),
    "address of something else with a contact's id": (
        "crm",
        """SELECT 1 FROM addresses a JOIN contacts c ON c.id = a.addressable_id
           WHERE a.addressable_type = 'Account'""",
    ),
    "comment on something else with a contact's id": (
        "crm",
        """SELECT 1 FROM comments m JOIN contacts c ON c.id = m.commentable_id
           WHERE m.commentable_type = 'Opportunity'""",
    ),
    "two addresses in one row": (
        "crm",
        "SELECT 1 FROM contacts WHERE email IS NOT NULL AND alt_email IS NOT NULL",
    ),
    "two numbers in one row": (
        "crm",
        "SELECT 1 FROM contacts WHERE phone IS NOT NULL AND mobile IS NOT NULL",
    ),
    "call that nobody made yet": ("crm", "SELECT 1 FROM tasks WHERE completed_at IS NULL"),
    "converted lead": ("crm", "SELECT 1 FROM leads WHERE status = 'converted'"),
    "placeholder address": ("crm", "SELECT 1 FROM contacts WHERE email LIKE 'noemail@%'"),
    "missing address": ("crm", "SELECT 1 FROM contacts WHERE email IS NULL"),
    "person who is no customer": (
        "pos",
        """SELECT 1 FROM ospos_people WHERE person_id NOT IN
           (SELECT person_id FROM ospos_customers)""",
    ),
    "walk-in": ("pos", "SELECT 1 FROM ospos_sales WHERE customer_id IS NULL"),
    "quote": ("pos", "SELECT 1 FROM ospos_sales WHERE sale_type = 3"),
    "return": (
        "pos",
        """SELECT 1 FROM ospos_sales s JOIN ospos_sales_items i USING (sale_id)
           WHERE s.sale_type = 4 AND i.quantity_purchased < 0""",
    ),
    "suspended sale": ("pos", "SELECT 1 FROM ospos_sales WHERE sale_status = 1"),
    "cancelled sale": ("pos", "SELECT 1 FROM ospos_sales WHERE sale_status = 2"),
    "discount in percent": (
        "pos",
        "SELECT 1 FROM ospos_sales_items WHERE discount > 0 AND discount_type = 0",
    ),
    "fixed discount": ("pos", "SELECT 1 FROM ospos_sales_items WHERE discount_type = 1"),
    "broken quantity": (
        "pos",
        "SELECT 1 FROM ospos_sales_items WHERE quantity_purchased <> round(quantity_purchased)",
    ),
    "tax within the price": ("pos", "SELECT 1 FROM ospos_sales_items_taxes WHERE tax_type = 0"),
    "tax on top": ("pos", "SELECT 1 FROM ospos_sales_items_taxes WHERE tax_type = 1"),
    "consent nobody asked for": ("pos", "SELECT 1 FROM ospos_customers WHERE consent IS NULL"),
    "consent declined": ("pos", "SELECT 1 FROM ospos_customers WHERE consent = 0"),
    "unknown gender code": ("pos", "SELECT 1 FROM ospos_people WHERE gender = 9"),
    "hour that came twice": (
        "pos",
        "SELECT 1 FROM ospos_sales WHERE sale_time = '2025-10-26 02:30:00'",
    ),
    "blank instead of NULL": ("pos", "SELECT 1 FROM ospos_people WHERE phone_number = ''"),
    "phone as a form value": (
        "support",
        """SELECT 1 FROM ost_form_entry_values v JOIN ost_form_field f ON f.id = v.field_id
           WHERE f.name = 'phone'""",
    ),
    "several addresses of one user": (
        "support",
        "SELECT 1 FROM ost_user_email GROUP BY user_id HAVING count(*) > 1",
    ),
    "note among agents": ("support", "SELECT 1 FROM ost_thread_entry WHERE type = 'N'"),
    "user without a number": (
        "support",
        """SELECT 1 FROM ost_user WHERE id NOT IN
           (SELECT object_id FROM ost_form_entry WHERE object_type = 'U')""",
    ),
}
MAIL_TRAPS = {
    "view by nobody": "SELECT 1 FROM {campaign_views} WHERE subscriber_id IS NULL",
    "click by nobody": "SELECT 1 FROM {link_clicks} WHERE subscriber_id IS NULL",
    "blocklisted though subscribed": """SELECT 1 FROM {subscribers} s JOIN {subscriber_lists} m
        ON m.subscriber_id = s.id WHERE s.status = 'blocklisted' AND m.status = 'confirmed'""",
    "unsubscribed from one list": "SELECT 1 FROM {subscriber_lists} WHERE status = 'unsubscribed'",
    "unconfirmed": "SELECT 1 FROM {subscriber_lists} WHERE status = 'unconfirmed'",
    "phone among JSON attributes": (
        "SELECT 1 FROM {subscribers} WHERE attribs ->> 'phone' IS NOT NULL"
    ),
    "missing attribute": "SELECT 1 FROM {subscribers} WHERE attribs ->> 'city' IS NULL",
    "subscriber without a name": "SELECT 1 FROM {subscribers} WHERE name = ''",
}


@pytest.mark.parametrize("trap", SQLITE_TRAPS)
def test_trap_of_a_database(made: Estate, trap: str) -> None:
    source, sql = SQLITE_TRAPS[trap]
    assert query(made, source, sql), trap


@pytest.mark.parametrize("trap", MAIL_TRAPS)
def test_trap_of_the_mail_tool(made: Estate, trap: str) -> None:
    tables = ("subscribers", "subscriber_lists", "campaign_views", "link_clicks")
    files = {
        name: f"read_parquet('{made.directory}/mail/{name}/*/part.parquet', "
        "hive_partitioning = false)"
        for name in tables
    }
    assert duckdb.execute(MAIL_TRAPS[trap].format(**files)).fetchall(), trap


def test_every_bucket_holds_its_own_subscribers_only(made: Estate) -> None:
    folders = sorted((made.directory / "mail/campaign_views").iterdir())
    assert len(folders) == 17
    for folder in folders:
        bucket = folder.name.removeprefix("bucket=")
        rows = duckdb.execute(
            f"SELECT DISTINCT subscriber_id % 16 FROM read_parquet('{folder}/part.parquet', "
            "hive_partitioning = false)"
        ).fetchall()
        expected = [(int(bucket),)] if bucket.isdigit() else [(None,)]
        assert rows in (expected, [])


def test_no_total_is_stored(made: Estate) -> None:
    columns = {row[1] for row in query(made, "pos", "PRAGMA table_info(ospos_sales)")}
    assert not [name for name in columns if "total" in name or "amount" in name]


def test_three_currencies(made: Estate) -> None:
    sql = """SELECT DISTINCT g.currency FROM ospos_sales_items i
             JOIN ospos_stock_locations g ON g.location_id = i.item_location"""
    assert {row[0] for row in query(made, "pos", sql)} == {"EUR", "CHF", "GBP"}


def test_one_number_in_many_spellings(made: Estate) -> None:
    rows = query(made, "pos", "SELECT phone_number FROM ospos_people WHERE phone_number <> ''")
    texts = {row[0] for row in rows}
    shapes = {"".join("9" if c.isdigit() else c for c in text) for text in texts}
    assert len(shapes) > 12
    assert any(is_placeholder("phone", "".join(filter(str.isdigit, text))) for text in texts)


def test_spellings_of_the_heroine_mean_one_number(made: Estate) -> None:
    phones = made.truth["personas"]["heroine"]["identifiers"]["phone"]
    assert len(set(phones)) > 3
    assert {normalize("phone", phone, region="DE") for phone in phones} == {"+491713920042"}


def test_claims_of_the_catalog_are_true(made: Estate) -> None:
    """Normal forms that the catalog states of columns hold for every value."""
    for source, column, table, normal in (
        ("crm", "email", "contacts", str.lower),
        ("crm", "mobile", "contacts", lambda text: normalize("phone", text)),
        ("pos", "account_number", "ospos_customers", lambda text: normalize("code", text)),
    ):
        sql = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
        values = [row[0] for row in query(made, source, sql)]
        assert len(values) > 10
        assert [value for value in values if normal(value) != value] == []


def test_names_in_many_scripts(made: Estate) -> None:
    rows = query(made, "crm", "SELECT first_name || last_name FROM contacts")
    text = "".join(row[0] for row in rows)
    for first, last in (("\u0600", "\u06ff"), ("\u0370", "\u03ff"), ("\u0100", "\u017f")):
        assert any(first <= letter <= last for letter in text)
    rows = query(made, "pos", "SELECT last_name FROM ospos_people")
    assert any("\u4e00" <= letter <= "\u9fff" for row in rows for letter in row[0])


def test_one_person_twice_in_one_source(made: Estate) -> None:
    seen: set[tuple[str, int]] = set()
    twice = set()
    for record, person in made.truth["records"].items():
        place = (record.partition("/")[0], person)
        if place in seen:
            twice.add(place[0])
        seen.add(place)
    assert twice == {"crm", "pos", "mail", "support"}


def query(made: Estate, source: str, sql: str) -> list[tuple[Any, ...]]:
    """Returns the rows of a query over one of the SQLite systems."""
    connection = sqlite3.connect(made.directory / f"{source}.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
