"""Secrets enter by reference only, and leave by no message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundview_catalog import secrets
from roundview_catalog.errors import CatalogError


def test_references_are_replaced_anywhere_in_a_text(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")
    env = {"HOST": "pos", "ROUNDVIEW_SECRETS": str(tmp_path), "EMPTY": ""}
    assert secrets.resolve("https://${env:HOST}/v1", env) == "https://pos/v1"
    assert secrets.resolve("${file:token}", env) == "s3cret"
    assert secrets.resolve("${env:EMPTY}", env) == ""
    assert secrets.resolve("plain", env) == "plain"


def test_a_value_is_never_read_for_references_again() -> None:
    assert secrets.resolve("${env:A}", {"A": "${env:B}", "B": "x"}) == "${env:B}"


@pytest.mark.parametrize(
    "reference",
    ["${env:NOPE}", "${file:nope}", "${file:../outside}", "${file:/etc/passwd}", "${file:link}",
     "${file:.}"],
)  # fmt: skip
def test_references_that_lead_nowhere_or_outside_are_named(reference: str, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (tmp_path / "outside").write_text("hunter2", encoding="utf-8")
    os.symlink(tmp_path / "outside", folder / "link")
    with pytest.raises(CatalogError) as error:
        secrets.resolve(reference, {"ROUNDVIEW_SECRETS": str(folder), "OTHER": "hunter2"})
    assert [problem.code for problem in error.value.problems] == ["RV223"]
    assert reference in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("connection", "paths"),
    [
        ({"password": "x"}, [("password",)]),
        ({"password": 1234}, [("password",)]),
        ({"password": "${env:P}"}, []),
        ({"auth": {"bearer": "x${env:P}"}}, [("auth", "bearer")]),
        ({"auth": {"bearer": "${env:P}"}}, []),
        ({"auth": {"header": {"X-Tenant": "acme"}}}, [("auth", "header", "X-Tenant")]),
        ({"auth": {"header": {"Authorization": "Token ${env:P}"}}}, []),
        ({"auth": {"basic": {"user": "u", "password": "x"}}}, [("auth", "basic", "password")]),
        ({"api_key": ["x", "${env:P}"]}, [("api_key", 0)]),
        ({"client_secret": {"value": "x"}}, [("client_secret", "value")]),
        ({"url": "postgres://me:x@db/x"}, [("url",)]),
        ({"url": "postgres://me:${env:P}@db/x"}, []),
        ({"url": "${env:URL}", "private": True, "path": "crm.db", "token": None}, []),
    ],
)
def test_written_out_secrets_are_found(
    connection: dict[str, object], paths: list[tuple[str | int, ...]]
) -> None:
    assert secrets.literal_secrets(connection) == paths


def test_what_looks_like_a_reference_but_is_none() -> None:
    assert secrets.malformed_reference("${SHOP}")
    assert secrets.malformed_reference("${env:}")
    assert secrets.malformed_reference("${env: X}")
    assert not secrets.malformed_reference("${env:X}/$y/{z}")


@given(st.lists(st.text(min_size=4, max_size=12), max_size=5), st.text(max_size=40))
def test_no_known_value_survives_redaction(values: list[str], text: str) -> None:
    shown = secrets.Redactor(values).redact(text.join(values))
    assert all(value not in shown or value in "•••" for value in values)


def test_a_redactor_knows_what_connections_refer_to(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("from-file", encoding="utf-8")
    env = {"TOKEN": "from-env", "ROUNDVIEW_SECRETS": str(tmp_path)}
    connections = [
        {"auth": {"bearer": "${env:TOKEN}"}},
        {"password": "${file:t}", "x": "${env:NO}"},
    ]
    redactor = secrets.Redactor.of(connections, env)
    assert redactor.redact("a from-env b from-file c") == "a ••• b ••• c"
