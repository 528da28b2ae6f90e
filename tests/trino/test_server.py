"""Proves that the tests of Trino ask a real server of the version that the docs name."""

from __future__ import annotations

from tests.trino import obtaining
from tests.trino.conftest import WORKER
from tests.trino.trino_server import TrinoServer


def test_the_server_is_of_the_version_that_the_docs_name(server: TrinoServer) -> None:
    assert server.ask("SELECT version()") == [[obtaining.VERSION]]


def test_catalogs_are_made_while_it_runs(server: TrinoServer) -> None:
    server.make_catalog(f"generated_{WORKER}", {"connector.name": "tpch"})
    rows = server.ask(f"SELECT count(*) FROM generated_{WORKER}.tiny.nation")
    assert rows == [[25]]
