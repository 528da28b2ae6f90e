"""Proves that the estate on database servers is the one on files: the same people, every row."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import pytest

from roundview import connect
from roundview.client import Connection
from roundview.demo import estate, server_estate, servers, support
from roundview.introspection import introspect_source
from roundview.view import CustomerView
from roundview_catalog import schema_file
from roundview_federation.people import read_people
from roundview_identity.records import Record

PEOPLE = 200
RANDOM_PEOPLE = 50
ON_SERVERS = ("crm", "mail", "pos")
# Generous, since this proves rows: how fast they come is proved elsewhere.
SECONDS = 20.0
# What says when and under which id, never what.
OWN = ("customer_id", "fetched_at", "as_of")


@dataclass(frozen=True)
class Two:
    """The same estate twice, linked: on files, and on servers."""

    made: estate.Estate
    on_files: Connection
    on_servers: Connection
    running: server_estate.Servers
    env: dict[str, str]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Returns both estates, open; without the servers the tests are not run."""
    lacking = server_estate.missing()
    if lacking:
        pytest.skip("; ".join(lacking))
    first = estate.make(tmp_path_factory.mktemp("files"), PEOPLE)
    second = estate.make(tmp_path_factory.mktemp("servers"), PEOPLE, on_servers=True)
    for made in (first, second):
        be_patient(made.catalog)
    with ExitStack() as stack:
        process = support.start(first.directory)
        stack.callback(process.stop)
        running = stack.enter_context(server_estate.serving(second))
        desk = {"SUPPORT_URL": process.url, support.TOKEN_VARIABLE: process.token}
        env = {**second.env, **running.env, **desk}
        on_files = stack.enter_context(connect(first.catalog, env={**first.env, **desk}))
        on_servers = stack.enter_context(connect(second.catalog, env=env))
        for opened in (on_files, on_servers):
            assert not opened.refresh_identity().skipped
        yield Two(second, on_files, on_servers, running, env)


def test_the_same_records_are_the_same_people(two: Two) -> None:
    keys = sorted(two.made.truth["records"])
    files, others = owners(two.on_files, keys), owners(two.on_servers, keys)
    assert len(files) > 2 * PEOPLE
    assert groups(files) == groups(others)


def test_views_are_equal(two: Two) -> None:
    records: dict[int, str] = {}
    for source, key in owners(two.on_files, sorted(two.made.truth["records"])):
        records[two.made.truth["records"][f"{source}/{key}"]] = f"{source}/{key}"
    known = {one["person"] for one in two.made.personas.values() if one["person"] is not None}
    others = sorted(records.keys() - known)
    asked = sorted(known) + Random(7).sample(others, RANDOM_PEOPLE)
    rows = 0
    for person in asked:
        files, servers_ = (view(one, records[person]) for one in (two.on_files, two.on_servers))
        assert plain(files) == plain(servers_), records[person]
        rows += sum(len(found.rows) for found in files.entities.values())
    assert rows > 10 * len(asked)


@pytest.mark.parametrize("source", ON_SERVERS)
def test_people_are_read_in_chunks_of_any_size(two: Two, source: str) -> None:
    expected = people(two.on_files, source, 5000)
    assert expected
    for chunk in (7, 5000):
        assert people(two.on_servers, source, chunk) == expected


@pytest.mark.parametrize("source", ON_SERVERS)
def test_the_shipped_schema_is_what_the_server_says(two: Two, source: str) -> None:
    """Of everything but how many rows it guesses, which depends on the estate."""

    async def introspected() -> Any:
        return await introspect_source(two.made.catalog, source, two.env)

    said = schema_file.text(asyncio.run(introspected()))
    shipped = resources.files("roundview.demo") / f"catalog_servers/sources/{source}.schema.yaml"
    assert without_estimates(said) == without_estimates(shipped.read_text(encoding="utf-8"))


def test_the_logins_only_read(two: Two) -> None:
    states = {one.name: one.state for one in two.on_servers.sources()}
    assert states == dict.fromkeys(("crm", "mail", "pos", "support"), "ready")


