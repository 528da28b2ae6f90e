"""Decides how a client proves who it is."""

from __future__ import annotations

from typing import Final

from roundview_federation.federation import Federation
from roundview_federation.request import Principal
from roundview_sql import messages
from roundview_sql.channel import Channel
from roundview_sql.failures import WireError
from roundview_sql.scram import BOUND, MECHANISM, Scram, refused

BY_PASSWORD: Final = ("token", "key")
"""Names of users whose password is a token or an API key, which says who they are."""
_MOST_BYTES: Final = 64 * 1024
_PASSWORD: Final = ord("p")


async def log_in(
    channel: Channel,
    user: str,
    federation: Federation,
    *,
    is_local: bool,
    is_encrypted: bool,
    binding: bytes = b"",
) -> Principal:
    """Returns who a client is; raises WireError or AccessError for whom is not believed.

    On this machine nobody has to prove anything where the catalog does not say how. A token or
    an API key goes as the password of certain users, inside TLS only; holders of API keys prove
    that they have them, and where there is a `binding`, that they mean this very server.
    """
    if not federation.catalog.access.is_configured:
        return await federation.authenticate(None, is_local=is_local)
    if user in BY_PASSWORD:
        if not is_encrypted:
            raise WireError("28000", "tokens and keys go over TLS only", is_fatal=True)
        return await _by_password(channel, federation)
    return await _by_proof(channel, user, federation, binding)


async def _by_password(channel: Channel, federation: Federation) -> Principal:
    channel.put(messages.CLEARTEXT_PASSWORD)
    reader = messages.Reader(await _answer(channel))
    password = reader.text()
    reader.end()
    return await federation.authenticate(password, is_local=False)


async def _by_proof(
    channel: Channel, user: str, federation: Federation, binding: bytes
) -> Principal:
    verifier, principal = federation.access.proven(federation.catalog, user)
    offered = (BOUND, MECHANISM) if binding else (MECHANISM,)
    channel.put(messages.authentication(10, *map(messages.zero, offered), b"\x00"))
    reader = messages.Reader(await _answer(channel))
    chosen = reader.text()
    if chosen not in offered:
        raise WireError("08P01", "the client chose another mechanism", is_fatal=True)
    exchange = Scram(verifier, binding=binding, is_bound=chosen == BOUND)
    reader.int32()
    first = exchange.first(messages.utf8(reader.rest()))
    channel.put(messages.authentication(11, first.encode()))
    last = exchange.final(messages.utf8(await _answer(channel)))
    if principal is None:
        raise refused()
    channel.put(messages.authentication(12, last.encode()))
    return principal()


async def _answer(channel: Channel) -> bytes:
    await channel.flush()
    tag, body = await channel.message(_MOST_BYTES)
    if tag != _PASSWORD:
        raise WireError("08P01", "expected a password", is_fatal=True)
    return body
