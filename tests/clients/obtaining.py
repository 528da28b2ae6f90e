"""Decides how a machine gets the clients that tests run and Python's packages do not bring.

    python -m tests.clients.obtaining

npm and Maven download them from wherever they are configured to. They are kept in `.clients` of
the virtual environment.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NODE_PACKAGES = ("pg@8.23.1", "pg-cursor@2.22.1")
JDBC = "org.postgresql:postgresql:42.7.7"
MISSING = "clients that tests run are not here: make clients"


def home() -> Path:
    """Returns the folder that the clients are in, or will be."""
    return Path(sys.prefix) / ".clients"


def node_modules() -> Path:
    """Returns where node finds its packages."""
    return home() / NODE_PACKAGES[0] / "node_modules"


def jdbc_driver() -> Path:
    """Returns the file of PostgreSQL's driver for Java."""
    _, name, version = JDBC.split(":")
    return home() / f"{name}-{version}.jar"


def missing() -> str:
    """Says that clients are missing, "" where they are there."""
    return "" if node_modules().is_dir() and jdbc_driver().is_file() else MISSING


def obtain() -> None:
    """Downloads what is not there."""
    home().mkdir(exist_ok=True)
    if not jdbc_driver().is_file():
        with tempfile.TemporaryDirectory(dir=home()) as folder:
            _run(
                "mvn", "-q", "-B", "-ntp", "-C", "dependency:copy", f"-Dartifact={JDBC}",
                f"-DoutputDirectory={folder}",
            )  # fmt: skip
            next(Path(folder).glob("*.jar")).replace(jdbc_driver())
    if not node_modules().is_dir():
        with tempfile.TemporaryDirectory(dir=home()) as folder:
            _run(
                "npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts",
                "--prefix", folder, *NODE_PACKAGES,
            )  # fmt: skip
            Path(folder).replace(node_modules().parent)
            Path(folder).mkdir()


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise SystemExit(f"{program} is needed to get the clients that tests run")
    subprocess.run([found, *arguments], check=True)


if __name__ == "__main__":
    obtain()
    print(f"clients are in {home()}")  # noqa: T201
