"""Decides how a client proves who it is."""

from __future__ import annotations

from typing import Final

from roundview_federation.federation import Federation
from roundview_federation.request import Principal
from roundview_sql import messages
from roundview_sql.channel import Channel
from roundview_sql.failures import WireError

_MOST_PASSWORD: Final = 64 * 1024
_PASSWORD: Final = ord("p")


async def log_in(
    channel: Channel, user: str, federation: Federation, *, is_local: bool, is_encrypted: bool
) -> Principal:
    """Returns who a client is; raises WireError or AccessError for whom is not believed.

    On this machine nobody has to prove anything where the catalog does not say how. A token or
    an API key goes as the password, inside TLS only.
    """
    if not federation.catalog.access.is_configured:
        return await federation.authenticate(None, is_local=is_local)
    if not is_encrypted:
        raise WireError("28000", "tokens and keys go over TLS only", is_fatal=True)
    channel.put(messages.CLEARTEXT_PASSWORD)
    await channel.flush()
    tag, body = await channel.message(_MOST_PASSWORD)
    if tag != _PASSWORD:
        raise WireError("08P01", "expected a password", is_fatal=True)
    reader = messages.Reader(body)
    password = reader.text()
    reader.end()
    return await federation.authenticate(password, is_local=False)
