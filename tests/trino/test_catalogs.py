"""Proves that the catalogs that we write for Trino are those it reads the sources by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sql.conftest import Estate

from roundview.trino_catalogs import properties_of, write
from roundview_catalog.engines import Engines
from roundview_catalog.errors import RequestError


def test_passwords_are_references(estate: Estate, tmp_path: Path) -> None:
    federation: Any = estate.connection.federation
    made = properties_of(federation.catalog, federation._env, "10.0.0.5:8362")
    assert [one["connector.name"] for one in made.values()] == [
        "postgresql",
        "mariadb",
        "trino_thrift",
    ]
    for path in write(made, tmp_path):
        text = path.read_text(encoding="utf-8")
        assert "wo%rd" not in text
        assert ("${ENV:" in text) == ("connection-password" in text)
    bridge = next(one for one in made.values() if one["connector.name"] == "trino_thrift")
    assert bridge["trino.thrift.client.addresses"] == "10.0.0.5:8362"


def test_a_catalog_without_trino_is_said_to_be(estate: Estate) -> None:
    federation: Any = estate.connection.federation
    known = federation.catalog
    sources = {name: replace(one, trino_catalog="") for name, one in known.sources.items()}
    with pytest.raises(RequestError) as raised:
        properties_of(replace(known, engines=Engines(), sources=sources), federation._env)
    assert raised.value.code == "RV102"
