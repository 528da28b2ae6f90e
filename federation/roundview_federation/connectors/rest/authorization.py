"""Decides what calls carry to prove who we are: a fixed header, or a token that is renewed."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote_plus, urlencode

import orjson

from roundview_catalog.model import Source
from roundview_catalog.secrets import resolve
from roundview_federation.connectors import connection as connections
from roundview_federation.connectors.http_client import open_port
from roundview_federation.connectors.http_port import HttpAnswer, HttpError, HttpPort
from roundview_federation.connectors.rest.failures import broken, failed
from roundview_federation.connectors.rest.origin import origin_of

_LARGEST_TOKEN: Final = 64 * 1024
_USUAL_SECONDS: Final = 300.0
_LONGEST_MARGIN: Final = 60.0
_CLIENT_HINT: Final = "check connection.auth.oauth2"


class Authorization(Protocol):
    """What the calls of one source carry."""

    async def headers(self) -> Mapping[str, str]:
        """Returns the headers of the next call; raises SourceError."""

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Tells whether a call whose headers were refused may be tried once more."""

    async def close(self) -> None:
        """Closes every connection."""


class FixedHeaders:
    """Headers that stay what they are."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    async def headers(self) -> Mapping[str, str]:
        """Returns them."""
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Tells that there are no others."""
        return False

    async def close(self) -> None:
        """Has nothing to close."""


class ClientCredentials:
    """A token that the client gets for its credentials (RFC 6749, 4.4), kept in memory only.

    It is asked for once, however many calls wait for it, and anew shortly before it expires.
    """

    def __init__(
        self, source: str, port: HttpPort, target: str, headers: Mapping[str, str], form: bytes
    ) -> None:
        self._source = source
        self._port = port
        self._target = target
        self._form = form
        self._sent = {
            "Accept": "application/json",
            "User-Agent": "roundview",
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        }
        self._asking = asyncio.Lock()
        self._headers: Mapping[str, str] = {}
        self._until = -math.inf

    async def headers(self) -> Mapping[str, str]:
        """Returns the header with a token that has not expired; raises SourceError."""
        if time.monotonic() >= self._until:
            async with self._asking:
                if time.monotonic() >= self._until:
                    await self._renew()
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Forgets a token that was refused, unless another one has come since."""
        if refused is self._headers:
            self._until = -math.inf
        return True

    async def close(self) -> None:
        """Closes every connection."""
        await self._port.close()

    async def _renew(self) -> None:
        asked = time.monotonic()
        try:
            answer = await self._port.post(self._target, self._sent, _LARGEST_TOKEN, self._form)
        except HttpError as error:
            raise broken(self._source, error) from None
        token, seconds = self._read(answer)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._until = asked + seconds - min(_LONGEST_MARGIN, seconds / 10)

    def _read(self, answer: HttpAnswer) -> tuple[str, float]:
        if answer.status in (400, 401, 403):
            what = f"gives us no token (status {answer.status})"
            raise failed(self._source, what, "RV404", _CLIENT_HINT, retryable=False)
        if answer.status != 200:
            what = f"gives us no token (status {answer.status})"
            raise failed(self._source, what, "RV400", _CLIENT_HINT)
        try:
            said = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            said = None
        token = said.get("access_token") if isinstance(said, dict) else None
        kind = said.get("token_type", "bearer") if isinstance(said, dict) else ""
        is_plain = isinstance(token, str) and _is_header_text(token) and " " not in token
        if not is_plain or not isinstance(kind, str) or kind.lower() != "bearer":
            what = "answered with something that is no bearer token"
            raise failed(self._source, what, "RV403", _CLIENT_HINT)
        return str(token), _lifetime(said.get("expires_in"))


def authorization(source: Source, env: Mapping[str, str]) -> Authorization:
    """Returns what `connection.auth` stands for; raises CatalogError."""
    auth = source.connection.get("auth")
    if auth is None:
        return FixedHeaders({})

    def secret(value: Any) -> str:
        text = resolve(str(value), env, file=source.position.file)
        if not _is_header_text(text):
            raise connections.refused(source, "a secret of connection.auth is no header text")
        return text

    if isinstance(auth, Mapping) and len(auth) == 1:
        way, value = next(iter(auth.items()))
        if way == "bearer":
            return FixedHeaders({"Authorization": f"Bearer {secret(value)}"})
        if way == "basic" and isinstance(value, Mapping):
            pair = f"{secret(value.get('user', ''))}:{secret(value.get('password', ''))}"
            return FixedHeaders({"Authorization": f"Basic {_in_base64(pair)}"})
        if way == "header" and isinstance(value, Mapping):
            return FixedHeaders({str(name): secret(text) for name, text in value.items()})
        if way == "oauth2" and isinstance(value, Mapping):
            client, key = secret(value.get("client_id", "")), secret(value.get("client_secret", ""))
            return _client(source, value, client, key, env)
    raise connections.refused(
        source,
        "connection.auth is not understood",
        "bearer, basic: {user, password}, header or oauth2",
    )


def _client(
    source: Source, declared: Mapping[str, Any], client: str, secret: str, env: Mapping[str, str]
) -> ClientCredentials:
    address = resolve(str(declared.get("token_url", "")), env, file=source.position.file)
    origin, path = origin_of(source, "auth.oauth2.token_url", address)
    form = {"grant_type": "client_credentials"}
    if declared.get("scope"):
        form["scope"] = str(declared["scope"])
    headers = {}
    if declared.get("send") == "body":
        form |= {"client_id": client, "client_secret": secret}
    else:
        # Both are encoded before they are joined (RFC 6749, 2.3.1).
        pair = f"{quote_plus(client)}:{quote_plus(secret)}"
        headers["Authorization"] = f"Basic {_in_base64(pair)}"
    port = open_port(origin, private=source.connection.get("private") is True, connections=1)
    return ClientCredentials(source.name, port, path or "/", headers, urlencode(form).encode())


def _lifetime(value: Any) -> float:
    """Returns the seconds that a token lives; some APIs say them as text, some not at all."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return _USUAL_SECONDS
    return seconds if math.isfinite(seconds) else _USUAL_SECONDS


def _in_base64(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


def _is_header_text(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()
