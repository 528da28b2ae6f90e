"""Decides what a catalog says of how questions are finished: how long, by what, where Trino is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator, Field

from roundview_catalog.durations import seconds, size_in_bytes
from roundview_catalog.tables import Shape

_Duration = Annotated[float, BeforeValidator(seconds, json_schema_input_type=str)]
_Size = Annotated[int, BeforeValidator(size_in_bytes, json_schema_input_type=str)]
EMBEDDED_BYTES = 2 * 1024**3


class DeadlinesSection(Shape):
    """Time for each kind of question."""

    view: _Duration = 2.0
    """A customer's whole view."""
    probe: _Duration = 0.3
    """Asking sources for an identifier that is not known yet."""
    sql: _Duration = 30.0
    """A statement of an analyst."""


class TrinoSection(Shape):
    """Where Trino answers, and how it finds what it cannot read itself."""

    url: Annotated[str, Field(min_length=1)]
    """https://host:port; may hold ${env:…}."""
    user: str = "roundview"
    """The user that asks."""
    password: str = ""
    """Its password, as ${env:…} or ${file:…}; needs https."""
    ca: str = ""
    """File with the authorities to trust, relative to the catalog folder."""
    bridge: str = ""
    """Trino's catalog that reads through `roundview thrift-bridge`."""


class EnginesSection(Shape):
    """What finishes questions beyond columns of one relation."""

    embedded_up_to: _Size = EMBEDDED_BYTES
    """Estimated bytes of a question above which Trino finishes it, where there is one."""
    trino: TrinoSection | None = None
    """The Trino that reads the sources which have a `trino_catalog`."""


@dataclass(frozen=True, slots=True)
class Trino:
    """One Trino; `url`, `user` and `password` still have their `${env:…}` references."""

    url: str
    user: str
    password: str = field(default="", repr=False)
    ca: str = ""
    bridge: str = ""


@dataclass(frozen=True, slots=True)
class Engines:
    """Which engines there are, and up to how many bytes the embedded one is taken."""

    embedded_up_to: int = EMBEDDED_BYTES
    trino: Trino | None = None


def engines_of(section: EnginesSection) -> Engines:
    """Returns what a catalog file says of engines."""
    told = section.trino
    if told is None:
        return Engines(section.embedded_up_to)
    return Engines(
        section.embedded_up_to, Trino(told.url, told.user, told.password, told.ca, told.bridge)
    )
