"""Decides how a database server is started for one folder: found, initialised, ended with us.

Its binaries come from the system's packages. It listens on a free loopback port, keeps its data
in the folder that it is given, and never runs as root. The tests' servers are started here too.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server: its programs, the Debian package that has them, how it is ended.

    `account` is the system account it runs under where we are root; `ready` is what its log says
    when it answers.
    """

    name: str
    title: str
    package: str
    programs: tuple[str, ...]
    account: str
    stop_signal: signal.Signals
    ready: str
    scheme: str

    @property
    def missing(self) -> str:
        """Returns what to say where its programs are not there."""
        return f"{self.title} is not installed (Debian: {self.package})"


POSTGRES = Kind(
    "postgres", "PostgreSQL", "postgresql", ("initdb", "postgres", "psql"), "postgres",
    signal.SIGINT, "ready to accept connections", "postgresql",
)  # fmt: skip
MARIADB = Kind(
    "mariadb", "MariaDB", "mariadb-server", ("mariadbd", "mariadb-install-db"), "mysql",
    signal.SIGTERM, "ready for connections", "mysql",
)  # fmt: skip
_SETTINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "postgres": (
            "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off",
            "full_page_writes=off", "synchronous_commit=off", "wal_level=minimal",
            "max_wal_senders=0", "autovacuum=off", "jit=off",
        ),
        "mariadb": (
            "bind-address=127.0.0.1", "socket=socket", "skip-log-bin", "skip-name-resolve",
            "innodb-flush-log-at-trx-commit=0", "character-set-server=utf8mb4",
            "collation-server=utf8mb4_general_ci", "require-secure-transport=OFF",
        ),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Logins:
    """Who may do everything, who may read, and the password of both."""

    admin: str
    reader: str
    password: str


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `pid` is its own, `process` what it was started with."""

    kind: Kind
    folder: Path
    port: int
    pid: int
    logins: Logins
    process: subprocess.Popen[bytes]

    def url(self, database: str) -> str:
        """Returns the address of a database for the login that reads, as catalogs have it."""
        return url_of(self.kind, self.port, self.logins, database)

    def stop(self) -> None:
        """Ends the server and waits for it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def url_of(kind: Kind, port: int, logins: Logins, database: str) -> str:
    """Returns the address of a database on loopback for the login that reads."""
    password = quote(logins.password, safe="")
    return f"{kind.scheme}://{logins.reader}:{password}@127.0.0.1:{port}/{database}"


