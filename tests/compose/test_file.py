"""Proves that docker-compose.yml is one, and that what it starts is small and shut in."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.compose import pod
from tests.conftest import ROOT

from roundview.demo import estate, seeding
from roundview.demo.servers import MARIADB, POSTGRES, Logins, url_of
from roundview.trino_catalogs import as_text, properties_of
from roundview_catalog.loader import load

TOLD = pod.read()
SERVICES: Mapping[str, Any] = TOLD["services"]
LAPTOP_MEGABYTES = 8_192
_UNITS = {"m": 1, "g": 1_024}
_PINNED = re.compile(r"[a-z/]+:\d+(\.\d+){0,2}(-[a-z]+)?")


def test_it_meets_the_schema_of_compose_files() -> None:
    """The schema is that of github.com/compose-spec/compose-spec, Apache-2.0."""
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(TOLD)
    assert not validator.is_valid({**TOLD, "services": {"one": {"imag": "x"}}})


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_shut_in(name: str) -> None:
    told = SERVICES[name]
    assert _PINNED.fullmatch(told["image"])
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    user, _, group = told["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert told["mem_limit"][-1] in _UNITS
    ends = told["restart"] == "on-failure"
    assert ends != ("healthcheck" in told)
    # Only the door has an address outside, and that is this machine's loopback.
    is_door = name == "door"
    assert told.get("network_mode", "") == ("" if is_door else "service:door")
    assert all(one.startswith("127.0.0.1:") for one in told.get("ports", ()))
    assert ("ports" in told) == is_door
    for variable, value in told.get("environment", {}).items():
        assert variable.endswith("_FILE") or "PASSWORD" not in variable, value
    for one in told.get("secrets", ()):
        assert TOLD["secrets"][one]["file"].startswith("./deploy/secrets/")


def test_all_of_it_fits_a_laptop() -> None:
    sizes = [told["mem_limit"] for told in SERVICES.values()]
    assert sum(int(one[:-1]) * _UNITS[one[-1]] for one in sizes) <= LAPTOP_MEGABYTES
    heap = re.search(r"^-Xmx(\d)G$", (ROOT / "deploy/trino/jvm.config").read_text(), re.MULTILINE)
    assert heap is not None
    assert int(heap[1]) * 2 <= int(SERVICES["trino"]["mem_limit"][:-1])


def test_nothing_but_the_door_listens_beyond_loopback() -> None:
    for name, told in SERVICES.items():
        assert ("0.0.0.0" in " ".join(told["command"])) == (name == "door")
    postgres, mariadb = (SERVICES[name]["command"] for name in ("postgres", "mariadb"))
    assert "listen_addresses=127.0.0.1" in postgres
    assert "--bind-address=127.0.0.1" in mariadb
    assert "node.bind-ip=127.0.0.1" in (ROOT / "deploy/trino/config.properties").read_text()


def test_trino_has_the_catalogs_that_the_command_writes(tmp_path: Path) -> None:
    made = estate.make(tmp_path, 60, on_servers=True)
    seeding.name_trino(made.catalog / "roundview.yaml")
    reader = Logins(seeding.READER, seeding.READER, "pass word")
    env = {
        **made.env,
        "CRM_URL": url_of(POSTGRES, 5432, reader, "crm"),
        "MAIL_URL": url_of(POSTGRES, 5432, reader, "mail"),
        "POS_URL": url_of(MARIADB, 3306, reader, "pos"),
        "SUPPORT_URL": "http://127.0.0.1:8363/api",
        "SUPPORT_TOKEN": "token",
        "TRINO_URL": "http://127.0.0.1:8080",
    }
    expected = properties_of(load(made.catalog, env=env), env)
    there = (ROOT / "deploy/trino/catalog").iterdir()
    assert {file.stem: file.read_text() for file in there} == {
        name: as_text(properties) for name, properties in expected.items()
    }


def test_the_image_has_what_the_package_is_made_of() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = {
        one
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for one in line.split()[1:-1]
    }
    assert all((ROOT / one).exists() for one in copied)
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {one.partition("/")[0] for one in wheel} <= copied
    assert {project["project"]["readme"], "LICENSE", "pyproject.toml"} <= copied
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    assert kept == copied
    images = {line.split()[1] for line in lines if line.startswith("FROM ")}
    assert all(_PINNED.fullmatch(one.replace("-slim", "")) for one in images)
    users = {line.split()[1] for line in lines if line.startswith("USER ")}
    assert users == {SERVICES["roundview"]["user"]}
