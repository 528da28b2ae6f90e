"""Every construct of the mapping language gives the same rows on PostgreSQL and MariaDB."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.catalog.test_mapping_golden import CASES, GOLDEN, asked, plain, shown

from roundview.introspection import introspect_source
from roundview_catalog import loader, schema_file
from roundview_catalog.model import Catalog
from roundview_federation.execute.customers import Customers
from roundview_federation.plan import ROW_HEAD, Section, selecting
from roundview_federation.rewrite.source_keys import split_key

# Names in a script that the servers would fold or read as words of their own.
SQLITE_ONLY = ("names", "table_prefix")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "master")


@pytest.mark.parametrize("connector", ["postgres", "mysql"])
@pytest.mark.parametrize("case", [case for case in CASES if case not in SQLITE_ONLY])
async def test_a_construct_gives_its_rows_on_servers(
    case: str, connector: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    given = YAML(typ="safe", pure=True).load((GOLDEN / f"{case}.yaml").read_text("utf-8"))
    server = request.getfixturevalue("postgres" if connector == "postgres" else "mariadb")
    database = f"mapping_{WORKER}"
    script = given["tables"].replace(" COLLATE NOCASE", "")
    if connector == "postgres":
        await server.make(database, script)
    else:
        for word, other in ((" TEXT", " VARCHAR(200)"), (" TIMESTAMP", " DATETIME")):
            script = script.replace(word, other)
        statements = script.replace(" lines ", " `lines` ").split(";\n")
        exact = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
        await server.make(database, [s for s in statements if s.strip()], exact)
    try:
        env = {"CASE_URL": server.url(database)}
        catalog = await _catalog(tmp_path, connector, given["source"], env)
        await _compare(catalog, given["rows"], env)
    finally:
        if connector == "postgres":
            await server.drop(database)
        else:
            await server.run([f"DROP DATABASE `{database}`"])


async def _catalog(folder: Path, connector: str, source: str, env: dict[str, str]) -> Catalog:
    (folder / "sources").mkdir()
    (folder / "roundview.yaml").write_text("roundview: 1\nname: case\n", encoding="utf-8")
    head = f'source: shop\nconnector: {connector}\nconnection: {{url: "${{env:CASE_URL}}"}}\n'
    (folder / "sources/shop.yaml").write_text(head + source, encoding="utf-8")
    tables = await introspect_source(folder, "shop", env)
    schema_file.write(folder / "sources/shop.schema.yaml", tables)
    return loader.load(folder)


async def _compare(catalog: Catalog, rows: dict[str, Any], env: dict[str, str]) -> None:
    scanned = await asked(catalog, _sections(rows, ""), Customers([], [], {}), env)
    for entity, told in rows.items():
        got = [
            (row[1], row[2], owner, *map(shown, row[len(ROW_HEAD) :]))
            for owner, some in scanned[entity].items()
            for row in some
        ]
        assert sorted(got, key=repr) == sorted(map(tuple, told["are"]), key=repr)
    keys = list({o: None for some in scanned.values() for o in some if o is not None})
    entries = [(*split_key(key), at) for at, key in enumerate(keys)]
    customers = Customers(list(keys), ["linked"] * len(keys), {"shop": entries})
    bound = await asked(catalog, _sections(rows, "persons"), customers, env)
    for entity in rows:
        by_key = {keys[at]: sorted(map(plain, r), key=repr) for at, r in bound[entity].items() if r}
        in_scan = {o: sorted(map(plain, r), key=repr) for o, r in scanned[entity].items()}
        in_scan.pop(None, None)
        assert by_key == in_scan


def _sections(rows: dict[str, Any], lookup: str) -> tuple[Section, ...]:
    return tuple(
        Section(entity, entity, selecting(entity, tuple(told["columns"])), lookup)
        for entity, told in rows.items()
    )