def programs_of(kind: Kind) -> Mapping[str, Path] | None:
    """Returns the programs of the newest installed server, None where one is missing."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]
    if kind is POSTGRES:
        installed = Path("/usr/lib/postgresql").glob("*/bin")
        folders = [str(one) for one in sorted(installed, key=_version, reverse=True)] + folders
    found = {name: shutil.which(name, path=os.pathsep.join(folders)) for name in kind.programs}
    named = {name: Path(at).resolve() for name, at in found.items() if at}
    return named if len(named) == len(found) else None


def initialise(kind: Kind, folder: Path, logins: Logins) -> None:
    """Makes an empty server in an empty folder, whose `data` it will keep.

    Raises RuntimeError where its programs are missing or fail.
    """
    programs = _programs(kind)
    secret = folder / "first"
    descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(logins.password if kind is POSTGRES else _accounts(logins))
    who = account(kind)
    if who:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, who["user"], who["group"])
    data = folder / "data"
    command: list[str | Path]
    if kind is POSTGRES:
        command = [
            programs["initdb"], "-D", data, "-U", logins.admin, "--pwfile", secret,
            "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        ]  # fmt: skip
    else:
        command = [
            programs["mariadb-install-db"], "--no-defaults", f"--datadir={data}",
            f"--tmpdir={folder}", "--auth-root-authentication-method=normal", "--skip-test-db",
        ]  # fmt: skip
    made = subprocess.run(  # noqa: S603
        command, capture_output=True, cwd=folder, check=False, **who
    )
    if made.returncode:
        raise RuntimeError(f"{kind.title} could not be initialised: {made.stderr.decode()}")


def start(kind: Kind, folder: Path, logins: Logins, settings: Sequence[str] = ()) -> Server:
    """Starts the server of an initialised folder and returns once it answers.

    It ends with our process, by `stop`, or by a signal to its pid. `settings` are `name=value` in
    the server's own words. Raises RuntimeError if it does not start.
    """
    who = account(kind)
    port = free_port()
    guard = [
        sys.executable, "-m", "roundview.demo.guard", str(int(kind.stop_signal)),
        who.get("user", "-"), *command_of(kind, folder, port, settings),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            guard,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101  a pipe was asked for
    pid = int(process.stdout.readline() or 0)
    server = Server(kind, folder, port, pid, logins, process)
    try:
        await_ready(kind, folder, process)
        ensure_reader(server.kind, port, logins)
    except RuntimeError:
        server.stop()
        raise
    return server


def command_of(kind: Kind, folder: Path, port: int, settings: Sequence[str] = ()) -> list[str]:
    """Returns the command line that serves a folder's data; later settings win."""
    programs = _programs(kind)
    data = folder / "data"
    named = [f"port={port}", *_SETTINGS[kind.name], *settings]
    if kind is POSTGRES:
        return [str(programs["postgres"]), "-D", str(data), *(f"--{one}" for one in named)]
    first = f"init-file={folder / 'first'}"
    # Not the system's: there, a server that starts removes the temporary tables of all others.
    named += [f"datadir={data}", f"tmpdir={folder}", first]
    return [str(programs["mariadbd"]), "--no-defaults", *(f"--{one}" for one in named)]


def await_ready(kind: Kind, folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Waits until the log says that the server answers; raises RuntimeError with the log."""
    until = time.monotonic() + _START_SECONDS
    log = folder / "log"
    while kind.ready not in log.read_text(encoding="utf-8", errors="replace"):
        if process.poll() is not None or time.monotonic() > until:
            said = log.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{kind.title} did not start: {said[-2000:]}")
        time.sleep(_PAUSE_SECONDS)


def ensure_reader(kind: Kind, port: int, logins: Logins) -> None:
    """Makes the login that reads where the server does not make it itself."""
    if kind is not POSTGRES:
        return
    psql = [
        str(_programs(kind)["psql"]), "-h", "127.0.0.1", "-p", str(port), "-U", logins.admin,
        "-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"reader={logins.reader}",
        "-v", f"secret={logins.password}", "-f", "-",
    ]  # fmt: skip
    made = subprocess.run(  # noqa: S603
        psql,
        input=_READER,
        capture_output=True,
        check=False,
        env={**os.environ, "PGPASSWORD": logins.password},
    )
    if made.returncode:
        raise RuntimeError(f"{kind.title} refused a login: {made.stderr.decode()}")


def account(kind: Kind) -> dict[str, Any]:
    """Returns whom a child process must run as: nobody else unless we are root."""
    if os.geteuid() != 0:
        return {}
    return {"user": kind.account, "group": kind.account, "extra_groups": []}


def free_port() -> int:
    """Returns a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# psql quotes its variables; a login that is there already stays.
_READER = b"""
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', :'reader', :'secret')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'reader') \\gexec
"""


def _accounts(logins: Logins) -> str:
    secret = logins.password.replace("\\", "\\\\").replace("'", "''")
    return (
        f"CREATE USER IF NOT EXISTS {logins.admin}@'%' IDENTIFIED BY '{secret}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO {logins.admin}@'%' WITH GRANT OPTION;\n"
        f"CREATE USER IF NOT EXISTS {logins.reader}@'%' IDENTIFIED BY '{secret}';\n"
    )


def _programs(kind: Kind) -> Mapping[str, Path]:
    found = programs_of(kind)
    if found is None:
        raise RuntimeError(kind.missing)
    return found


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0
