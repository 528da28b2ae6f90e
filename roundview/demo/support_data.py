"""Reads the support desk's tables and nests them into the objects that its API shows."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
from sqlglot import exp

from roundview_catalog.normalizers import normalize

Row = dict[str, Any]

SCALE = 5
"""Best rating."""

_STATES = ("open", "resolved", "closed")
_REGION = "DE"


class SupportData:
    """One support database, read-only; used by one thread."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, cached_statements=64
        )
        self._phones: Mapping[str, list[int]] = {}
        self._phones_version = -1

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def count(self, resource: str, filters: Mapping[str, Any]) -> int:
        """Returns how many rows of a resource match the filters (FILTERS has their names)."""
        text = _count_text(resource, tuple(filters))
        return int(self._connection.execute(text, filters).fetchone()[0])

    def users(self, filters: Mapping[str, Any], limit: int, offset: int) -> list[Row]:
        """Returns users with their addresses and form values."""
        rows = self._page("users", filters, limit, offset)
        ids = json_keys(row[0] for row in rows)
        emails = self._grouped("emails", ids)
        values = self._grouped("user_values", ids)
        return [
            {
                "id": number,
                "name": name,
                "email": next((a for e, a in emails.get(number, ()) if e == default), None),
                "created": _iso(created),
                "updated": _iso(updated),
                "emails": [
                    {"id": email, "address": address, "is_default": email == default}
                    for email, address in emails.get(number, ())
                ],
                "custom_fields": _fields(values.get(number, ())),
            }
            for number, default, name, created, updated in rows
        ]

    def users_by_phone(self, phone: str) -> list[int]:
        """Returns the users whose form value is this number in any spelling."""
        number = normalize("phone", phone, region=_REGION)
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._phones_version:
            self._phones = self._phone_index()
            self._phones_version = version
        return self._phones.get(number or "", [])

    def tickets(self, filters: Mapping[str, Any], limit: int, offset: int) -> list[Row]:
        """Returns tickets, newest first, with form values and ratings."""
        rows = self._page("tickets", filters, limit, offset)
        ids = json_keys(row[0] for row in rows)
        values = self._grouped("ticket_values", ids)
        ratings = self._grouped("ratings", ids)
        answers = self._grouped("answers", ids)
        first = {ticket: min(at for (at,) in found) for ticket, found in answers.items()}
        return [
            {
                "id": number,
                "number": shown,
                "user_id": user,
                "status": _STATES[status - 1],
                "source": source,
                "topic": topic,
                "department": department,
                "agent": agent,
                "is_answered": bool(is_answered),
                "created": _epoch(created),
                "closed": _epoch(closed),
                "updated": _epoch(updated),
                "first_answer": _epoch(first.get(number)),
                "custom_fields": _fields(values.get(number, ())),
                "ratings": [
                    {"id": rating, "score": score, "scale": SCALE, "comment": comment,
                     "at": _epoch(at)}
                    for rating, score, comment, at in ratings.get(number, ())
                ],
            }
            for (number, shown, user, status, source, topic, department, agent, is_answered,
                 created, closed, updated) in rows
        ]  # fmt: skip

    def messages(self, filters: Mapping[str, Any], limit: int, offset: int) -> list[Row]:
        """Returns thread entries with the ticket and the user whose ticket it is."""
        names = ("id", "ticket_id", "user_id", "type", "poster", "body", "source", "created")
        rows = self._page("messages", filters, limit, offset)
        return [dict(zip(names, (*row[:-1], _iso(row[-1])), strict=True)) for row in rows]

    def _phone_index(self) -> Mapping[str, list[int]]:
        index: dict[str, list[int]] = defaultdict(list)
        for user, value in self._connection.execute(_phone_text()):
            number = normalize("phone", value, region=_REGION)
            if number:
                index[number].append(user)
        return dict(index)

    def _page(
        self, resource: str, filters: Mapping[str, Any], limit: int, offset: int
    ) -> list[tuple[Any, ...]]:
        text = _page_text(resource, tuple(filters))
        params = {**filters, "limit": limit, "offset": offset}
        return self._connection.execute(text, params).fetchall()

    def _grouped(self, name: str, ids: str) -> dict[int, list[tuple[Any, ...]]]:
        found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for owner, *values in self._connection.execute(_below_text(name), {"ids": ids}):
            found[owner].append(tuple(values))
        return found


def json_keys(ids: Iterable[int]) -> str:
    """Returns numbers as the value of a filter that takes several."""
    return orjson.dumps(list(ids)).decode()


def prepare_statements() -> None:
    """Makes the texts of all usual statements, so that no caller waits for them."""
    for resource, filters in FILTERS.items():
        for names in ((), *((name,) for name in filters)):
            _page_text(resource, names)
            _count_text(resource, names)
    for name in _BELOW:
        _below_text(name)


# -- statements ------------------------------------------------------------------------------


def _column(table: str, name: str) -> exp.Column:
    return exp.column(name, table=table)


def _in(column: exp.Expr, name: str) -> exp.Expr:
    each = exp.Anonymous(this="json_each", expressions=[exp.Placeholder(this=name)])
    return exp.In(this=column, query=exp.select("value").from_(exp.Table(this=each)).subquery())


def _equals(column: exp.Expr, name: str) -> exp.Expr:
    return exp.EQ(this=column, expression=exp.Placeholder(this=name))


