"""Makes the whole estate: four systems, the truth about them, and the catalog's copy."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from roundview.demo import crm, mail, pos, support
from roundview.demo.histories import invent, walk_ins
from roundview.demo.people import make_people
from roundview.demo.personas import (
    STRANGER,
    WALK_IN_NUMBER,
    Persona,
    newcomer,
    personas,
)
from roundview.demo.records import Contact, History
from roundview.demo.truth import TruthWriter, read_personas

Progress = Callable[[str, int, int | None], None]

_WELCOME = """
    INSERT INTO contacts (first_name, last_name, email, mobile, created_at, updated_at)
    VALUES (:first_name, :last_name, :email, :mobile, :created_at, :updated_at)"""

_MARK = "estate.json"
_CATALOG = "catalog"
_CATALOG_ON_SERVERS = "catalog_servers"
_STEP = 500


@dataclass(frozen=True)
class Estate:
    """A finished estate."""

    directory: Path
    people: int
    seed: int

    @property
    def catalog(self) -> Path:
        """Returns the folder of the catalog's copy, which users may edit."""
        return self.directory / _CATALOG

    @property
    def env(self) -> dict[str, str]:
        """Returns what the catalog names of the estate; the support app's address is not in it."""
        return {"ROUNDVIEW_DEMO": str(self.directory.resolve())}

    @property
    def secret(self) -> Path:
        """Returns the file of the root secret."""
        return self.directory / "secret"

    @cached_property
    def truth(self) -> dict[str, Any]:
        """Returns who is who: `records` (SOURCE/SOURCE_KEY -> person) and `personas`.

        Everybody is in memory then: `personas` alone is enough to know somebody.
        """
        truth: dict[str, Any] = orjson.loads((self.directory / "truth.json").read_bytes())
        return truth

    @cached_property
    def personas(self) -> dict[str, Any]:
        """Returns name -> identifiers and records of those who are known by name."""
        return read_personas(self.directory / "truth.json")


def make(
    directory: Path,
    people: int = 2000,
    seed: int = 1,
    progress: Progress | None = None,
    *,
    on_servers: bool = False,
) -> Estate:
    """Makes an estate, or takes the one that is there if it has the same parameters.

    A half-made estate is made again. The copy of the catalog keeps what users changed; with
    `on_servers` it is the one whose CRM, mail tool and tills are databases (server_estate).
    `progress` is called with what is made, how many are done, and of how many.
    """
    known = personas()
    if people < len(known):
        raise ValueError(f"an estate needs at least {len(known)} people")
    directory.mkdir(parents=True, exist_ok=True)
    mark = directory / _MARK
    wanted = {"made_by": _generator(), "people": people, "seed": seed}
    found = _read(mark)
    shipped: Mapping[str, str] = found.get("catalog", {})
    if any(found.get(name) != value for name, value in wanted.items()):
        mark.unlink(missing_ok=True)
        _clear(directory)
        _write(directory, people, seed, progress)
    hashes = _copy_catalog(directory / _CATALOG, shipped, on_servers=on_servers)
    _make_secret(directory / "secret")
    partial = mark.with_suffix(".part")
    partial.write_bytes(orjson.dumps({**wanted, "catalog": hashes}, option=orjson.OPT_INDENT_2))
    partial.replace(mark)
    return Estate(directory, people, seed)


def welcome(estate: Estate) -> str:
    """Adds the newcomer to the running CRM and returns the new record, `crm/KEY`."""
    contact = newcomer().history.contacts[0]
    connection = sqlite3.connect(estate.directory / crm.FILE, timeout=10)
    try:
        with connection:
            cursor = connection.execute(_WELCOME, _values(contact))
    finally:
        connection.close()
    return f"crm/{cursor.lastrowid}"


def _values(contact: Contact) -> dict[str, Any]:
    return {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "mobile": contact.mobile,
        "created_at": str(contact.created_at),
        "updated_at": str(contact.updated_at),
    }


def _write(directory: Path, people: int, seed: int, progress: Progress | None) -> None:
    crm_out = crm.CrmWriter(directory)
    pos_out = pos.PosWriter(directory)
    mail_out = mail.MailWriter(directory)
    support_out = support.SupportWriter(directory)
    with TruthWriter(directory / "truth.json", people, seed) as truth:
        for index, (history, persona) in enumerate(_histories(people, seed)):
            keys = [f"crm/{crm_out.add_contact(contact)}" for contact in history.contacts]
            keys += [f"crm/{crm_out.add_lead(lead)}" for lead in history.leads]
            keys += [f"pos/{pos_out.add_shopper(shopper)[0]}" for shopper in history.shoppers]
            keys += [f"mail/{mail_out.add_subscriber(one)}" for one in history.subscribers]
            keys += [f"support/{support_out.add_user(user)}" for user in history.users]
            truth.add(index, keys, persona)
            if progress and (index + 1) % _STEP == 0:
                progress("people", index + 1, people)
        truth.add_persona(STRANGER)
        truth.add_persona(newcomer())
        sales = list(walk_ins(seed, max(20, people // 10)))
        sales[0].kind, sales[0].status, sales[0].number = 0, 0, WALK_IN_NUMBER
        pos_out.add_walk_ins(sales)
        title = "A sale to nobody in particular"
        truth.add_persona(Persona("walk_in", title, identifiers={"order_number": [WALK_IN_NUMBER]}))
    for name, out in (
        ("crm", crm_out), ("pos", pos_out), ("mail", mail_out), ("support", support_out),
    ):  # fmt: skip
        if progress:
            progress(name, 0, None)
        out.close()


def _histories(people: int, seed: int) -> Iterator[tuple[History, Persona | None]]:
    known = personas()
    for persona in known:
        yield persona.history, persona
    for person in make_people(people - len(known), seed, first=len(known)):
        yield invent(person, seed), None


def _clear(directory: Path) -> None:
    for name in (crm.FILE, pos.FILE, support.FILE, "truth.json"):
        for suffix in ("", "-journal", "-wal", "-shm"):
            (directory / f"{name}{suffix}").unlink(missing_ok=True)
    for folder in (mail.FOLDER, mail.DRAFTS):
        shutil.rmtree(directory / folder, ignore_errors=True)


def _copy_catalog(target: Path, shipped: Mapping[str, str], *, on_servers: bool) -> dict[str, str]:
    """Copies what is new or was never edited; what users edited or removed stays so."""
    hashes = {}
    files = dict(_shipped_catalog(_CATALOG))
    if on_servers:
        files.update(_shipped_catalog(_CATALOG_ON_SERVERS))
    for name in shipped.keys() - files.keys():
        file = target / name
        if file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == shipped[name]:
            file.unlink()
    for name, content in files.items():
        hashes[name] = hashlib.sha256(content).hexdigest()
        file = target / name
        before = shipped.get(name)
        if before is not None and not file.exists():
            continue
        if file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() != before:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return hashes


def _shipped_catalog(name: str) -> Iterator[tuple[str, bytes]]:
    root = resources.files("roundview.demo") / name
    for folder in ("", "sources"):
        entries = root / folder if folder else root
        for entry in sorted(entries.iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".yaml"):
                yield (f"{folder}/{entry.name}" if folder else entry.name), entry.read_bytes()


def _generator() -> str:
    """Returns a hash of the code that makes estates: other code, other estate."""
    digest = hashlib.sha256()
    for entry in sorted(resources.files("roundview.demo").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".py"):
            digest.update(entry.read_bytes())
    return digest.hexdigest()[:16]


def _make_secret(file: Path) -> None:
    if file.exists():
        return
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(secrets.token_hex(32))


def _read(mark: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(mark.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
