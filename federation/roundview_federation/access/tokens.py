"""Decides whether an access token is to be believed: its shape, issuer, signature and times."""

from __future__ import annotations

import json
import logging
import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from joserfc import jws
from joserfc.errors import JoseError

from roundview_catalog.access_file import Issuer
from roundview_catalog.errors import AccessError
from roundview_federation.access.signing_keys import SigningKeys

LARGEST: Final = 8 * 1024
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LONGEST_NAME = 256
_MOST_AUDIENCES = 32
# Keys that a token brings along, and ways of reading it that we do not know (RFC 7515, 4.1).
_REFUSED = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc", "cty"})
_LOG = logging.getLogger("roundview.access")


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was taken apart; nothing in it is believed yet."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        """Returns what it says of who issued it."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else ""


def take_apart(text: str) -> Token:
    """Returns the parts of a token in the compact form; raises AccessError RV302."""
    if len(text) > LARGEST:
        refuse("too large")
    if not _SHAPE.fullmatch(text):
        refuse("not three parts")
    header, claims, signature = text.split(".")
    _bytes(signature)
    return Token(text, _object(header), _object(claims))


async def prove(token: Token, issuer: Issuer, keys: SigningKeys, now: float) -> None:
    """Raises AccessError RV302 unless the issuer signed the token for us and it is valid now.

    `now` is in seconds since 1970. Follows RFC 9068 and RFC 8725. What keys are not needed for is
    looked at first, so that a token which is refused anyway has no keys fetched.
    """
    algorithm, key_id = _read_header(token.header, issuer)
    _check_claims(token.claims, issuer, now)
    for key in await keys.find(key_id, algorithm):
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        registry.max_header_length = LARGEST
        try:
            jws.deserialize_compact(token.text, key, registry=registry)
        except (JoseError, ValueError):
            continue
        return
    refuse("not signed by a key of its issuer")


def refuse(why: str) -> NoReturn:
    """Refuses a credential; why is told to the log only, in words without its values."""
    _LOG.info("refused: %s", why)
    raise AccessError(
        "the token or key is not accepted", code="RV302", hint="get a new one from who issues them"
    )


def _read_header(header: Mapping[str, Any], issuer: Issuer) -> tuple[str, str | None]:
    algorithm, kind, key_id = header.get("alg"), header.get("typ"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
        refuse("its algorithm is none of the issuer's")
    if not isinstance(kind, str):
        refuse("it has no type")
    if kind.lower().removeprefix("application/") not in issuer.types:
        refuse("its type is no access token's")
    if _REFUSED & header.keys():
        refuse("its header asks for more than a signature")
    if key_id is not None and not (isinstance(key_id, str) and 0 < len(key_id) <= _LONGEST_NAME):
        refuse("its key id is no name")
    return algorithm, key_id


def _check_claims(claims: Mapping[str, Any], issuer: Issuer, now: float) -> None:
    audience = claims.get("aud")
    several = [audience] if isinstance(audience, str) else audience
    if not isinstance(several, list) or len(several) > _MOST_AUDIENCES:
        refuse("it names no audience")
    if not all(isinstance(one, str) for one in several) or not {*several} & {*issuer.audience}:
        refuse("it is meant for somebody else")
    expires, issued = _instant(claims.get("exp")), _instant(claims.get("iat"))
    if expires is None or issued is None:
        refuse("it does not say from when to when it is valid")
    if expires <= now - issuer.leeway:
        refuse("it has expired")
    if issued > now + issuer.leeway:
        refuse("it was issued in the future")
    if expires - issued > issuer.lifetime:
        refuse("it is valid for too long")
    begins = _instant(claims.get("nbf", issued))
    if begins is None or begins > now + issuer.leeway:
        refuse("it is not valid yet")


def _instant(value: object) -> float | None:
    # A bool is a number in Python, and infinity never expires.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        instant = float(value)
    except OverflowError:
        return None
    return instant if math.isfinite(instant) and instant >= 0 else None


def _bytes(part: str) -> bytes:
    try:
        content = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        refuse("a part is not base64url")
    # The last character may hold bits that mean nothing: one token has one spelling.
    if urlsafe_b64encode(content).rstrip(b"=").decode() != part:
        refuse("a part is not base64url")
    return content


def _object(part: str) -> Mapping[str, Any]:
    try:
        found = json.loads(
            _bytes(part).decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        refuse("a part is not JSON")
    if not isinstance(found, dict):
        refuse("a part is no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(_: str) -> NoReturn:
    raise ValueError("not a number of JSON")
