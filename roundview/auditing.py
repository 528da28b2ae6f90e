"""Decides how the audit log is proved, searched and handed out; reading it is recorded too."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson

from roundview.settings import Workspace, token_of
from roundview_catalog.errors import AccessError, RequestError
from roundview_federation.audit.chain import Chain
from roundview_federation.audit.log import PSEUDONYMS_FILE, AuditPlace
from roundview_federation.audit.pseudonyms import Pseudonyms
from roundview_federation.audit.reading import Progress, Verdict, records, verify
from roundview_federation.audit.searching import Sighting, who_saw
from roundview_federation.federation import Federation
from roundview_federation.plan import Identifier
from roundview_identity.aliases import former_ids
from roundview_identity.keys import Keys

READ = "audit.read"
FORMATS = ("jsonl", "csv")
_COLUMNS = (
    "chain", "number", "is", "id", "at", "actor", "roles", "purpose", "reason", "question", "by",
    "who", "many", "emergency", "reveals", "policy", "rules", "shape", "trace", "status", "code",
    "rows", "sources", "fields",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def audit_place(place: Workspace) -> AuditPlace:
    """Returns where the audit log of a workspace lies."""
    return AuditPlace(place.data_dir / "audit", place.audit_heads, place.audit_days)


def verify_log(place: Workspace, progress: Progress | None = None) -> Verdict:
    """Says whether the audit log is what was written; needs the root secret, asks no source."""
    return verify(audit_place(place), Chain(_keys(place)), progress)


async def sightings(
    federation: Federation, place: Workspace, identifier: Identifier, progress: Progress
) -> tuple[Sighting, ...]:
    """Returns the questions that were, or may have been, about whom an identifier leads to.

    Looked up in the identity store: no source is asked. Raises AccessError RV300 without the
    action audit.read.
    """
    customers = _customers(federation, identifier)
    await _record(federation, "who-saw", customers)
    pseudonyms = Pseudonyms(audit_place(place).folder / PSEUDONYMS_FILE, _keys(place))
    try:
        names = pseudonyms.known(customers)
    finally:
        pseudonyms.close()
    return who_saw(audit_place(place).folder, set(names.values()), progress)


async def exported(
    federation: Federation, place: Workspace, form: str, progress: Progress
) -> Iterator[str]:
    """Yields the lines of all records as JSON or CSV; see `sightings` for what it raises."""
    if form not in FORMATS:
        raise RequestError("there is no such format", code="RV102", hint="jsonl or csv")
    await _record(federation, "export", ())
    told = records(audit_place(place).folder, progress)
    return (orjson.dumps(one).decode() for one in told) if form == "jsonl" else _csv(told)


def _customers(federation: Federation, identifier: Identifier) -> tuple[str, ...]:
    kind = federation.catalog.canonical.identifiers.get(identifier.kind)
    if kind is not None and kind.is_live:
        raise RequestError(
            f"{kind.name} is looked up in its source",
            code="RV103",
            hint="find the customer_id first: roundview customer",
        )
    forms = federation.normalized(identifier)
    xref = federation.xref
    if identifier.kind == "customer_id":
        # Who was erased, or has no record left, may still be asked for by id.
        found = [xref.resolve_id(form) or form for form in forms]
    else:
        found = [one for form in forms for one in xref.lookup(identifier.kind, form)]
    return tuple(dict.fromkeys(id_ for one in found for id_ in (one, *former_ids(xref, one))))


async def _record(federation: Federation, what: str, customers: tuple[str, ...]) -> None:
    principal = await federation.authenticate(token_of(None), is_local=True)
    purposes = principal.purposes
    if not any(READ in federation.decide(principal, one).actions for one in purposes):
        raise AccessError(
            "your role may not read the audit log",
            hint=f"it takes the action {READ} in policy.yaml",
        )
    told = {
        "is": "reading",
        "at": federation.clock().isoformat(),
        "actor": principal.name,
        "roles": list(principal.roles),
        "question": what,
    }
    await federation.audit_log.keep(told, customers)


def _csv(told: Iterator[dict[str, Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="")
    writer.writerow(_COLUMNS)
    yield buffer.getvalue()
    for one in told:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([_cell(one.get(name)) for name in _COLUMNS])
        yield buffer.getvalue()


def _cell(value: Any) -> Any:
    text = value if isinstance(value, str) else "" if value is None else orjson.dumps(value)
    text = text.decode() if isinstance(text, bytes) else text
    # A spreadsheet would run what a reason begins with.
    return f"'{text}" if text.startswith(_FORMULA) else text


def _keys(place: Workspace) -> Keys:
    if not place.secret_file.exists():
        raise RequestError(
            "there is no root secret here", code="RV102", hint="set ROUNDVIEW_SECRET_FILE"
        )
    return Keys.from_file(place.secret_file)
