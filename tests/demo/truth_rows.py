"""Knows what a person's rows must be, by plain SQL over the estate's own tables.

Nothing of the product is used here: `TruthRows(estate.directory).rows("sales_order", person)`
returns dictionaries of the mapped canonical fields with source, source_key and slot.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

Row = dict[str, Any]

ENTITIES = (
    "individual",
    "contact_point_email",
    "contact_point_phone",
    "contact_point_address",
    "sales_order",
    "sales_order_product",
    "support_case",
    "engagement",
    "consent",
)

_COUNTRIES = {
    "Germany": "DE", "Deutschland": "DE", "Switzerland": "CH", "Schweiz": "CH",
    "United Kingdom": "GB", "Great Britain": "GB", "France": "FR",
}  # fmt: skip
_BERLIN = ZoneInfo("Europe/Berlin")


class TruthRows:
    """The expected rows of one estate."""

    def __init__(self, directory: Path) -> None:
        self._databases = {
            name: sqlite3.connect(directory / f"{name}.db") for name in ("crm", "pos", "support")
        }
        self._mail = _loaded(directory / "mail")
        truth = json.loads((directory / "truth.json").read_text(encoding="utf-8"))
        self._keys: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for record, person in truth["records"].items():
            source, _, key = record.partition("/")
            self._keys[person][source].append(key)

    def rows(self, entity: str, person: int) -> list[Row]:
        """Returns the rows of one entity that belong to a person, in no order."""
        keys = self._keys[person]
        result: list[Row] = []
        for source in ("crm", "pos", "mail", "support"):
            reader = getattr(self, f"_{source}_{entity}", None)
            if reader is None:
                continue
            for key in keys[source]:
                for row in reader(key):
                    result.append({"source": source, "slot": "", **row})
        return result

    def close(self) -> None:
        """Closes the files."""
        for database in self._databases.values():
            database.close()
        self._mail.close()

    # -- CRM ---------------------------------------------------------------------------------

    def _crm_individual(self, key: str) -> Iterator[Row]:
        if key.startswith("lead:"):
            for first, last in self._lead(key, "first_name, last_name"):
                yield {
                    "source_key": key, "given_name": first, "family_name": last,
                    "birth_date": None, "lifecycle_stage": "lead",
                }  # fmt: skip
            return
        for first, last, born, created in self._contact(
            key, "first_name, last_name, born_on, created_at"
        ):
            yield {
                "source_key": key, "given_name": first, "family_name": last,
                "birth_date": date.fromisoformat(born) if born else None,
                "lifecycle_stage": "customer", "customer_since": _utc(created),
            }  # fmt: skip

    def _crm_contact_point_email(self, key: str) -> Iterator[Row]:
        if key.startswith("lead:"):
            for (email,) in self._lead(key, "email"):
                if email:
                    yield {"source_key": key, "email_address": email}
            return
        for email, other in self._contact(key, "email, alt_email"):
            if email:
                yield {"source_key": key, "slot": "main", "email_address": email,
                       "is_primary": True}  # fmt: skip
            if other:
                yield {"source_key": key, "slot": "alternative", "email_address": other,
                       "is_primary": False}  # fmt: skip

    def _crm_contact_point_phone(self, key: str) -> Iterator[Row]:
        if key.startswith("lead:"):
            for (phone,) in self._lead(key, "phone"):
                if phone:
                    yield {"source_key": key, "phone_raw": phone}
            return
        for phone, mobile in self._contact(key, "phone, mobile"):
            if phone:
                yield {"source_key": key, "slot": "office", "phone_raw": phone}
            if mobile:
                yield {"source_key": key, "slot": "mobile", "phone_raw": mobile, "is_mobile": True}

    def _crm_contact_point_address(self, key: str) -> Iterator[Row]:
        rows = self._sqlite(
            "crm",
            """SELECT a.id, a.street1, a.city, a.zipcode, a.country, a.address_type
               FROM addresses a WHERE a.addressable_type = 'Contact' AND a.addressable_id = ?
               AND a.deleted_at IS NULL
               AND EXISTS (SELECT 1 FROM contacts c WHERE c.id = a.addressable_id
                           AND c.deleted_at IS NULL)
            """,
            _number(key),
        )
        for number, street, city, postal, country, kind in rows:
            yield {
                "source_key": str(number), "line1": street, "city": city, "postal_code": postal,
                "country_code": _COUNTRIES.get(country, country), "type": kind.lower(),
                "is_primary": kind == "Billing",
            }  # fmt: skip

    def _crm_consent(self, key: str) -> Iterator[Row]:
        for refuses, updated in self._contact(key, "do_not_call, updated_at"):
            if refuses:
                yield {"source_key": key, "scope": "channel", "channel": "phone",
                       "status": "opt_out", "captured_at": _utc(updated)}  # fmt: skip

    def _crm_engagement(self, key: str) -> Iterator[Row]:
        if not list(self._contact(key, "id")):
            return
        rows = self._sqlite(
            "crm",
            """SELECT id, name, completed_at FROM tasks WHERE asset_type = 'Contact'
               AND asset_id = ? AND category = 'call' AND completed_at IS NOT NULL
               AND deleted_at IS NULL""",
            _number(key),
        )
        for number, name, done in rows:
            yield {"source_key": str(number), "type": "call", "channel": "phone",
                   "campaign_name": name, "occurred_at": _utc(done)}  # fmt: skip

    def _contact(self, key: str, columns: str) -> Iterator[tuple[Any, ...]]:
        if key.startswith("lead:"):
            return iter(())
        return self._sqlite(
            "crm", f"SELECT {columns} FROM contacts WHERE id = ? AND deleted_at IS NULL", int(key)
        )

    def _lead(self, key: str, columns: str) -> Iterator[tuple[Any, ...]]:
        return self._sqlite(
            "crm",
            f"SELECT {columns} FROM leads WHERE id = ? AND deleted_at IS NULL"
            " AND status <> 'converted'",
            _number(key),
        )

    # -- tills -------------------------------------------------------------------------------

    def _pos_individual(self, key: str) -> Iterator[Row]:
        for first, last, gender, at in self._shopper(key, "first_name, last_name, gender, c.date"):
            yield {
                "source_key": key, "given_name": first, "family_name": last,
                "gender": {0: "female", 1: "male"}.get(gender), "lifecycle_stage": "customer",
                "customer_since": _berlin(at),
            }  # fmt: skip

    def _pos_contact_point_email(self, key: str) -> Iterator[Row]:
        for (email,) in self._shopper(key, "email"):
            if email.strip():
                yield {"source_key": key, "email_address": email, "is_primary": True}

    def _pos_contact_point_phone(self, key: str) -> Iterator[Row]:
        for (phone,) in self._shopper(key, "phone_number"):
            if phone:
                yield {"source_key": key, "phone_raw": phone, "is_primary": True}

    def _pos_contact_point_address(self, key: str) -> Iterator[Row]:
        for street, city, postal, country in self._shopper(key, "address_1, city, zip, country"):
            if street or city:
                yield {
                    "source_key": key, "line1": street or None, "city": city or None,
                    "postal_code": postal or None,
                    "country_code": _COUNTRIES.get(country, country) or None,
                    "type": "home", "is_primary": True,
                }  # fmt: skip

    def _pos_consent(self, key: str) -> Iterator[Row]:
        for consent, at in self._shopper(key, "consent, c.date"):
            if consent is not None:
                yield {
                    "source_key": key, "scope": "purpose", "topic": "customer data",
                    "status": "opt_in" if consent else "opt_out", "captured_at": _berlin(at),
                }  # fmt: skip

    def _pos_sales_order(self, key: str) -> Iterator[Row]:
        for number, at, receipt, status, kind in self._sales(key):
            lines = list(self._lines(number))
            taxes = [
                (_decimal(amount), tax_type)
                for amount, tax_type in self._sqlite(
                    "pos",
                    "SELECT item_tax_amount, tax_type FROM ospos_sales_items_taxes"
                    " WHERE sale_id = ?",
                    number,
                )
            ]
            subtotal = sum((line["line_total"] for line in lines), Decimal(0))
            on_top = sum((amount for amount, tax_type in taxes if tax_type == 1), Decimal(0))
            ((store, currency),) = self._sqlite(
                "pos",
                """SELECT DISTINCT g.location_name, g.currency FROM ospos_sales_items i
                   JOIN ospos_stock_locations g ON g.location_id = i.item_location
                   WHERE i.sale_id = ?""",
                number,
            )
            yield {
                "source_key": str(number), "order_number": receipt, "ordered_at": _berlin(at),
                "status": "cancelled" if status == 2 else "returned" if kind == 4 else "completed",
                "sales_channel": "store", "store_id": store, "currency": currency,
                "subtotal": _money(subtotal),
                "discount": _money(sum((line["discount"] for line in lines), Decimal(0))),
                "tax": _money(sum((amount for amount, _ in taxes), Decimal(0))),
                "grand_total": _money(subtotal + on_top),
            }  # fmt: skip

    def _pos_sales_order_product(self, key: str) -> Iterator[Row]:
        for number, *_ in self._sales(key):
            for line in self._lines(number):
                yield {
                    **line,
                    "sales_order_key": str(number),
                    "discount": _money(line["discount"]),
                    "line_total": _money(line["line_total"]),
                }

    def _lines(self, sale: int) -> Iterator[Row]:
        rows = self._sqlite(
            "pos",
            """SELECT i.item_id, i.line, t.item_number, t.name, i.quantity_purchased,
                      i.item_unit_price, i.discount, i.discount_type
               FROM ospos_sales_items i JOIN ospos_items t ON t.item_id = i.item_id
               WHERE i.sale_id = ?""",
            sale,
        )
        for item, line, sku, name, quantity, price, discount, kind in rows:
            gross = _decimal(quantity) * _decimal(price)
            off = _decimal(discount)
            if kind == 0:
                off = gross * off / 100
            yield {
                "source_key": f"{sale}/{item}/{line}", "line_no": line, "sku": sku, "name": name,
                "quantity": _decimal(quantity), "unit_price": _decimal(price), "discount": off,
                "line_total": gross - off,
            }  # fmt: skip

    def _sales(self, key: str) -> Iterator[tuple[Any, ...]]:
        return self._sqlite(
            "pos",
            """SELECT s.sale_id, s.sale_time, s.invoice_number, s.sale_status, s.sale_type
               FROM ospos_sales s JOIN ospos_customers c ON c.person_id = s.customer_id
               WHERE s.customer_id = ? AND c.deleted = 0 AND s.sale_type IN (0, 1, 4)
               AND s.sale_status IN (0, 2)""",
            int(key),
        )

    def _shopper(self, key: str, columns: str) -> Iterator[tuple[Any, ...]]:
        return self._sqlite(
            "pos",
            f"SELECT {columns} FROM ospos_customers c JOIN ospos_people p USING (person_id)"
            " WHERE c.person_id = ? AND c.deleted = 0",
            int(key),
        )

    # -- mail --------------------------------------------------------------------------------

    def _mail_individual(self, key: str) -> Iterator[Row]:
        for name, language in self._parquet(
            "SELECT name, attribs ->> 'lang' FROM subscribers WHERE id = ?", key
        ):
            yield {"source_key": key, "full_name": name or None, "language": language,
                   "lifecycle_stage": "subscriber"}  # fmt: skip

    def _mail_contact_point_email(self, key: str) -> Iterator[Row]:
        rows = self._parquet(
            """SELECT s.email, s.status, (SELECT max(b.created_at)::timestamp FROM bounces b
                                          WHERE b.subscriber_id = s.id)
               FROM subscribers s WHERE s.id = ?""",
            key,
        )
        for email, status, bounced in rows:
            yield {
                "source_key": key, "email_address": email, "is_primary": True,
                "opt_out": status != "enabled",
                "last_bounce_at": bounced.replace(tzinfo=UTC) if bounced else None,
            }  # fmt: skip

    def _mail_contact_point_phone(self, key: str) -> Iterator[Row]:
        for (phone,) in self._parquet(
            "SELECT attribs ->> 'phone' FROM subscribers WHERE id = ?", key
        ):
            if phone:
                yield {"source_key": key, "phone_raw": phone}

    def _mail_contact_point_address(self, key: str) -> Iterator[Row]:
        for (city,) in self._parquet(
            "SELECT attribs ->> 'city' FROM subscribers WHERE id = ?", key
        ):
            if city:
                yield {"source_key": key, "city": city, "type": "other"}

    def _mail_consent(self, key: str) -> Iterator[Row]:
        for status, at in self._parquet(
            "SELECT status, updated_at::timestamp FROM subscribers WHERE id = ?", key
        ):
            yield {
                "source_key": key, "scope": "channel", "channel": "email", "topic": None,
                "status": "opt_in" if status == "enabled" else "opt_out",
                "captured_at": at.replace(tzinfo=UTC),
            }  # fmt: skip
        for number, name, status, optin, at in self._parquet(
            """SELECT l.id, l.name, m.status, l.optin, m.updated_at::timestamp
               FROM subscriber_lists m JOIN lists l ON l.id = m.list_id
               WHERE m.subscriber_id = ?""",
            key,
        ):
            if status == "unconfirmed":
                status = "opt_in" if optin == "single" else "pending"
            yield {
                "source_key": f"list:{key}/{number}", "scope": "topic", "channel": "email",
                "topic": name, "captured_at": at.replace(tzinfo=UTC),
                "status": {"confirmed": "opt_in", "unsubscribed": "opt_out"}.get(status, status),
            }  # fmt: skip

    def _mail_engagement(self, key: str) -> Iterator[Row]:
        for kind, number, campaign, name, at, url in self._parquet(
            """SELECT 'open', v.id, c.id, c.name, v.created_at::timestamp, NULL
               FROM campaign_views v JOIN campaigns c ON c.id = v.campaign_id
               WHERE v.subscriber_id = $1
               UNION ALL
               SELECT 'click', k.id, c.id, c.name, k.created_at::timestamp, u.url
               FROM link_clicks k JOIN campaigns c ON c.id = k.campaign_id
               JOIN links u ON u.id = k.link_id WHERE k.subscriber_id = $1
               UNION ALL
               SELECT 'bounce', b.id, c.id, c.name, b.created_at::timestamp, NULL
               FROM bounces b JOIN campaigns c ON c.id = b.campaign_id
               WHERE b.subscriber_id = $1""",
            key,
        ):
            yield {
                "source_key": f"{kind}:{number}", "type": kind, "channel": "email",
                "campaign_id": str(campaign), "campaign_name": name,
                "occurred_at": at.replace(tzinfo=UTC), "url": url,
            }  # fmt: skip
        for number, name, at in self._parquet(
            """SELECT l.id, l.name, m.updated_at::timestamp
               FROM subscriber_lists m JOIN lists l ON l.id = m.list_id
               WHERE m.subscriber_id = ? AND m.status = 'unsubscribed'""",
            key,
        ):
            yield {
                "source_key": f"unsubscribe:{key}/{number}", "type": "unsubscribe",
                "channel": "email", "campaign_name": name, "occurred_at": at.replace(tzinfo=UTC),
            }  # fmt: skip

    # -- support -----------------------------------------------------------------------------

    def _support_individual(self, key: str) -> Iterator[Row]:
        for (name,) in self._sqlite("support", "SELECT name FROM ost_user WHERE id = ?", key):
            yield {"source_key": key, "full_name": name, "lifecycle_stage": "customer"}

    def _support_contact_point_email(self, key: str) -> Iterator[Row]:
        for number, address, is_default in self._sqlite(
            "support",
            """SELECT e.id, e.address, e.id = u.default_email_id FROM ost_user_email e
               JOIN ost_user u ON u.id = e.user_id WHERE u.id = ?""",
            key,
        ):
            yield {
                "source_key": key if is_default else f"further:{number}",
                "email_address": address,
                "is_primary": bool(is_default),
            }

    def _support_contact_point_phone(self, key: str) -> Iterator[Row]:
        for (phone,) in self._sqlite(
            "support",
            """SELECT v.value FROM ost_form_entry e
               JOIN ost_form_entry_values v ON v.entry_id = e.id
               JOIN ost_form_field f ON f.id = v.field_id
               WHERE e.object_type = 'U' AND e.object_id = ? AND f.name = 'phone'""",
            key,
        ):
            yield {"source_key": key, "phone_raw": phone, "is_primary": True}

    def _support_support_case(self, key: str) -> Iterator[Row]:
        rows = self._sqlite(
            "support",
            """SELECT k.ticket_id, k.number, s.state, k.source, d.name, a.name, k.created,
                      k.closed,
                      (SELECT min(e.created) FROM ost_thread t JOIN ost_thread_entry e
                       ON e.thread_id = t.id WHERE t.object_type = 'T'
                       AND t.object_id = k.ticket_id AND e.type = 'R')
               FROM ost_ticket k JOIN ost_ticket_status s ON s.id = k.status_id
               JOIN ost_department d ON d.id = k.dept_id
               LEFT JOIN ost_staff a ON a.staff_id = k.staff_id
               WHERE k.user_id = ?""",
            key,
        )
        for number, shown, state, channel, queue, agent, created, closed, answered in rows:
            values = dict(
                self._sqlite(
                    "support",
                    """SELECT f.name, v.value FROM ost_form_entry e
                       JOIN ost_form_entry_values v ON v.entry_id = e.id
                       JOIN ost_form_field f ON f.id = v.field_id
                       WHERE e.object_type = 'T' AND e.object_id = ?""",
                    number,
                )
            )
            yield {
                "source_key": str(number), "case_number": shown, "subject": values["subject"],
                "status": state, "priority": values["priority"], "channel": channel.lower(),
                "opened_at": _utc(created), "resolved_at": _utc(closed),
                "first_response_at": _utc(answered), "assignee": agent, "queue": queue,
            }  # fmt: skip

    # -- reading -----------------------------------------------------------------------------

    def _sqlite(self, source: str, sql: str, key: Any) -> Iterator[Any]:
        return iter(self._databases[source].execute(sql, (int(key),)).fetchall())

    def _parquet(self, sql: str, key: str) -> list[tuple[Any, ...]]:
        return self._mail.execute(sql, [int(key)]).fetchall()


def _loaded(root: Path) -> duckdb.DuckDBPyConnection:
    """Returns all files of the mail tool as tables in memory."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for path in root.iterdir():
        files = f"{path}/*/*.parquet" if path.is_dir() else str(path)
        connection.execute(
            f"CREATE TABLE {path.stem} AS "
            f"SELECT * FROM read_parquet('{files}', hive_partitioning = false)"
        )
    return connection


def _number(key: str) -> int:
    return int(key.rpartition(":")[2])


def _utc(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=_BERLIN, fold=0).astimezone(UTC)


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value))


def _money(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.0001"), ROUND_HALF_UP)
