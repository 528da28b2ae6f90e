"""Decides what random queries are asked about: few rows, many NULLs, names and values that trap.

Names overlap between entities, with the same type or with another one; texts mean something to
some language on the way; numbers lie at the ends of their types. A text that is blank in its
source is NULL as a canonical value.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.sql.estate import Entity, Form, Part, Split, as_text, by_code, in_cents

SEED = 20_260_801
NULLS = 0.28
"""Share of NULLs in a column that may be NULL."""

ENTITIES = (
    Entity(
        "depot",
        {
            "ident": "bigint",
            "code": "text",
            "city": "text",
            "grade": "integer",
            "opened": "date",
            "active": "boolean",
            "budget": "decimal(12,2)",
            "mark": "text",
        },
        ("ident",),
        ("code",),
    ),
    Entity(
        "parcel",
        {
            "ident": "bigint",
            "depot_ident": "bigint",
            "code": "text",
            "note": "text",
            "weight": "decimal(10,3)",
            "grade": "integer",
            "sent_at": "timestamptz",
            "active": "boolean",
            "size": "integer",
        },
        ("ident",),
        ("depot_ident", "code"),
    ),
    Entity(
        "ledger",
        {
            "ident": "bigint",
            "parcel_ident": "bigint",
            "amount": "decimal(12,2)",
            "day": "date",
            "note": "text",
            "kind": "enum(in, out, fee)",
            "big": "bigint",
            "grade": "bigint",
        },
        ("ident",),
        ("parcel_ident",),
    ),
    Entity(
        "visit",
        {
            "ident": "bigint",
            "depot_ident": "bigint",
            "parcel_ident": "bigint",
            "code": "text",
            "sent_at": "timestamptz",
            "day": "date",
            "score": "integer",
            "active": "boolean",
        },
        ("ident",),
        ("depot_ident", "parcel_ident"),
    ),
    Entity(
        "badge",
        {
            "ident": "bigint",
            "code": "text",
            "city": "text",
            "mark": "integer",
            "amount": "decimal(12,2)",
            "day": "date",
            "big": "bigint",
            "size": "integer",
        },
        ("ident",),
    ),
)
ROWS: Mapping[str, int] = {"depot": 12, "parcel": 40, "ledger": 36, "visit": 30, "badge": 8}

_YES_NO = by_code({"true": "Y", "false": "N"})
_AT_NOON = Form(
    "CAST({c} AS VARCHAR)", "CAST({c} AS date)", dict.fromkeys(("sqlite", "jsonl"), "text")
)

SPLIT = Split(
    "odd",
    {"shop": "sqlite", "crm": "postgres", "pos": "mariadb", "lake": "parquet", "mail": "jsonl"},
    (
        Part(
            "depot",
            "shop",
            "Depots",
            "ident % 2 = 0",
            forms={"opened": _AT_NOON, "active": _YES_NO},
            natives={"code": "TEXT COLLATE NOCASE", "city": "VARCHAR(80) COLLATE RTRIM"},
        ),
        Part("depot", "lake", "depots", "ident % 2 = 1", str.upper, {"budget": in_cents()}),
        Part(
            "parcel",
            "crm",
            "parcels",
            rename="p_{}".format,
            natives={"code": "citext", "note": "varchar(200)"},
        ),
        Part(
            "ledger",
            "pos",
            "ledger_a",
            "ident % 3 = 0",
            forms={"kind": by_code({"in": "1", "out": "2", "fee": "3"})},
        ),
        Part("ledger", "crm", "ledger_b", "ident % 3 = 1", "l_{}".format, {"amount": in_cents()}),
        Part("ledger", "mail", "ledger_c", "ident % 3 = 2", forms={"day": _AT_NOON}),
        Part("visit", "mail", "visits", "ident % 2 = 0", "v_{}".format),
        Part(
            "visit",
            "pos",
            "visits",
            "ident % 2 = 1",
            forms={"score": as_text("integer"), "active": _YES_NO},
        ),
        Part("badge", "pos", "badges", natives={"city": "VARCHAR(80) COLLATE utf8mb4_nopad_bin"}),
    ),
    zones={"shop": "America/New_York", "pos": "Europe/Berlin"},
)

TEXTS = (
    "ab", "AB", "Ab", "a_b", "a%b", "axb", "tail", "tail ", "Tail", " lead", "o'neil", 'say "hi"',
    "back\\slash", "\\", "100%", "%", "_", "NULL", "true", "12", "012", "-5", "1e3", "straße",
    "STRASSE", "Ä", "ä", "Ae", "e\u0301", "é", "日本", "\U0001f44d", "$1", ":x", "?", "--", "/*",
    "{}", "a\nb", "a\tb", "ﬁ", "İ", "z", "Z",
)  # fmt: skip
BLANKS = ("", " ", "  ")
CODES = ("A1", "a1", "A2", "B1", "b1 ", "B1", "c_3", "C%3")
CITIES = ("Köln", "Koln", "KÖLN", "Ulm", "ulm", "Bad Tölz ", "Bad Tölz", "São Paulo")
SMALL = (-3, -1, 0, 1, 1, 2, 2, 3, 5, 9)
BIG = (2**63 - 1, -(2**63) + 1, 2**53 + 1, 2**31, -(2**31) - 1, 0, 1, -1, 7)
SIZES = (2**31 - 1, -(2**31) + 1, 0, 1, 2, -7, 1000)
AMOUNTS = (
    *(Decimal(cents) / 100 for cents in (0, 1, -1, 100, 250, 1234, -9999, 10_000)),
    Decimal("2.5"),
    Decimal("9999999999.99"),
    Decimal("-9999999999.99"),
)
WEIGHTS = (
    *(Decimal(thousandths) / 1000 for thousandths in (0, 1, 500, 1005, 2675, -1250, 10_000)),
    Decimal("9999999.999"),
)
DAYS = (
    *(date(2024, 2, 27) + timedelta(days) for days in (0, 1, 2, 3, 30, 308, 309, 310)),
    date(1999, 12, 31),
    date(1970, 1, 1),
    date(2100, 3, 1),
)
MOMENTS = (
    datetime(2024, 2, 28, 23, 30, tzinfo=UTC),
    datetime(2024, 2, 29, 0, 0, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 0, 0, 250_000, tzinfo=UTC),
    datetime(2024, 6, 30, 22, 15, 1, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2025, 1, 1, 0, 0, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 0, tzinfo=UTC),
)
KINDS = ("in", "out", "fee")

POOLS: Mapping[str, Sequence[Any]] = {
    "code": (*CODES, ""),
    "city": (*CITIES, " "),
    "note": (*TEXTS, *BLANKS),
    "depot.mark": (*TEXTS[:12], *BLANKS),
    "badge.mark": SMALL,
    "grade": SMALL,
    "score": SMALL,
    "size": SIZES,
    "big": BIG,
    "amount": AMOUNTS,
    "budget": AMOUNTS,
    "weight": WEIGHTS,
    "day": DAYS,
    "opened": DAYS,
    "sent_at": MOMENTS,
    "active": (True, False),
    "kind": KINDS,
    "depot_ident": range(1, 16),
    "parcel_ident": range(1, 50),
}
"""Field, or entity and field -> the values that it takes."""


def raw_rows() -> dict[str, list[tuple[Any, ...]]]:
    """Returns the rows of each entity as the sources hold them, blank texts among them."""
    draw = random.Random(SEED)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for entity in ENTITIES:
        rows[entity.name] = [
            (ident, *(_value(entity.name, name, draw) for name in list(entity.fields)[1:]))
            for ident in range(1, ROWS[entity.name] + 1)
        ]
    return rows


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Returns the canonical rows of each entity."""
    return {
        name: [tuple(map(_canonical, row)) for row in several]
        for name, several in raw_rows().items()
    }


def _value(entity: str, name: str, draw: random.Random) -> Any:
    if draw.random() < NULLS:
        return None
    return draw.choice(POOLS.get(f"{entity}.{name}") or POOLS[name])


def _canonical(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value