def _owners_of_email() -> exp.Expr:
    address = exp.Collate(this=exp.column("address"), expression=exp.Var(this="NOCASE"))
    owners = exp.select("user_id").from_("ost_user_email").where(_equals(address, "email"))
    return exp.In(this=_column("u", "id"), query=owners.subquery())


FILTERS: Mapping[str, Mapping[str, exp.Expr]] = MappingProxyType(
    {
        "users": {
            "user_ids": _in(_column("u", "id"), "user_ids"),
            "phone_ids": _in(_column("u", "id"), "phone_ids"),
            "email": _owners_of_email(),
        },
        "tickets": {
            "ids": _in(_column("k", "ticket_id"), "ids"),
            "user_ids": _in(_column("k", "user_id"), "user_ids"),
            "number": _equals(_column("k", "number"), "number"),
        },
        "messages": {
            "user_ids": _in(_column("k", "user_id"), "user_ids"),
            "ticket_ids": _in(_column("k", "ticket_id"), "ticket_ids"),
        },
    }
)
"""Resource -> filter -> condition with a parameter of the filter's name."""

_ALL: Mapping[str, exp.Select] = MappingProxyType(
    {
        "users": exp.select("u.id", "u.default_email_id", "u.name", "u.created", "u.updated")
        .from_("ost_user AS u")
        .order_by("u.id"),
        "tickets": exp.select(
            "k.ticket_id", "k.number", "k.user_id", "k.status_id", "k.source", "h.topic",
            "d.name AS department", "s.name AS agent", "k.isanswered", "k.created", "k.closed",
            "k.updated",
        )
        .from_("ost_ticket AS k")
        .join("ost_help_topic AS h", on="h.topic_id = k.topic_id", join_type="left")
        .join("ost_department AS d", on="d.id = k.dept_id", join_type="left")
        .join("ost_staff AS s", on="s.staff_id = k.staff_id", join_type="left")
        .order_by("k.created DESC", "k.ticket_id DESC"),
        "messages": exp.select(
            "e.id", "k.ticket_id", "k.user_id", "e.type", "e.poster", "e.body", "e.source",
            "e.created",
        )
        .from_("ost_ticket AS k")
        .join("ost_thread AS t", on="t.object_type = 'T' AND t.object_id = k.ticket_id")
        .join("ost_thread_entry AS e", on="e.thread_id = t.id")
        .order_by("e.id"),
    }
)  # fmt: skip


def _values(kind: str) -> exp.Select:
    return (
        exp.select("e.object_id", "f.name", "v.value")
        .from_("ost_form_entry AS e")
        .join("ost_form_entry_values AS v", on="v.entry_id = e.id")
        .join("ost_form_field AS f", on="f.id = v.field_id")
        .where(exp.EQ(this=_column("e", "object_type"), expression=exp.Literal.string(kind)))
    )


_BELOW: Mapping[str, exp.Select] = MappingProxyType(
    {
        "emails": exp.select("user_id", "id", "address")
        .from_("ost_user_email")
        .where(_in(exp.column("user_id"), "ids"))
        .order_by("id"),
        "user_values": _values("U").where(_in(_column("e", "object_id"), "ids")).order_by("f.id"),
        "ticket_values": _values("T").where(_in(_column("e", "object_id"), "ids")).order_by("f.id"),
        "ratings": exp.select("ticket_id", "id", "score", "comment", "created")
        .from_("ost_satisfaction")
        .where(_in(exp.column("ticket_id"), "ids"))
        .order_by("id"),
        "answers": exp.select("t.object_id", "e.created")
        .from_("ost_thread AS t")
        .join("ost_thread_entry AS e", on="e.thread_id = t.id")
        .where("t.object_type = 'T'", "e.type = 'R'", _in(_column("t", "object_id"), "ids")),
    }
)


@cache
def _page_text(resource: str, filters: tuple[str, ...]) -> str:
    tree = (
        _filtered(resource, filters)
        .limit(exp.Placeholder(this="limit"))
        .offset(exp.Placeholder(this="offset"))
    )
    return tree.sql(dialect="sqlite")


@cache
def _count_text(resource: str, filters: tuple[str, ...]) -> str:
    tree = _filtered(resource, filters)
    tree.set("order", None)
    return tree.select(exp.Count(this=exp.Star()), append=False).sql(dialect="sqlite")


def _filtered(resource: str, filters: tuple[str, ...]) -> exp.Select:
    # Without a condition `where` returns the tree itself, which nobody may change.
    tree = _ALL[resource].copy()
    return tree.where(*(FILTERS[resource][name] for name in filters))


@cache
def _below_text(name: str) -> str:
    return _BELOW[name].sql(dialect="sqlite")


@cache
def _phone_text() -> str:
    tree = _values("U").where("f.name = 'phone'")
    return tree.select("e.object_id", "v.value", append=False).sql(dialect="sqlite")


# -- values ----------------------------------------------------------------------------------


def _fields(rows: Iterable[tuple[Any, ...]]) -> list[Row]:
    return [{"name": name, "value": value} for name, value in rows]


def _epoch(text: str | None) -> int | None:
    if text is None:
        return None
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def _iso(text: str) -> str:
    return f"{text.replace(' ', 'T')}Z"
