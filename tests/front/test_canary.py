"""Proves that what customers and secrets look like is in no file, log or message of ours."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.front.conftest import shell_env

from roundview.client import connect
from roundview.demo.estate import Estate

Shell = Callable[..., subprocess.CompletedProcess[str]]
SECRETS = 20
CATALOG = """
name: canaries
version: 1
"""
ASKING = (
    ("customer", "phone=0171/3920042", "--json"),
    ("customer", "email=leonie.vogt@mail.example"),
    ("customer", "email=leonie.vogt@mail.example@", "--json"),
    ("customer", "order_number=INV-999999"),
    ("sql", "SELECT full_name, birth_date FROM individual ORDER BY full_name LIMIT 50"),
    ("sql", "SELECT full_name::int FROM individual WHERE family_name = 'Vogt'"),
    ("sql", "SELECT email FROM contact_point_email AS e, lookup('phone', '0171/3920042') AS l"
            " WHERE e.customer_id = l.customer_id"),
)  # fmt: skip
SILENT = (
    ("identity", "refresh"),
    ("sources",),
    ("explain", "SELECT full_name FROM individual LIMIT 3"),
    ("check", "--live"),
    ("doctor",),
    ("audit", "export"),
    ("audit", "verify"),
    ("audit", "who-saw", "phone=0171/3920042", "--many"),
)


WHOLE = """
query($by: CustomerBy!) {
  customer(by: $by) {
    fullName email phone
    individual { nodes { birthDate } } salesOrder { nodes { orderNumber } }
  }
}
"""
CREDENTIAL = "canary-credential-4d7f"


def _asking(query: str, value: str) -> dict[str, Any]:
    return {"query": query, "variables": {"by": {"phone": value}}}


def planted(folder: Path) -> set[bytes]:
    """Returns what customers of the CRM look like: names, numbers, addresses."""
    with closing(sqlite3.connect(folder / "crm.db")) as crm:
        rows = crm.execute("SELECT email, phone, mobile, alt_email, last_name FROM contacts")
        return {str(value).encode() for row in rows for value in row if value and len(value) > 6}


def found_in(text: bytes, values: set[bytes]) -> list[bytes]:
    """Returns the values that are in a text."""
    return [value for value in values if value in text]


@pytest.mark.row("A16")
def test_planted_values_are_in_nothing_that_we_write(
    shell: Shell, made_estate: Estate, tmp_path: Path
) -> None:
    own = shutil.copytree(made_estate.directory, tmp_path / "own")
    values = planted(own)
    assert len(values) > 100
    theirs = {path.relative_to(own) for path in own.rglob("*") if path.is_file()}
    token = (own / "env").read_text(encoding="utf-8").partition("SUPPORT_TOKEN=")[2].strip()
    assert len(token) > 20
    said = b""
    answered = b""
    for command in (SILENT[0], *ASKING, *SILENT[1:]):
        at = [] if command[0] == "check" else ["--catalog"]
        done = shell("roundview", *command, *at, str(own / "catalog"), cwd=tmp_path)
        assert done.returncode in (0, 2), done.stderr
        said += done.stderr.encode()
        answered += done.stdout.encode()
        if command in SILENT:
            said += done.stdout.encode()
    # What is asked for is shown, so that the test can fail.
    assert found_in(answered, values)
    ours = [
        path
        for path in own.rglob("*")
        if path.is_file() and (path.relative_to(own) not in theirs or ".roundview" in path.parts)
    ]
    assert {"xref.db", "tip", "00000001.log", "pseudonyms.db"} <= {path.name for path in ours}
    written = b"".join(path.read_bytes() for path in ours)
    assert found_in(written, values) == []
    assert found_in(said, values) == []
    assert token.encode() not in written + said + answered


@pytest.mark.row("A16")
def test_a_running_server_writes_and_tells_nothing_planted(
    made_estate: Estate, tmp_path: Path
) -> None:
    own = shutil.copytree(made_estate.directory, tmp_path / "own")
    told = (own / "env").read_text(encoding="utf-8")
    (own / "env").write_text(told.replace(str(made_estate.directory.resolve()), str(own)), "utf-8")
    values = planted(own)
    theirs = {path.relative_to(own) for path in own.rglob("*") if path.is_file()}
    with connect(own / "catalog") as connection:
        connection.refresh_identity()
    process = subprocess.Popen(
        ["roundview", "serve", str(own / "catalog"), "--port", "0"],
        cwd=tmp_path, env=shell_env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    base = first.split()[-1].removesuffix("/desk")
    silent: list[str] = []
    try:
        with httpx.Client(base_url=base, timeout=60, trust_env=False) as client:
            shown = client.post("/graphql", json=_asking(WHOLE, "0171/3920042")).text
            for path in ("/ready", "/health", "/desk", "/desk/context", "/graphql/schema"):
                silent.append(client.get(path).text)
            silent.append(
                client.get("/desk?phone=0171/3920042&email=leonie.vogt@mail.example").text
            )
            for query, by in (
                (WHOLE, "+49 30 1234567"), (WHOLE, "leonie.vogt@mail.example"), (WHOLE, "x" * 400),
                (WHOLE.replace("fullName", "leonieVogt"), "0171/3920042"),
                (WHOLE + '"leonie.vogt@mail.example', "0171/3920042"), ("{", "0171/3920042"),
                ('mutation { reveal(reason: "0171/3920042") { field } }', "0171/3920042"),
            ):  # fmt: skip
                silent.append(client.post("/graphql", json=_asking(query, by)).text)
            for credential in (CREDENTIAL, f"rvk_{CREDENTIAL}", f"a.{CREDENTIAL}.c"):
                headers = {"authorization": f"Bearer {credential}"}
                for path in ("/graphql/schema", "/desk", "/desk/context"):
                    silent.append(client.get(path, headers=headers).text)
            (own / "crm.db").rename(own / "crm.gone")
            failing = client.post("/graphql", json=_asking(WHOLE, "0171/3920042"))
            silent.append(str([one["reason"] for one in failing.json()["extensions"]["sources"]]))
            silent.append(client.get("/ready").text)
    finally:
        process.send_signal(signal.SIGINT)
        said = first + process.stdout.read()
        process.stdout.close()
        assert process.wait(timeout=30) == 0, said
    (own / "crm.gone").rename(own / "crm.db")
    assert found_in(shown.encode(), values)
    assert found_in("".join((said, *silent)).encode(), values) == []
    ours = [
        path
        for path in own.rglob("*")
        if path.is_file() and (path.relative_to(own) not in theirs or ".roundview" in path.parts)
    ]
    written = b"".join(path.read_bytes() for path in ours)
    assert b"intent" in written
    assert found_in(written, values) == []
    token = (own / "env").read_text(encoding="utf-8").partition("SUPPORT_TOKEN=")[2].strip()
    for secret in (token, CREDENTIAL, str(own / "crm.db")):
        assert secret not in said + "".join(silent)
        assert secret.encode() not in written


def test_planted_secrets_are_in_no_message(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    (folder / "sources").mkdir(parents=True)
    (folder / "roundview.yaml").write_text(CATALOG.lstrip(), encoding="utf-8")
    env = ""
    for number in range(SECRETS):
        kind = ("postgres", "mysql")[number % 2]
        (folder / f"sources/s{number}.yaml").write_text(
            f"connector: {kind}\nconnection:\n  host: 127.0.0.1\n  port: 9\n  database: d\n"
            f"  user: reader\n  password: ${{env:SECRET_{number}}}\n",
            encoding="utf-8",
        )
        env += f"SECRET_{number}=canary-{number}-4d7f\n"
    (tmp_path / "env").write_text(env, encoding="utf-8")
    catalog = ["--catalog", str(folder)]
    said = ""
    for command in (["sources"], ["sources", "--json"], ["doctor"], ["doctor", "--json"]):
        done = shell("roundview", *command, *catalog, cwd=tmp_path)
        said += done.stdout + done.stderr
    assert said.count("s19") >= 4, said
    assert "canary-" not in said
    kept = [path for path in (tmp_path / ".roundview").rglob("*") if path.is_file()]
    assert all(b"canary-" not in path.read_bytes() for path in kept)
