"""Decides what `access.yaml` says: who is believed about who asks, and by which names we go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, StrictBool

from roundview_catalog import secrets
from roundview_catalog.document import Document
from roundview_catalog.durations import seconds
from roundview_catalog.report import Report
from roundview_catalog.shapes import Path, is_map, shaped
from roundview_catalog.tables import Shape

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]
"""Signatures with a public key only: a shared secret would let whoever checks tokens make them."""

ClaimPath = tuple[str, ...]
LONGEST_LIFETIME_SECONDS = 86_400.0
LONGEST_LEEWAY_SECONDS = 300.0

_Duration = Annotated[float, BeforeValidator(seconds, json_schema_input_type=str)]
_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Names = Annotated[tuple[_Name, ...], Field(min_length=1)]
_Claim = _Name | _Names
_Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")]


class ClaimsSection(Shape):
    """Which claims of a token say what; a list is a path into nested claims."""

    name: _Claim = "sub"
    """Who asks."""
    roles: _Claim = "roles"
    """The names of the roles: a list, or one name."""
    purposes: _Claim | None = None
    """The purposes, where the issuer says them."""
    attributes: Mapping[str, _Claim] = Field(default_factory=dict)
    """Attribute of the principal -> claim."""


class IssuerSection(Shape):
    """One issuer of access tokens."""

    issuer: _Name
    """Its `iss`, compared as it is written; may hold ${env:…}."""
    audience: _Name | _Names
    """What `aud` must have, or one of these; may hold ${env:…}."""
    keys: _Name
    """Its key set: an https address, or a file relative to the catalog folder; may hold ${env:…}.
    """
    algorithms: tuple[Algorithm, ...] = ("RS256",)
    """The signatures that it makes."""
    types: _Names = ("at+jwt",)
    """What `typ` of its access tokens may be."""
    claims: ClaimsSection = Field(default_factory=ClaimsSection)
    """Which claims say what."""
    purposes: tuple[str, ...] = ()
    """The only purposes that its principals may have; default: all of their roles."""
    default_purpose: str = ""
    """The purpose of requests that name none."""
    lifetime: _Duration = 3600.0
    """Longest time from `iat` to `exp`."""
    leeway: _Duration = 30.0
    """By how much clocks may differ."""


class AccessFile(Shape):
    """Who is believed about who asks; without this file only this machine is served."""

    issuers: Mapping[str, IssuerSection] = Field(default_factory=dict)
    """Name -> issuer of access tokens."""
    api_keys: StrictBool = False
    """true accepts the keys that `roundview key create` makes."""
    hosts: tuple[_Host, ...] = ()
    """Host names that requests may name, besides those of this machine."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The path to each claim; no path stands for a claim that is not read."""

    name: ClaimPath = ("sub",)
    roles: ClaimPath = ("roles",)
    purposes: ClaimPath = ()
    attributes: tuple[tuple[str, ClaimPath], ...] = ()


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer; `issuer`, `audience` and `keys` still have their `${env:…}` references.

    Durations are seconds.
    """

    name: str
    issuer: str
    audience: tuple[str, ...]
    keys: str
    algorithms: tuple[str, ...] = ("RS256",)
    types: tuple[str, ...] = ("at+jwt",)
    claims: Claims = Claims()
    purposes: tuple[str, ...] = ()
    default_purpose: str = ""
    lifetime: float = 3600.0
    leeway: float = 30.0


@dataclass(frozen=True, slots=True)
class Access:
    """How callers are authenticated; without configuration only this machine is served."""

    is_configured: bool = False
    issuers: tuple[Issuer, ...] = ()
    api_keys: bool = False
    hosts: tuple[str, ...] = ()


def read_access(document: Document, report: Report) -> Access:
    """Returns what an access file says."""
    closed = Access(is_configured=True)
    if not is_map(document.data, document, (), report):
        return closed
    for path, text in secrets.texts(document.data):
        is_address = path[-1] in ("issuer", "keys") or "audience" in path
        if secrets.malformed_reference(text) or ("${" in text and not is_address):
            at = document.position(path)
            report.add(at, "RV223", "not a reference", "write ${env:NAME}")
    file = shaped(AccessFile, document.data, document, (), report)
    if file is None:
        return closed
    return Access(
        is_configured=True,
        issuers=tuple(
            _issuer(name, section, document, report) for name, section in file.issuers.items()
        ),
        api_keys=file.api_keys,
        hosts=tuple(host.lower() for host in file.hosts),
    )


def is_key_place(text: str) -> bool:
    """Tells whether keys may be read there: over https, from this machine, or from a file."""
    if "://" not in text:
        return True
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    if parts.scheme == "https":
        return True
    try:
        return parts.scheme == "http" and ip_address(host).is_loopback
    except ValueError:
        return False


def _issuer(name: str, section: IssuerSection, document: Document, report: Report) -> Issuer:
    path: Path = ("issuers", name)
    for key, most in (("lifetime", LONGEST_LIFETIME_SECONDS), ("leeway", LONGEST_LEEWAY_SECONDS)):
        if getattr(section, key) > most:
            at = document.position((*path, key))
            report.add(at, "RV206", f"{key} is too long", f"at most {most:.0f}s")
    if "${" not in section.keys and not is_key_place(section.keys):
        report.add(document.position((*path, "keys")), "RV206", "not a place of keys",
                   "an address with https, or a file")  # fmt: skip
    if section.purposes and section.default_purpose not in ("", *section.purposes):
        report.add(document.position((*path, "default_purpose")), "RV206",
                   "the default is none of the purposes",
                   f"one of {', '.join(section.purposes)}")  # fmt: skip
    claims = section.claims
    return Issuer(
        name=name,
        issuer=section.issuer,
        audience=_several(section.audience),
        keys=section.keys,
        algorithms=section.algorithms,
        types=tuple(one.lower() for one in section.types),
        claims=Claims(
            name=_several(claims.name),
            roles=_several(claims.roles),
            purposes=() if claims.purposes is None else _several(claims.purposes),
            attributes=tuple((key, _several(one)) for key, one in claims.attributes.items()),
        ),
        purposes=section.purposes,
        default_purpose=section.default_purpose,
        lifetime=section.lifetime,
        leeway=section.leeway,
    )


def _several(one: str | tuple[str, ...]) -> tuple[str, ...]:
    return (one,) if isinstance(one, str) else tuple(one)
