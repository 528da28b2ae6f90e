"""Decides how tests get a real Trino: one server per run, catalogs made while it runs.

It is started once, in a temporary folder, and shown to all workers of a run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trino
from tests.connectors.postgres_server import PASSWORD
from tests.connectors.shared_process import shared
from tests.trino import obtaining

from roundview.demo.servers import free_port

USER = "tests"
_START_SECONDS = 300.0
_PAUSE_SECONDS = 0.1
_JVM = (
    "-server", "-Xmx1G", "-Xms256M", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError",
    "-XX:-OmitStackTraceInFastThrow", "-XX:ReservedCodeCacheSize=256M",
    "-XX:PerMethodRecompilationCutoff=10000", "-XX:PerBytecodeRecompilationCutoff=10000",
    "-Djdk.attach.allowAttachSelf=true", "-Djdk.nio.maxCachedBufferSize=2000000",
    "-Dfile.encoding=UTF-8", "-XX:+EnableDynamicAgentLoading",
    "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
)  # fmt: skip
_GROUPS: Mapping[str, Any] = {
    "rootGroups": [
        {
            "name": "narrow", "softMemoryLimit": "80%", "hardConcurrencyLimit": 1, "maxQueued": 1,
        },
        {
            "name": "everyone", "softMemoryLimit": "80%", "hardConcurrencyLimit": 32,
            "maxQueued": 500,
        },
    ],
    "selectors": [{"clientTags": ["narrow"], "group": "narrow"}, {"group": "everyone"}],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrinoServer:
    """A running server; `told` is what a process needs to find it."""

    port: int
    folder: Path
    pid: int

    @property
    def url(self) -> str:
        """Returns the address as `roundview.yaml` has it."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, statement: str) -> list[list[Any]]:
        """Returns the rows of a statement; raises the client's errors."""
        with trino.dbapi.connect(host="127.0.0.1", port=self.port, user=USER) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            rows: list[list[Any]] = cursor.fetchall()
            return rows

    def make_catalog(self, name: str, properties: Mapping[str, str]) -> None:
        """Makes a catalog anew; `properties` hold `connector.name` and what it needs."""
        rest = {key: value for key, value in properties.items() if key != "connector.name"}
        told = ", ".join(f'"{key}" = {_text(value)}' for key, value in rest.items())
        self.ask(f'DROP CATALOG IF EXISTS "{name}"')
        options = f" WITH ({told})" if told else ""
        self.ask(f'CREATE CATALOG "{name}" USING {properties["connector.name"]}{options}')


@contextmanager
def trino_server(shared_folder: Path) -> Iterator[TrinoServer]:
    """Yields the run's server; `shared_folder` is the same for every worker of the run.

    ROUNDVIEW_TRINO_PORT names one that runs already, on this machine.
    """
    if running := os.environ.get("ROUNDVIEW_TRINO_PORT"):
        yield TrinoServer(int(running), shared_folder, 0)
        return
    with shared(shared_folder, "trino", _start) as told:
        folder = Path(told["folder"])
        yield TrinoServer(told["port"], folder, told["pid"])
    if not (shared_folder / "trino.json").exists():
        shutil.rmtree(folder, ignore_errors=True)


def start(folder: Path, port: int, home: Path | None = None) -> subprocess.Popen[bytes]:
    """Starts a server whose configuration and data lie in a folder; see `await_ready`."""
    home = home or obtaining.home()
    java = obtaining.java()
    assert java is not None, obtaining.MISSING_JAVA
    etc = folder / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "catalog").mkdir(exist_ok=True)
    _properties(
        etc / "config.properties",
        {
            "node.id": "one",
            "node.environment": "tests",
            "node.bind-ip": "127.0.0.1",
            "node.internal-address": "127.0.0.1",
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(port),
            "discovery.uri": f"http://127.0.0.1:{port}",
            "catalog.management": "dynamic",
            "catalog.store": "memory",
            "plugin.dir": str(home / "plugin"),
            "query.max-memory": "600MB",
            "query.max-memory-per-node": "600MB",
            "memory.heap-headroom-per-node": "200MB",
            "query.max-history": "50",
            "query.min-expire-age": "10s",
        },
    )
    groups = etc / "resource-groups.json"
    groups.write_text(json.dumps(_GROUPS), encoding="utf-8")
    _properties(
        etc / "resource-groups.properties",
        {
            "resource-groups.configuration-manager": "file",
            "resource-groups.config-file": str(groups),
        },
    )
    (etc / "log.properties").write_text("io.trino=WARN\n", encoding="utf-8")
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [
                java, *_JVM, "-cp", f"{home / 'lib'}/*", f"-Dconfig={etc / 'config.properties'}",
                f"-Dlog.levels-file={etc / 'log.properties'}", "io.trino.server.TrinoServer",
            ],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True,
            # A catalog's password is a reference to the environment here.
            env={**os.environ, "APPLIED_PASSWORD": PASSWORD},
        )  # fmt: skip


def await_ready(port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Waits until a query succeeds; raises RuntimeError with the end of the log."""
    until = time.monotonic() + _START_SECONDS
    while True:
        # It answers HTTP seconds before it has a node that queries can run on.
        try:
            if _is_started(port) and TrinoServer(port, folder, 0).ask("SELECT 1"):
                return
        except (OSError, trino.exceptions.Error):
            pass
        if process.poll() is not None or time.monotonic() > until:
            said = (folder / "log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"Trino did not start: {said[-3000:]}")
        time.sleep(_PAUSE_SECONDS)


def _start() -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="roundview-trino-"))
    port = free_port()
    process = start(folder, port)
    try:
        await_ready(port, folder, process)
    except BaseException:
        process.kill()
        process.wait()
        raise
    pid = process.pid
    # Who stops it may be another process: this object must not warn that it still runs.
    process.returncode = 0
    return {"pid": pid, "port": port, "folder": str(folder)}


def _is_started(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/info", timeout=5) as answer:
        return not json.load(answer)["starting"]


def _properties(path: Path, values: Mapping[str, str]) -> None:
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
