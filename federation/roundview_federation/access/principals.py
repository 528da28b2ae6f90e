"""Decides who asks: makes one Principal of a token, of an API key, or of this machine's user."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from roundview_catalog.access_file import Access, ClaimPath, Issuer, is_key_place
from roundview_catalog.errors import AccessError
from roundview_catalog.model import Catalog
from roundview_catalog.secrets import resolve
from roundview_federation.access.api_keys import FILE, PREFIX, ApiKeys, Holder
from roundview_federation.access.attempts import Attempts
from roundview_federation.access.signing_keys import SigningKeys, read_file, read_url
from roundview_federation.access.tokens import prove, refuse, take_apart
from roundview_federation.access.verifiers import Verifier, nobodys_verifier
from roundview_federation.request import OPEN_GRAPHQL, Principal

DEMO: Final = Principal(
    name="demo",
    roles=("demo",),
    purposes=("service",),
    default_purpose="service",
    scopes=(OPEN_GRAPHQL,),
)
"""Who asks where nothing says how callers are authenticated: on this machine only."""

SCOPES: Final = (OPEN_GRAPHQL,)
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)
_MOST_ROLES = 100
_LONGEST_NAME = 256
_ACCESS_FILE = "access.yaml"


class Authenticator:
    """Authenticates callers of one data folder by what the catalog that serves now says.

    Once a catalog said how, nobody gets in without it any more: a file that is lost in a reload
    must not open the door.
    """

    def __init__(
        self,
        root: Path,
        data_dir: Path,
        env: Mapping[str, str],
        clock: Callable[[], datetime],
        access: Access,
        *,
        secret: bytes,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._store = data_dir / FILE
        self._env = env
        self._clock = clock
        self._ticks = ticks
        self._secret = secret
        self._attempts = Attempts(ticks)
        self._api_keys: ApiKeys | None = None
        self._signing: dict[Issuer, SigningKeys] = {}
        self._resolved: tuple[Access, tuple[Issuer, ...]] = (Access(), ())
        self._must_authenticate = access.is_configured

    async def authenticate(
        self,
        catalog: Catalog,
        credential: str | None,
        is_local: bool,
        anybody: Principal,
        address: str = "",
    ) -> Principal:
        """Returns who asks; `anybody` where no one needs to say, on this machine.

        `credential` is a token or an API key; `address` who sends it, "" for this process. Raises
        AccessError RV302 for one that is missing or not accepted, RV300 where none of its roles
        exists here, RV303 where keys cannot be had, RV306 after too many failed attempts.
        """
        self._must_authenticate |= catalog.access.is_configured
        if credential is None:
            if is_local and not self._must_authenticate:
                return _of_this_machine(catalog, anybody)
            raise AccessError(
                "a token or an API key is needed", code="RV302", hint="send it as a Bearer token"
            )
        if not address:
            return await self._believed(catalog, credential)
        self._attempts.check(address, credential)
        try:
            principal = await self._believed(catalog, credential)
        except AccessError as error:
            if error.code == "RV302":
                self._attempts.failed(address)
            raise
        self._attempts.accepted(credential)
        return principal

    def proven(
        self, catalog: Catalog, user: str
    ) -> tuple[Verifier, Callable[[], Principal] | None]:
        """Returns what proves that somebody has an API key, and who they are once it is proven.

        `user` is the name of the key's holder, or of the key. Nobody is proven by the verifier of
        a user who is not known.
        """
        self._must_authenticate |= catalog.access.is_configured
        found = self._keys().proof(user, self._clock()) if catalog.access.api_keys else None
        if found is None:
            return nobodys_verifier(user, self._secret), None
        return found[0], partial(_principal, catalog, found[1])

    def close(self) -> None:
        """Closes the store of API keys."""
        if self._api_keys is not None:
            self._api_keys.close()

    async def _believed(self, catalog: Catalog, credential: str) -> Principal:
        if credential.startswith(PREFIX):
            return await self._by_key(catalog, credential)
        return await self._by_token(catalog, credential)

    async def _by_key(self, catalog: Catalog, credential: str) -> Principal:
        if not catalog.access.api_keys:
            refuse("API keys are not accepted here")
        holder = self._keys().find(credential, self._clock())
        if holder is None:
            refuse("no such API key, or not any more")
        return _principal(catalog, holder)

    def _keys(self) -> ApiKeys:
        if self._api_keys is None:
            self._api_keys = ApiKeys(self._store)
        return self._api_keys

    async def _by_token(self, catalog: Catalog, credential: str) -> Principal:
        token = take_apart(credential)
        issuer = next((one for one in self._issuers(catalog) if one.issuer == token.issuer), None)
        if issuer is None:
            refuse("an unknown issuer")
        await prove(token, issuer, self._signing[issuer], self._clock().timestamp())
        return _principal(catalog, _holder(token.claims, issuer))

    def _issuers(self, catalog: Catalog) -> tuple[Issuer, ...]:
        access = catalog.access
        if self._resolved[0] is not access:
            issuers = tuple(_resolved(one, self._env) for one in access.issuers)
            self._signing = {
                one: self._signing.get(one) or self._signing_keys(one) for one in issuers
            }
            self._resolved = (access, issuers)
        return self._resolved[1]

    def _signing_keys(self, issuer: Issuer) -> SigningKeys:
        if not is_key_place(issuer.keys):
            raise AccessError(
                "the keys of the issuer cannot be had", code="RV303", hint="correct its address"
            )
        read = (
            partial(read_url, issuer.keys)
            if "://" in issuer.keys
            else partial(read_file, self._root / issuer.keys)
        )
        return SigningKeys(read, issuer.name, self._ticks)


def bearer(headers: Sequence[str]) -> str | None:
    """Returns the credential of the Authorization headers of a request (RFC 6750).

    None for a request without one; raises AccessError RV302 for what is no Bearer token.

    >>> bearer(["Bearer abc"])
    'abc'
    """
    if not headers:
        return None
    match = _BEARER.fullmatch(headers[0].strip(" ")) if len(headers) == 1 else None
    if match is None:
        refuse("not one Bearer token")
    return match[1]


def is_this_machine(address: str) -> bool:
    """Tells whether a peer's address is loopback.

    >>> is_this_machine("127.0.0.1"), is_this_machine("10.0.0.1")
    (True, False)
    """
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def of_role(catalog: Catalog, role: str) -> Principal:
    """Returns somebody who has one role for the first of its purposes, as plans are made for."""
    purposes = catalog.policy.roles[role].purposes
    return Principal(role, (role,), {}, purposes, purposes[0], SCOPES)


def _resolved(issuer: Issuer, env: Mapping[str, str]) -> Issuer:
    return replace(
        issuer,
        issuer=resolve(issuer.issuer, env, file=_ACCESS_FILE),
        audience=tuple(resolve(one, env, file=_ACCESS_FILE) for one in issuer.audience),
        keys=resolve(issuer.keys, env, file=_ACCESS_FILE),
    )


def _holder(claims: Mapping[str, Any], issuer: Issuer) -> Holder:
    """Returns what the claims of a believed token say of who has it."""
    paths = issuer.claims
    name = _claim(claims, paths.name)
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        refuse("it names nobody")
    attributes = {key: _claim(claims, path) for key, path in paths.attributes}
    said = _texts(_claim(claims, paths.purposes)) if paths.purposes else issuer.purposes
    if issuer.purposes:
        said = tuple(one for one in said if one in issuer.purposes)
    if paths.purposes and not said:
        # No purposes would mean all of them.
        refuse("it has no purpose")
    scope = claims.get("scope", "")
    return Holder(
        name=name,
        roles=_texts(_claim(claims, paths.roles)),
        # What is not a text is no attribute: a rule that names it shows nothing.
        attributes={key: value for key, value in attributes.items() if isinstance(value, str)},
        purposes=said,
        default_purpose=issuer.default_purpose,
        scopes=tuple(one for one in SCOPES if isinstance(scope, str) and one in scope.split(" ")),
    )


def _principal(catalog: Catalog, holder: Holder) -> Principal:
    """Returns the principal: roles that exist here, and purposes that one of them has."""
    roles = tuple(sorted({name for name in holder.roles if name in catalog.policy.roles}))
    if not roles:
        raise AccessError("none of your roles exists here", hint="ask whoever owns policy.yaml")
    allowed = _purposes(catalog, roles)
    purposes = tuple(one for one in allowed if not holder.purposes or one in holder.purposes)
    default = holder.default_purpose
    if default not in purposes:
        default = purposes[0] if len(purposes) == 1 else ""
    return Principal(
        name=holder.name,
        roles=roles,
        attributes=MappingProxyType(dict(holder.attributes)),
        purposes=purposes,
        default_purpose=default,
        scopes=holder.scopes,
    )


def _of_this_machine(catalog: Catalog, anybody: Principal) -> Principal:
    """Returns whoever asks on this machine, for any purpose that their roles have."""
    allowed = _purposes(catalog, anybody.roles)
    return replace(anybody, purposes=allowed) if allowed else anybody


def _purposes(catalog: Catalog, roles: Sequence[str]) -> tuple[str, ...]:
    known = (catalog.policy.roles.get(name) for name in roles)
    return tuple(sorted({one for role in known if role is not None for one in role.purposes}))


def _claim(claims: Mapping[str, Any], path: ClaimPath) -> Any:
    found: Any = claims
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _texts(value: Any) -> tuple[str, ...]:
    """Returns the names of a claim, exactly as they stand there: one, or a list of some."""
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list) or len(several) > _MOST_ROLES:
        refuse("its roles or purposes are no list of some names")
    if not all(isinstance(one, str) for one in several):
        refuse("its roles or purposes are no names")
    return tuple(several)
