"""Decides whether an installation is fit to serve: what is looked at, and what it amounts to."""

from __future__ import annotations

import os
import shutil
import stat
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from roundview.auditing import audit_place, verify_log
from roundview.policy_testing import Judged, judged_live, judged_offline
from roundview.settings import Workspace
from roundview_catalog import loader
from roundview_catalog.errors import RoundviewError
from roundview_catalog.model import Catalog
from roundview_catalog.policy import Role
from roundview_federation.federation import Federation
from roundview_federation.live import Finding, Proven, Verdict, prove_source
from roundview_federation.plan import Identifier
from roundview_federation.request import Principal, Request
from roundview_identity.samples import some_customers

Report = Callable[[str, int, int | None], None]
SAMPLES = 3
_LITTLE_BYTES = 2**30
_TOO_LITTLE_BYTES = 2**26
_SKEW = timedelta(minutes=2)
_READ_ONLY = "RV407"


class State(StrEnum):
    """What one look amounts to."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """One thing that was looked at; `exit` is the exit code where it failed."""

    name: str
    state: State
    detail: str
    hint: str = ""
    exit: int = 1


def exit_code(looks: Sequence[Look]) -> int:
    """Returns 0 where nothing failed, else the exit code of the first that did."""
    return next((one.exit for one in looks if one.state is State.FAILED), 0)


def offline(place: Workspace) -> Iterator[Look]:
    """Looks at files: the catalog, secrets, the audit log, its disk and the clock."""
    problems = loader.check(place.catalog)
    if problems:
        detail = f"{len(problems)} problems, the first: {problems[0]}"
        yield Look("catalog", State.FAILED, detail, "roundview check shows all of them")
    else:
        yield Look("catalog", State.OK, "no mistakes, and no secret is written out in it")
        yield _policy_tests(loader.load(place.catalog))
    yield from _secret_files(place)
    yield from _audit(place)


async def online(
    federation: Federation, place: Workspace, seconds: float, report: Report
) -> AsyncIterator[Look]:
    """Looks at what is open: sources, their claims, links, and each role on a few customers."""
    names = list(federation.catalog.sources)
    for at, name in enumerate(names):
        report(name, at, len(names))
        proven = await prove_source(federation.catalog, name, env=place.env, seconds=seconds)
        yield _login(name, proven)
        yield _claims(name, proven)
    is_whole = federation.xref.is_chain_whole()
    counts = federation.xref.counts()
    detail = ", ".join(f"{count} {what}" for what, count in counts.items())
    yield Look(
        "links",
        State.OK if is_whole else State.FAILED,
        detail if is_whole else "the events of the identity store are not as they were written",
        "" if is_whole else "restore the identity store",
        6,
    )
    roles = federation.catalog.policy.roles
    if not roles:
        yield Look(
            "policy", State.FAILED, "there are no roles: nobody sees anything", "policy.yaml"
        )
    yield await _policy_questions(federation)
    customers = some_customers(federation.xref, SAMPLES)
    for at, role in enumerate(roles.values()):
        report(f"role {role.name}", at, len(roles))
        yield await _role(federation, role, customers)


def _policy_tests(catalog: Catalog) -> Look:
    """Holds the policy against the rows and names of policy_tests.yaml."""
    name, tests = "policy tests", catalog.policy_tests
    if not tests:
        hint = "policy_tests.yaml says what each role must and must not see"
        return Look(name, State.WARNING, "nothing says what the policy must amount to", hint)
    return _judged(name, [judged_offline(catalog, one) for one in tests])


async def _policy_questions(federation: Federation) -> Look:
    """Asks what policy_tests.yaml asks live."""
    name = "policy questions"
    tests = [one for one in federation.catalog.policy_tests if one.questions]
    if not tests:
        return Look(name, State.OK, "none are asked live")
    return _judged(name, [await judged_live(federation, one) for one in tests])


def _judged(name: str, found: Sequence[Judged]) -> Look:
    failed = [one for one in found if not one.holds]
    if failed:
        detail = f"{len(failed)} of {len(found)} do not hold, the first: {failed[0].name}"
        return Look(name, State.FAILED, detail, "roundview policy test", 3)
    return Look(name, State.OK, f"{len(found)} hold")


def _secret_files(place: Workspace) -> Iterator[Look]:
    beside = place.catalog.resolve().parent / "env"
    for name, path in (("root secret", place.secret_file), ("environment file", beside)):
        if not path.exists():
            continue
        others = stat.S_IMODE(path.stat().st_mode) & 0o077
        yield Look(
            name,
            State.FAILED if others else State.OK,
            "others than its owner can read it" if others else "only its owner can read it",
            "chmod 600" if others else "",
            3,
        )


def _audit(place: Workspace) -> Iterator[Look]:
    where = audit_place(place)
    folder = _there(where.folder)
    if not os.access(folder, os.W_OK):
        yield Look(
            "audit disk", State.FAILED, "its folder cannot be written", "nobody is served", 3
        )
    free = shutil.disk_usage(folder).free
    said = f"{free // 2**20:,} MiB are free"
    if free < _TOO_LITTLE_BYTES:
        yield Look("audit disk", State.FAILED, said, "without room nobody is served", 3)
    elif free < _LITTLE_BYTES:
        yield Look("audit disk", State.WARNING, said, "make room in time")
    else:
        yield Look("audit disk", State.OK, said)
    if _there(where.heads).stat().st_dev == folder.stat().st_dev:
        hint = "ROUNDVIEW_AUDIT_HEADS on another one tells of a log that was cut off"
        yield Look("audit heads", State.WARNING, "they lie on the disk of the log", hint)
    else:
        yield Look("audit heads", State.OK, "they lie on another disk than the log")
    if not place.secret_file.exists():
        return
    found = verify_log(place)
    detail = f"{found.records} records, as they were written"
    yield Look(
        "audit log",
        State.OK if found.is_whole else State.FAILED,
        detail if found.is_whole else found.findings[0],
        "" if found.is_whole else "roundview audit verify",
        3,
    )
    is_ahead = bool(found.last) and datetime.fromisoformat(found.last) > datetime.now(UTC) + _SKEW
    yield Look(
        "clock",
        State.FAILED if is_ahead else State.OK,
        "it stands before the last record of the audit log" if is_ahead else "it goes forward",
        "set it: ages, expiry and the audit log depend on it" if is_ahead else "",
        3,
    )


def _login(name: str, proven: Proven) -> Look:
    failure = proven.failure
    if failure is None:
        return Look(f"{name}: login", State.OK, "proved to be read-only")
    state = State.FAILED
    detail = "not proven to be read-only" if failure.code == _READ_ONLY else failure.message
    return Look(f"{name}: login", state, detail, failure.hint, failure.row.exit)


def _claims(name: str, proven: Proven) -> Look:
    counts = Counter(one.verdict for one in proven.findings)
    refuted = [one for one in proven.findings if one.verdict is Verdict.REFUTED]
    open_ = counts[Verdict.OPEN]
    said = f"{counts[Verdict.PROVED]} proved, {len(refuted)} refuted, {open_} open"
    if refuted:
        return Look(
            f"{name}: claims", State.FAILED, _first(refuted, said), "roundview check --live"
        )
    state = State.WARNING if open_ else State.OK
    return Look(f"{name}: claims", state, said, "roundview check --live" if open_ else "")


def _first(refuted: Sequence[Finding], said: str) -> str:
    return f"{said}; the first: {refuted[0].claim}"


async def _role(federation: Federation, role: Role, customers: Sequence[str]) -> Look:
    """Asks for a few customers as each role would; what it sees is looked at and dropped."""
    name = f"role {role.name}"
    if role.is_break_glass:
        # Trying it would raise the alarm.
        return Look(name, State.OK, "only for emergencies: not tried")
    asked = 0
    for purpose in role.purposes:
        principal = Principal(
            name="doctor", roles=(role.name,), purposes=role.purposes, default_purpose=purpose
        )
        request = Request(principal, reason="self-test")
        for customer in customers:
            try:
                _, result = await federation.customer(
                    Identifier("customer_id", customer), request, first=1
                )
            except RoundviewError as error:
                return Look(name, State.FAILED, f"{error.code} {error.message}", error.hint, 3)
            asked += 1
            failed = [one.name for one in result.sources if one.status == "failed"]
            if failed:
                detail = f"could not be tried on {', '.join(failed)}"
                return Look(name, State.WARNING, detail, "see the sources")
    if not role.purposes:
        return Look(name, State.WARNING, "it has no purposes: it counts for nothing", "policy.yaml")
    return Look(name, State.OK, f"{asked} views for {', '.join(role.purposes)}")


def _there(path: Path) -> Path:
    """Returns the nearest folder above a path that exists, or the path."""
    return path if path.exists() else _there(path.parent)
