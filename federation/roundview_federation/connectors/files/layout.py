"""Decides which files a table has, which of them hold some keys, and that none lies outside."""

from __future__ import annotations

import glob
import os
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from roundview_catalog.tables import FileTable
from roundview_federation.connectors.files.buckets import buckets_of

MOST_FILES: Final = 10_000
_BUCKET: Final = "bucket=*"
# Younger folders may still change within one tick of the file system's clock.
_SETTLED_SECONDS: Final = 2.0


class OutsideError(Exception):
    """A path leads out of the root."""


class TooManyFilesError(Exception):
    """A table has more files than one question may read."""


@dataclass(frozen=True, slots=True)
class File:
    """One file: its real path and when it was last changed (seconds since 1970)."""

    path: str
    changed_at: float


@dataclass(slots=True)
class Layout:
    """The files of one table below the root, looked up anew for every question.

    Only the listing of the folder that holds the buckets is kept, for as long as the folder's
    own time of change stays the same.
    """

    root: Path
    table: FileTable
    _buckets: tuple[float, Mapping[str, tuple[str, ...]]] = field(default=(0.0, {}))

    @property
    def bucket_column(self) -> str:
        """Returns the column whose values pick files, an empty text if none does."""
        return self.table.bucket_by.column if self.table.bucket_by else ""

    def files(self, keys: Iterable[Any] | None) -> list[File]:
        """Returns the files that may hold rows of the keys; None: all files of the table.

        Raises OutsideError, TooManyFilesError, or OSError where the root cannot be read.
        """
        root = os.path.realpath(self.root, strict=True)
        if self.table.bucket_by is None:
            return _checked(root, _matching(root, self.table.path))
        before, _, after = self.table.path.partition(_BUCKET)
        folder = os.path.join(root, before)
        listed = self._listed(folder)
        if keys is None:
            names = [name for group in listed.values() for name in group]
        else:
            wanted = buckets_of(self.table.bucket_by, keys)
            names = [name for bucket in wanted for name in listed.get(str(bucket), ())]
        paths = [os.path.join(folder, name) for name in sorted(names)]
        inside = after.lstrip("/")
        if not inside:
            return _checked(root, paths)
        found: list[str] = []
        for path in paths:
            found += _matching(path, inside)
        return _checked(root, found)

    def _listed(self, folder: str) -> Mapping[str, tuple[str, ...]]:
        changed_at = os.stat(folder).st_mtime
        known_at, known = self._buckets
        if known_at == changed_at:
            return known
        groups: dict[str, list[str]] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                name, equals, value = entry.name.partition("=")
                if name == "bucket" and equals:
                    stem = value.partition(".")[0]
                    bucket = str(int(stem)) if stem.isdecimal() else stem
                    groups.setdefault(bucket, []).append(entry.name)
        listed = {bucket: tuple(names) for bucket, names in groups.items()}
        if time.time() - changed_at > _SETTLED_SECONDS:
            self._buckets = (changed_at, listed)
        return listed


def _matching(folder: str, pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        return [os.path.join(folder, pattern)]
    found = glob.glob(pattern, root_dir=folder, recursive=False)
    return [os.path.join(folder, name) for name in sorted(found)]


def _checked(root: str, paths: list[str]) -> list[File]:
    if len(paths) > MOST_FILES:
        raise TooManyFilesError
    files = []
    for path in paths:
        try:
            status = os.stat(path)
            real = os.path.realpath(path, strict=True)
        except FileNotFoundError:
            continue
        if not real.startswith(root + os.sep) or glob.has_magic(real):
            raise OutsideError
        if stat.S_ISREG(status.st_mode):
            files.append(File(real, status.st_mtime))
    return files
