"""Decides where in the catalog's files each claim about a source stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roundview_catalog.document import Document
from roundview_catalog.errors import Position
from roundview_catalog.loader import source_documents
from roundview_catalog.model import Branch, Catalog

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one source: its own over its templates, and what introspect wrote."""

    document: Document | None
    schema: Document | None
    start: Position

    @classmethod
    def of(cls, catalog: Catalog, source: str) -> Places:
        """Reads the files of a source again, for their places."""
        document, schema = source_documents(catalog.root, source)
        return cls(document, schema, catalog.sources[source].position)

    @property
    def facts(self) -> Mapping[str, Mapping[str, Any]]:
        """Returns what stands under `facts`, as written."""
        found = self._data("facts")
        return {str(name): one for name, one in found.items() if isinstance(one, dict)}

    def section(self, name: str) -> Mapping[str, Any]:
        """Returns a section of the source's file as written, empty if it is not there."""
        return self._data(name)

    def key(self, *path: str | int) -> Position:
        """Returns where a key of the source's file stands."""
        return self.document.key_position(path) if self.document is not None else self.start

    def in_schema(self, *path: str | int) -> Position:
        """Returns where a key of the schema file stands."""
        return self.schema.key_position(path) if self.schema is not None else self.start

    def in_schema_table(self, physical: str, *below: str) -> Position:
        """Returns where a table of the schema file stands, named as the source names it."""
        data = self.schema.data if self.schema is not None else {}
        tables = data.get("tables") if isinstance(data, dict) else None
        for name, one in tables.items() if isinstance(tables, dict) else ():
            if physical == (one.get("physical") or name):
                return self.in_schema("tables", name, *below)
        return self.start

    def of_branch(self, branch: Branch, *below: Sequence[str]) -> Position:
        """Returns where the first of some keys below a mapping stands, else the mapping."""
        path = self._path_of(branch.position)
        if path is None or self.document is None:
            return branch.position
        for keys in below:
            # What `also` makes has the rows of the mapping around it.
            for outer in (path, path[:-2] if "also" in path[-2:-1] else path):
                if _has(self.document.data, (*outer, *keys)):
                    return self.document.key_position((*outer, *keys))
        return branch.position

    def _data(self, name: str) -> Mapping[str, Any]:
        data = self.document.data if self.document is not None else {}
        found = data.get(name) if isinstance(data, dict) else None
        return found if isinstance(found, dict) else {}

    def _path_of(self, position: Position) -> Path | None:
        if self.document is None:
            return None
        for path in _paths(self._data("entities"), ("entities",)):
            if self.document.key_position(path) == position:
                return path
        return None


def _paths(data: Any, path: Path) -> Iterator[Path]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*path, key)
            yield from _paths(value, (*path, key))


def _has(data: Any, path: Path) -> bool:
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True
