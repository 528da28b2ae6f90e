"""Writes the truth beside the estate: which record is which person."""

from __future__ import annotations

from collections.abc import Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import orjson

from roundview.demo.personas import Persona

_PERSONAS = b'\n},"personas":'


def read_personas(path: Path) -> dict[str, Any]:
    """Returns those known by name, without reading the records of everybody else."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as text:
        at = text.rfind(_PERSONAS) + len(_PERSONAS)
        found: dict[str, Any] = orjson.loads(text[at:].rstrip()[:-1])
    return found


class TruthWriter:
    """Streams `records`, then writes `personas`; a context manager."""

    def __init__(self, path: Path, people: int, seed: int) -> None:
        self._out = path.open("wb")
        self._out.write(b'{"people":%d,"seed":%d,"records":{' % (people, seed))
        self._is_first = True
        self._personas: dict[str, Any] = {}

    def __enter__(self) -> TruthWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.write(_PERSONAS)
        self._out.write(orjson.dumps(self._personas, option=orjson.OPT_INDENT_2))
        self._out.write(b"}\n")
        self._out.close()

    def add(self, person: int, keys: Sequence[str], persona: Persona | None) -> None:
        """Notes whose records these are (`SOURCE/SOURCE_KEY`)."""
        for key in keys:
            self._out.write(b"\n" if self._is_first else b",\n")
            self._out.write(orjson.dumps(key) + b":%d" % person)
            self._is_first = False
        if persona is not None:
            self.add_persona(persona, person, keys)

    def add_persona(
        self, persona: Persona, person: int | None = None, keys: Sequence[str] = ()
    ) -> None:
        """Notes somebody known by name; `person` is None for nobody."""
        self._personas[persona.name] = {
            "person": person,
            "title": persona.title,
            "identifiers": persona.identifiers,
            "records": list(keys),
        }
