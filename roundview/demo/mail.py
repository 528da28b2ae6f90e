"""Writes the mail tool as Parquet files, those of people in buckets by subscriber."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import duckdb
import orjson

from roundview.demo import texts
from roundview.demo.people import ESTATE_DATE, random_for
from roundview.demo.records import Subscriber

FOLDER = "mail"
DRAFTS = "mail.part"
BUCKETS = 16
NOBODY = "__HIVE_DEFAULT_PARTITION__"
"""Bucket of views and clicks of which the tool does not know whose they were."""

_START = ESTATE_DATE.replace(tzinfo=None).replace(year=2019)

_COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "subscribers": {
            "id": "INTEGER", "uuid": "UUID", "email": "VARCHAR", "name": "VARCHAR",
            "attribs": "JSON", "status": "VARCHAR", "created_at": "TIMESTAMPTZ",
            "updated_at": "TIMESTAMPTZ",
        },
        "subscriber_lists": {
            "subscriber_id": "INTEGER", "list_id": "INTEGER", "meta": "JSON", "status": "VARCHAR",
            "created_at": "TIMESTAMPTZ", "updated_at": "TIMESTAMPTZ",
        },
        "campaign_views": {
            "id": "BIGINT", "campaign_id": "INTEGER", "subscriber_id": "INTEGER",
            "created_at": "TIMESTAMPTZ",
        },
        "link_clicks": {
            "id": "BIGINT", "campaign_id": "INTEGER", "link_id": "INTEGER",
            "subscriber_id": "INTEGER", "created_at": "TIMESTAMPTZ",
        },
        "bounces": {
            "id": "INTEGER", "subscriber_id": "INTEGER", "campaign_id": "INTEGER",
            "type": "VARCHAR", "source": "VARCHAR", "created_at": "TIMESTAMPTZ",
        },
        "lists": {
            "id": "INTEGER", "uuid": "UUID", "name": "VARCHAR", "type": "VARCHAR",
            "optin": "VARCHAR", "created_at": "TIMESTAMPTZ",
        },
        "campaigns": {
            "id": "INTEGER", "uuid": "UUID", "name": "VARCHAR", "subject": "VARCHAR",
            "from_email": "VARCHAR", "status": "VARCHAR", "messenger": "VARCHAR",
            "started_at": "TIMESTAMPTZ",
        },
        "links": {"id": "INTEGER", "uuid": "UUID", "url": "VARCHAR"},
    }
)  # fmt: skip
_BUCKET_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "subscribers": "id",
        "subscriber_lists": "subscriber_id",
        "campaign_views": "subscriber_id",
        "link_clicks": "subscriber_id",
        "bounces": "subscriber_id",
    }
)
_OF_NOBODY = ("campaign_views", "link_clicks")


class MailWriter:
    """The mail tool of one estate, written person by person."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / FOLDER
        self._drafts = directory / DRAFTS
        self._drafts.mkdir()
        # One draft for each finished file, so that only one of them is sorted at a time.
        self._out: dict[tuple[str, str], IO[bytes]] = {
            (table, part): (self._drafts / f"{table}.{part}.jsonl").open("wb")
            for table in _COLUMNS
            for part in _parts(table)
        }
        self._last: Counter[str] = Counter()
        self._addresses: set[int] = set()
        for number, (name, kind, optin) in enumerate(texts.LISTS, 1):
            self._add("lists", number, _uuid(1, number), name, kind, optin, _START)
        for number, (name, at) in enumerate(
            zip(texts.CAMPAIGNS, texts.CAMPAIGN_DATES, strict=True), 1
        ):
            sender = "Roastery <news@roastery.example>"
            self._add(
                "campaigns", number, _uuid(2, number), name, name, sender, "finished", "email", at
            )
        for number, url in enumerate(texts.LINKS, 1):
            self._add("links", number, _uuid(3, number), url)

    def add_subscriber(self, subscriber: Subscriber) -> str:
        """Writes a subscriber with everything below and returns the source key."""
        number = self._next("subscribers")
        self._add(
            "subscribers", number, _uuid(4, number), self._own(subscriber.email, number),
            subscriber.name,
            subscriber.attribs, subscriber.status, subscriber.created_at, subscriber.updated_at,
        )  # fmt: skip
        for list_id, status, created, updated in subscriber.lists:
            self._add("subscriber_lists", number, list_id, {}, status, created, updated)
        for campaign, at in subscriber.views:
            self._add("campaign_views", self._next("campaign_views"), campaign, number, at)
        for campaign, link, at in subscriber.clicks:
            self._add("link_clicks", self._next("link_clicks"), campaign, link, number, at)
        for campaign, kind, at in subscriber.bounces:
            row = self._next("bounces")
            self._add("bounces", row, number, campaign, kind, "webhook", at)
        return str(number)

    def close(self) -> None:
        """Adds events of nobody, then turns the drafts into Parquet."""
        self._add_anonymous()
        for out in self._out.values():
            out.close()
        connection = duckdb.connect(config={"threads": 1})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            for table, part in self._out:
                self._publish(connection, table, part)
        finally:
            connection.close()
        shutil.rmtree(self._drafts)

    def _add_anonymous(self) -> None:
        random = random_for(self._last["subscribers"], "anonymous")
        for _ in range(max(10, self._last["campaign_views"] // 50)):
            campaign = 1 + random.randrange(len(texts.CAMPAIGNS))
            at = texts.CAMPAIGN_DATES[campaign - 1].replace(minute=random.randrange(60))
            self._add("campaign_views", self._next("campaign_views"), campaign, None, at)
            if random.random() < 0.3:
                link = 1 + random.randrange(len(texts.LINKS))
                row = self._next("link_clicks")
                self._add("link_clicks", row, campaign, link, None, at)

    def _own(self, email: str, number: int) -> str:
        """Returns an address that nobody else subscribed with: the tool takes each once."""
        mark = _mark(email)
        if mark in self._addresses:
            local, at, domain = email.partition("@")
            email = f"{local}.{number}{at}{domain}"
            mark = _mark(email)
        self._addresses.add(mark)
        return email

    def _add(self, table: str, *values: Any) -> None:
        row = {name: _plain(value) for name, value in zip(_COLUMNS[table], values, strict=True)}
        part = _part(row[_BUCKET_KEYS[table]]) if table in _BUCKET_KEYS else ""
        self._out[table, part].write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def _next(self, table: str) -> int:
        self._last[table] += 1
        return self._last[table]

    def _publish(self, connection: duckdb.DuckDBPyConnection, table: str, part: str) -> None:
        draft = self._drafts / f"{table}.{part}.jsonl"
        relation = connection.read_json(
            str(draft), format="newline_delimited", columns=dict(_COLUMNS[table])
        )
        if not part:
            self._folder.mkdir(exist_ok=True)
            relation.order("id").write_parquet(str(self._folder / f"{table}.parquet"))
        else:
            folder = self._folder / table / f"bucket={part}"
            folder.mkdir(parents=True)
            order = f"{_BUCKET_KEYS[table]}, {'list_id' if table == 'subscriber_lists' else 'id'}"
            relation.order(order).write_parquet(str(folder / "part.parquet"))
        draft.unlink()


def _parts(table: str) -> list[str]:
    """Returns the buckets of a table; one without has a single unnamed part."""
    if table not in _BUCKET_KEYS:
        return [""]
    of_nobody = [NOBODY] if table in _OF_NOBODY else []
    return [_part(number) for number in range(BUCKETS)] + of_nobody


def _part(key: int | None) -> str:
    return NOBODY if key is None else f"{key % BUCKETS:03}"


def _uuid(kind: int, number: int) -> str:
    return f"{kind:08x}-0000-4000-8000-{number:012x}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='seconds')}Z"
    return value


def _mark(email: str) -> int:
    return int.from_bytes(hashlib.blake2b(email.lower().encode(), digest_size=8).digest())
