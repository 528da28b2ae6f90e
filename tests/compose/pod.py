"""Decides how the services of docker-compose.yml run without containers: same files, same commands.

What a container would mount lies below a temporary folder instead, and its ports are free ones:
both are put in place of those in the file, everywhere. Programs of images are those installed here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tests.conftest import ROOT
from tests.trino import obtaining

from roundview.demo.servers import MARIADB, POSTGRES, account, free_port, programs_of

FILE = ROOT / "docker-compose.yml"
PORTS = ("5432", "3306", "8080", "8360", "8361", "8362", "8363")
_PORT = re.compile(rf"\b({'|'.join(PORTS)})\b")
_SECONDS = 240.0
_STOP_SECONDS = 20.0
_FEWER = "200"
_PAUSE_SECONDS = 0.1
_ONCE = "service_completed_successfully"
_SECRETS = {"owner_password": "own 'er", "reader_password": "rea:der/%", "support_token": "tok en"}


def read(text: str | None = None) -> dict[str, Any]:
    """Returns what the file says, or another text of it."""
    told = FILE.read_text(encoding="utf-8") if text is None else text
    read: dict[str, Any] = YAML(typ="safe").load(told)
    return read


@dataclass(frozen=True, slots=True)
class Pod:
    """Services that run; `ports` are those in place of the file's."""

    folder: Path
    ports: Mapping[str, str]
    services: Mapping[str, Any]

    def text(self, told: str) -> str:
        """Returns a text of the file as it is here."""
        here = _PORT.sub(lambda found: self.ports[found[1]], told)
        for inside, folder in (
            ("/estate", "estate"), ("/run/secrets", "secrets"), ("/etc/trino", "trino"),
            ("/data/trino", "data"),
        ):  # fmt: skip
            here = here.replace(inside, str(self.folder / folder))
        return here.replace("$$", "$")

    def command(self, service: str) -> list[str]:
        """Returns the command line of a service."""
        told = self.services[service]
        command = [self.text(one) for one in (*told.get("entrypoint", ()), *told["command"])]
        return [_FEWER if before == "--people" else one for before, one in pairwise(["", *command])]

    def environment(self, service: str) -> dict[str, str]:
        """Returns the environment of a service: its own, and where programs are."""
        told = self.services[service].get("environment", {})
        kept = {name: os.environ[name] for name in ("PYTHONPATH", "HOME") if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, **{name: self.text(one) for name, one in told.items()}}

    def run(self, service: str, *command: str) -> str:
        """Returns what a command says in the place of a service."""
        done = subprocess.run(
            list(command) or self.command(service), env=self.environment(service), cwd=self.folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{service}: {done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def running() -> Iterator[Pod]:
    """Runs every service of the file, in its order."""
    # Not pytest's folder: database servers run under accounts of their own.
    folder = Path(tempfile.mkdtemp(prefix="roundview-pod-"))
    folder.chmod(0o755)
    pod = Pod(folder, {port: str(free_port()) for port in PORTS}, read()["services"])
    for name in ("estate", "secrets", "data"):
        (folder / name).mkdir()
    for name, secret in _SECRETS.items():
        (folder / "secrets" / name).write_text(secret)
    shutil.copytree(ROOT / "deploy/trino", folder / "trino")
    for file in (folder / "trino").rglob("*.*"):
        if file.is_file():
            file.write_text(pod.text(file.read_text()))
    try:
        with ExitStack() as stack:
            for service in _in_order(pod.services):
                _start(pod, service, stack)
            yield pod
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_order(services: Mapping[str, Any]) -> list[str]:
    """Lists services, each after those that it waits for."""
    ordered: list[str] = []
    while len(ordered) < len(services):
        ready = [
            name
            for name, told in services.items()
            if name not in ordered and set(told.get("depends_on", ())) <= set(ordered)
        ]
        assert ready, "services wait for each other"
        ordered += ready
    return ordered


def _start(pod: Pod, service: str, stack: ExitStack) -> None:
    awaited = {
        told["depends_on"][service]["condition"]
        for told in pod.services.values()
        if service in told.get("depends_on", ())
    }
    if _ONCE in awaited:
        assert awaited == {_ONCE}
        pod.run(service)
        return
    command, who = _prepared(pod, service)
    log = stack.enter_context((pod.folder / f"{service}.log").open("wb"))
    process = subprocess.Popen(
        command, env=pod.environment(service), cwd=pod.folder / service
        if who else pod.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True, **who,
    )  # fmt: skip
    stack.callback(_stop, process)
    _await_health(pod, service, process)


def _prepared(pod: Pod, service: str) -> tuple[list[str], dict[str, Any]]:
    """Returns a command whose programs are found here, and whom it runs as."""
    command = pod.command(service)
    if service == "postgres":
        return _postgres(pod, command), account(POSTGRES)
    if service == "mariadb":
        return _mariadb(pod, command), account(MARIADB)
    if service == "trino":
        return _trino(pod, command), {}
    return command, {}


def _postgres(pod: Pod, command: list[str]) -> list[str]:
    """Makes the data that the image makes of the same environment."""
    programs = programs_of(POSTGRES)
    assert programs is not None
    folder = _own_folder(pod, "postgres", account(POSTGRES))
    env = pod.environment("postgres")
    subprocess.run(
        [
            programs["initdb"], "-D", folder / "data", "-U", env["POSTGRES_USER"],
            "--pwfile", env["POSTGRES_PASSWORD_FILE"], "--no-sync",
            *shlex.split(env["POSTGRES_INITDB_ARGS"]),
        ],
        check=True, capture_output=True, cwd=folder, **account(POSTGRES),
    )  # fmt: skip
    here = [
        "-D",
        str(folder / "data"),
        "-c",
        f"unix_socket_directories={folder}",
        "-c",
        "fsync=off",
    ]
    return [str(programs["postgres"]), *command[1:], *here]


def _mariadb(pod: Pod, command: list[str]) -> list[str]:
    programs = programs_of(MARIADB)
    assert programs is not None
    folder = _own_folder(pod, "mariadb", account(MARIADB))
    env = pod.environment("mariadb")
    secret = Path(env["MARIADB_ROOT_PASSWORD_FILE"]).read_text().replace("'", "''")
    first = folder / "first"
    first.write_text(
        f"CREATE OR REPLACE USER root@'{env['MARIADB_ROOT_HOST']}' IDENTIFIED BY '{secret}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO root@'{env['MARIADB_ROOT_HOST']}' WITH GRANT OPTION;\n"
    )
    subprocess.run(
        [
            programs["mariadb-install-db"], "--no-defaults", f"--datadir={folder / 'data'}",
            "--auth-root-authentication-method=normal", "--skip-test-db",
        ],
        check=True, capture_output=True, cwd=folder, **account(MARIADB),
    )  # fmt: skip
    here = [f"--datadir={folder / 'data'}", "--socket=socket", f"--init-file={first}"]
    here.append(f"--tmpdir={folder}")
    return [str(programs["mariadbd"]), "--no-defaults", *command[1:], *here]


def _trino(pod: Pod, command: list[str]) -> list[str]:
    """Has the image's launcher stand for what it starts: a Java with the same files."""
    java, home = obtaining.java(), obtaining.home()
    assert java is not None
    etc = pod.folder / "trino"
    launcher = pod.folder / "run-trino"
    started = [
        str(java), f"@{etc / 'jvm.config'}", "-cp", f"{home / 'lib'}/*",
        f"-Dconfig={etc / 'config.properties'}", f"-Dlog.levels-file={etc / 'log.properties'}",
        "-Dnode.id=one", "-Dnode.environment=demo", f"-Dplugin.dir={home / 'plugin'}",
        f"-Dcatalog.config-dir={etc / 'catalog'}",
        f"-Daccess-control.config-files={etc / 'access-control.properties'}",
        "io.trino.server.TrinoServer",
    ]  # fmt: skip
    launcher.write_text(f"#!/bin/sh\nexec {shlex.join(started)}\n")
    launcher.chmod(0o755)
    return [one.replace("/usr/lib/trino/bin/run-trino", str(launcher)) for one in command]


def _own_folder(pod: Pod, service: str, who: Mapping[str, Any]) -> Path:
    folder = pod.folder / service
    folder.mkdir()
    if who:
        shutil.chown(folder, who["user"], who["group"])
    return folder


def _await_health(pod: Pod, service: str, process: subprocess.Popen[bytes]) -> None:
    """Waits until the service's own check succeeds; images' checks need the images."""
    check = pod.services[service]["healthcheck"]["test"][1:]
    if service == "mariadb":
        check = ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 3306), 2)"]
    if service == "trino":
        check = [
            "python", "-c", "import trino; trino.dbapi.connect(host='127.0.0.1', port=8080,"
            " user='roundview').cursor().execute('SELECT 1').fetchall()",
        ]  # fmt: skip
    known = programs_of(POSTGRES) or {}
    command = [pod.text(one) for one in check]
    if command[0] == "pg_isready":
        command[0] = str(known["psql"].with_name("pg_isready"))
    until = time.monotonic() + _SECONDS
    env = pod.environment(service)
    while subprocess.run(command, env=env, capture_output=True, check=False).returncode:
        if process.poll() is not None or time.monotonic() > until:
            log = (pod.folder / f"{service}.log").read_text(errors="replace")
            raise RuntimeError(f"{service} did not start: {log[-3000:]}")
        time.sleep(_PAUSE_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
