"""Writes records until it is killed, and says on standard output which are kept."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from roundview_federation.audit.log import AuditLog, AuditPlace
from roundview_identity.keys import Keys

SECRET = b"s" * 32
_SEGMENT_BYTES = 20_000
_TOGETHER = 7


def opened(folder: Path, *, segment_bytes: int | None = _SEGMENT_BYTES) -> AuditLog:
    """Opens a log whose segments are small."""
    return AuditLog(
        AuditPlace.beside(folder),
        Keys(SECRET),
        clock=lambda: datetime.now(UTC),
        segment_bytes=segment_bytes,
    )


async def _write(folder: Path, name: str) -> None:
    log = opened(folder)
    number = 0
    while True:
        records = [
            log.keep({"is": "intent", "id": f"{name}.{number + at}"}, [f"{number + at}"])
            for at in range(_TOGETHER)
        ]
        log.note({"is": "outcome", "id": f"{name}.{number}"})
        await asyncio.gather(*records)
        for at in range(_TOGETHER):
            sys.stdout.write(f"{name}.{number + at}\n")
        sys.stdout.flush()
        number += _TOGETHER


if __name__ == "__main__":
    asyncio.run(_write(Path(sys.argv[1]), sys.argv[2]))
