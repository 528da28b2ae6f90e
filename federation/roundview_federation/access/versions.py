"""Keeps what the policy was in each version that was loaded, so that old records can be read."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

import orjson

from roundview_catalog.document import read
from roundview_catalog.errors import AccessError, RequestError
from roundview_catalog.model import Canonical, Catalog, Entity, Field
from roundview_catalog.policy import Policy
from roundview_catalog.policy_file import read_policy
from roundview_catalog.report import Report, TooManyProblems
from roundview_catalog.types import parse_type

FOLDER: Final = "policies"
_INDEX: Final = "versions"
_POLICY_FILE: Final = "policy.yaml"
_BEGINNING = re.compile(r"[0-9a-f]{4,16}")
_SORTED = orjson.OPT_SORT_KEYS
_LOG = logging.getLogger("roundview.audit")


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """One version of the catalog, since when it was in force, and the hash of its rules."""

    version: str
    since: datetime
    rules: str


class PolicyVersions:
    """The rules of all versions that were in force, in a folder of the data folder.

    A file for each content, named by its hash, and a line for each time that another version came
    into force. A content is the text of policy.yaml with the entities and fields that it is about.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._last = ""

    def keep(self, catalog: Catalog, now: datetime) -> None:
        """Notes that a version is in force; what cannot be written is logged."""
        if catalog.version == self._last:
            return
        content = _content(catalog)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            rules = _hash(content)
            _write_once(self._folder / f"{rules}.json", content)
            self._note(KeptVersion(catalog.version, now, rules))
        except OSError as error:
            _LOG.warning("the version of the policy is not kept: %s", type(error).__name__)
            return
        self._last = catalog.version

    def all(self) -> tuple[KeptVersion, ...]:
        """Returns each time that another version came into force, the oldest first."""
        try:
            lines = (self._folder / _INDEX).read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        return tuple(kept for one in lines if (kept := _line(one)) is not None)

    def find(self, text: str) -> KeptVersion:
        """Returns the version of a name, its beginning, or a day or time at which it was in force.

        A day stands for its end (UTC). Raises RequestError RV102 where there is none.
        """
        known = self.all()
        if _BEGINNING.fullmatch(text):
            named = {one.version: one for one in known if one.version.startswith(text)}
            if len(named) == 1:
                return next(iter(named.values()))
            what = "several versions begin like this" if named else "no such version is kept"
            raise RequestError(what, code="RV102", hint="see: roundview policy versions")
        at = _instant(text)
        before = [one for one in known if one.since <= at]
        if not before:
            raise RequestError(
                "no version of that time is kept",
                code="RV102",
                hint="see: roundview policy versions",
            )
        return before[-1]

    def catalog_of(self, kept: KeptVersion) -> Catalog:
        """Returns the rules of a version and the entities that they are about, nothing else.

        Raises AccessError for a file that is gone or was changed.
        """
        try:
            content = (self._folder / f"{kept.rules}.json").read_bytes()
        except OSError:
            content = b""
        if _hash(content) != kept.rules:
            raise AccessError(
                "the rules of this version are gone or were changed",
                hint="restore the folder policies of the data folder",
            )
        told = orjson.loads(content)
        canonical = Canonical(
            {name: _entity(name, one) for name, one in told["entities"].items()}, {}, {}
        )
        return Catalog(
            name="",
            owner_version=0,
            version=kept.version,
            root=self._folder,
            canonical=canonical,
            sources={},
            survivorship={},
            policy=_policy(told["policy"], canonical),
        )

    def _note(self, kept: KeptVersion) -> None:
        index = os.open(self._folder / _INDEX, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # Processes that serve together load the same version at the same moment.
            fcntl.flock(index, fcntl.LOCK_EX)
            known = self.all()
            if known and (known[-1].version, known[-1].rules) == (kept.version, kept.rules):
                return
            since = kept.since.astimezone(UTC).isoformat()
            line = {"version": kept.version, "since": since, "rules": kept.rules}
            # Whatever a crash left of the line before ends here.
            os.write(index, b"\n" + orjson.dumps(line))
            os.fsync(index)
        finally:
            os.close(index)


def _content(catalog: Catalog) -> bytes:
    entities = {
        entity.name: {
            "fields": {name: str(field.type) for name, field in entity.fields.items()},
            "parents": dict(entity.parents),
        }
        for entity in catalog.canonical.entities.values()
    }
    return orjson.dumps({"policy": catalog.policy.text, "entities": entities}, option=_SORTED)


def _entity(name: str, told: dict[str, Any]) -> Entity:
    fields = {one: Field(one, parse_type(type_)) for one, type_ in told["fields"].items()}
    return Entity(name, "", fields, parents=told["parents"])


def _policy(text: str, canonical: Canonical) -> Policy:
    if not text:
        return Policy()
    report = Report()
    found = None
    with suppress(TooManyProblems):
        document = read(text, _POLICY_FILE, report)
        found = None if document is None else read_policy(document, canonical, report)
    if found is None or report.problems:
        raise RequestError(
            "these rules cannot be read by this version of Roundview",
            code="RV103",
            hint="use the version that loaded them",
        )
    return found


def _write_once(path: Path, content: bytes) -> None:
    if path.exists():
        return
    beside = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)


def _line(line: bytes) -> KeptVersion | None:
    try:
        told = orjson.loads(line)
        return KeptVersion(told["version"], datetime.fromisoformat(told["since"]), told["rules"])
    except (ValueError, KeyError, TypeError):
        return None


def _instant(text: str) -> datetime:
    try:
        if len(text) == len("2026-01-01"):
            found = datetime.combine(date.fromisoformat(text), time.max)
        else:
            found = datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(
            "this is neither a version nor a day",
            code="RV105",
            hint="for example 3f9c0d4b or 2026-03-01",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