def test_data_is_kept_while_the_estate_is_the_same() -> None:
    if server_estate.missing():
        pytest.skip("; ".join(server_estate.missing()))
    with reachable() as directory:
        made = estate.make(directory, 20, on_servers=True)
        said: list[str] = []
        pids = []
        for _ in range(2):
            with server_estate.serving(made, lambda stage, *_: said.append(stage)) as running:
                pids += [running.postgres.pid, running.mariadb.pid]
            said.append("ended")
        assert "copying pos" in said[: said.index("ended")]
        assert said[said.index("ended") :] == ["ended", "ended"]
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_edited_files_stay_where_they_are_when_the_servers_go(tmp_path: Path) -> None:
    made = estate.make(tmp_path, 20, on_servers=True)
    sources = made.catalog / "sources"
    assert "connector: postgres" in (sources / "mail.yaml").read_text()
    (sources / "pos.yaml").write_text("# mine\n" + (sources / "pos.yaml").read_text())
    estate.make(tmp_path, 20)
    assert "connector: files" in (sources / "mail.yaml").read_text()
    assert not (sources / "mail.schema.yaml").exists()
    assert (sources / "pos.yaml").read_text().startswith("# mine\n")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    nowhere = servers.Kind(
        "x", "X", "x-server", ("x-daemon",), "x", servers.MARIADB.stop_signal, "", "x"
    )
    assert servers.programs_of(nowhere) is None
    with pytest.raises(RuntimeError, match=r"X is not installed \(Debian: x-server\)"):
        servers.command_of(nowhere, tmp_path, 1)


@contextmanager
def reachable() -> Iterator[Path]:
    """Yields a folder that the servers' own accounts can come to, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="roundview-demo-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def be_patient(catalog: Path) -> None:
    """Gives everything time."""
    for path in (catalog / "roundview.yaml", *(catalog / "sources").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        text = text.replace("timeout: 1500ms", "timeout: 20s").replace("view: 2s", "view: 20s")
        path.write_text(text, encoding="utf-8")


def owners(connection: Connection, keys: list[str]) -> dict[tuple[str, str], str]:
    """Returns (source, source key) -> customer."""
    xref = connection._inner.federation.xref
    records = [key.partition("/") for key in keys]
    return xref.owners((source, key) for source, _, key in records)


def groups(owners: dict[tuple[str, str], str]) -> set[frozenset[tuple[str, str]]]:
    """Returns which records are one customer, whatever the customer is called."""
    found: dict[str, set[tuple[str, str]]] = {}
    for record, owner in owners.items():
        found.setdefault(owner, set()).add(record)
    return {frozenset(records) for records in found.values()}


def view(connection: Connection, record: str) -> CustomerView:
    """Returns everything of the customer who has a record."""
    (customer_id,) = owners(connection, [record]).values()
    found = connection.customer(customer_id=customer_id, first=200, timeout_seconds=SECONDS)
    assert found is not None
    assert found.complete
    return found


def plain(found: CustomerView) -> Any:
    """Returns a view as data without what differs between any two views."""
    data = found.to_dict()
    rows = {
        name: sorted((bare(row) for row in entity["rows"]), key=str)
        for name, entity in data["entities"].items()
    }
    return bare(data["fields"]), data["link_state"], rows


def bare(value: Any) -> Any:
    """Returns data without ids and times of reading, at every depth."""
    if isinstance(value, dict):
        return {name: bare(one) for name, one in value.items() if name not in OWN}
    return [bare(one) for one in value] if isinstance(value, list) else value


def people(connection: Connection, source: str, chunk: int) -> list[Record]:
    """Returns everybody of a source as identity reads them."""
    federation = connection._inner.federation

    async def read() -> list[Record]:
        found = read_people(
            source,
            planner=federation.current.planner,
            connectors=federation.current.connectors,
            clock=federation.clock,
            chunk=chunk,
        )
        return [one async for records in found for one in records]

    return sorted(connection._wait(read()), key=lambda one: one.id)


def without_estimates(schema: str) -> list[str]:
    """Returns the lines of a schema file that do not depend on the number of rows."""
    return [line for line in schema.splitlines() if "rows_estimate" not in line]
