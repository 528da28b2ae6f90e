"""Proves that Python and the command line ask as who the token says, and see that role's names."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from tests.access.issuing import Provider, make_catalog
from tests.connectors.server_certificate import write_certificate
from typer.testing import CliRunner

from roundview import connect
from roundview.cli import app
from roundview.client import connect_async
from roundview.listening import listen_openly
from roundview.serve import make_app, server_config
from roundview.settings import read_settings
from roundview_catalog.errors import AccessError, RequestError
from roundview_federation.access.api_keys import FILE, ApiKeys, Holder
from roundview_federation.federation import Federation


@pytest.fixture
def root(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = make_catalog(tmp_path, provider)
    monkeypatch.setenv("ROUNDVIEW_CATALOG", str(made))
    monkeypatch.setenv("ROUNDVIEW_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return made


@pytest.fixture
def keys(tmp_path: Path, root: Path) -> ApiKeys:
    return ApiKeys(tmp_path / "data" / FILE)


def _key(keys: ApiKeys, *roles: str, default: str = "service") -> str:
    holder = Holder("somebody", roles, default_purpose=default)
    return keys.create(holder, datetime.now(UTC), timedelta(days=1))[0]


def test_python_asks_as_who_the_key_says(root: Path, keys: ApiKeys) -> None:
    with connect(root, token=_key(keys, "agent")) as connection:
        assert connection.relations()["individual"].keys() >= {"full_name"}
        assert "birth_date" not in connection.relations()["individual"]
        assert "sales_order" not in connection.relations()
    with connect(root, token=_key(keys, "admin")) as connection:
        assert "birth_date" in connection.relations()["individual"]
        assert "sales_order" in connection.relations()


def test_hidden_names_are_told_of_as_absent_ones(root: Path, keys: ApiKeys) -> None:
    with connect(root, token=_key(keys, "agent")) as connection:
        said = []
        for statement in (
            "SELECT order_number FROM sales_order",
            "SELECT order_number FROM sales_table",
            "SELECT birth_date FROM individual",
            "SELECT birth_year FROM individual",
        ):
            with pytest.raises(RequestError) as refused:
                connection.explain_sql(statement)
            error = refused.value
            text = str(error)
            for name in ("sales_order", "sales_table", "birth_date", "birth_year"):
                text = text.replace(name, "x")
            said.append((error.code, text))
        assert said[0] == said[1]
        assert said[2] == said[3]


async def test_python_without_a_token_is_nobody(root: Path, provider: Provider) -> None:
    async with connect_async(root) as connection:
        with pytest.raises(AccessError) as refused:
            await connection.customer(email="anna@mail.example")
    assert refused.value.code == "RV302"


async def test_a_key_is_looked_at_with_every_question(root: Path, keys: ApiKeys) -> None:
    async with connect_async(root, token=_key(keys, "agent")) as connection:
        assert await connection.relations()
        keys.revoke(keys.all()[0].key_id, datetime.now(UTC))
        with pytest.raises(AccessError):
            await connection.relations()


def test_the_command_line_asks_as_who_the_setting_says(
    root: Path, keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ("sql", "SELECT order_number FROM sales_order")
    nobody = CliRunner().invoke(app, question)
    assert nobody.exit_code == 3
    assert "RV302" in nobody.stderr
    for role, code in (("admin", 0), ("agent", 2)):
        monkeypatch.setenv("ROUNDVIEW_TOKEN", _key(keys, role))
        assert CliRunner().invoke(app, question).exit_code == code


def test_the_audit_log_is_read_by_who_may(
    root: Path, keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "RV302" in CliRunner().invoke(app, ("audit", "export")).stderr
    for role, code in (("admin", 0), ("agent", 3)):
        monkeypatch.setenv("ROUNDVIEW_TOKEN", _key(keys, role, default=""))
        assert CliRunner().invoke(app, ("audit", "export")).exit_code == code


async def test_the_server_speaks_tls(
    root: Path, keys: ApiKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_certificate(tmp_path)
    monkeypatch.setenv("ROUNDVIEW_TLS_CERTIFICATE", str(tmp_path / "server.crt"))
    monkeypatch.setenv("ROUNDVIEW_TLS_KEY", str(tmp_path / "server.key"))
    federation = Federation.open(root, data_dir=tmp_path / "data", secret=bytes(32), env={})
    access = federation.catalog.access
    with listen_openly("127.0.0.1", 0, access, read_settings()) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(server_config(make_app(federation)))
        running = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.wait([running], timeout=0.01)
        trusted = ssl.create_default_context(cafile=str(tmp_path / "server.crt"))
        async with httpx.AsyncClient(verify=trusted, trust_env=False) as client:
            address = f"https://127.0.0.1:{port}/desk"
            headers = {"authorization": f"Bearer {_key(keys, 'agent')}"}
            assert (await client.get(address, headers=headers)).status_code == 200
            assert (await client.get(address)).status_code == 401
        server.should_exit = True
        await running


def test_a_certificate_that_is_not_there_is_told_of(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDVIEW_TLS_CERTIFICATE", str(tmp_path / "none.crt"))
    monkeypatch.setenv("ROUNDVIEW_TLS_KEY", str(tmp_path / "none.key"))
    with pytest.raises(RequestError, match="certificate"):
        server_config("app")
