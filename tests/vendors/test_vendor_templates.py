"""Each template that ships gives the rows that whoever knows the vendor's tables expects.

A folder beside this file holds a vendor's tables with a few rows (`tables.sql`), what each person
must have (`truth.yaml`: every row of every entity; of each row the fields that are told), and
what an instance of its own would add to the template (`source.yaml`). Who is told to have nothing
must not be found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlglot import exp

from roundview.client import AsyncConnection, connect_async
from roundview.introspection import introspect_source
from roundview.view import plain
from roundview_catalog import loader, schema_file, templates
from roundview_federation.key_sets import keyset_of
from roundview_federation.live.findings import Verdict
from roundview_federation.live.proving import prove_source
from roundview_federation.plan import PlannedFragment
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.watch import watch

HERE = Path(__file__).parent
SYSTEMS = {
    "fatfreecrm": ("sqlite", "postgres", "mysql"),
    "listmonk": ("sqlite", "postgres"),
    "ospos": ("sqlite", "mysql"),
    "osticket": ("sqlite", "mysql"),
    "suitecrm": ("sqlite", "mysql"),
    "vtiger": ("sqlite", "mysql"),
}
WITHOUT_INDEX = {"fatfreecrm": {"account_contacts", "contact_opportunities", "comments", "tasks"}}
"""Tables that a view reads whole, because the vendor makes no index of what people are in them."""
FILES = {
    "roundview.yaml": "roundview: 1\ndeadlines: {view: 20s, probe: 10s}\n",
    "policy.yaml": 'roles: {demo: {purposes: [service], sees: {"*": all}}}\n',
    "entities/individual.yaml": (
        "entity: individual\nfields: {vip_level: {type: text, comment: A field of one instance.}}\n"
    ),
}


@dataclass(frozen=True)
class System:
    """One vendor's system, mapped by its template, and what it must say."""

    vendor: str
    connector: str
    truth: Mapping[str, Any]
    connection: AsyncConnection


def yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def written(root: Path, vendor: str, connector: str, where: str) -> None:
    """Writes the catalog of one system: a thin file over the template."""
    own = HERE / vendor / "source.yaml"
    files = {
        **FILES,
        "sources/theirs.yaml": (
            f"source: theirs\nuse: vendor/{vendor}\nconnector: {connector}\n"
            f'connection: {{{where.replace("$", chr(34) + "$")}"}}\n'
            "limits: {timeout: 10s}\n"
            "defaults: {time_zone: "
            + ("Europe/Berlin" if vendor == "ospos" else "UTC")
            + ", phone_region: DE, currency: EUR}\n"
            + (own.read_text(encoding="utf-8") if own.exists() else "")
        ),
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(params=[(v, c) for v, some in SYSTEMS.items() for c in some], ids="-".join)
async def system(
    request: pytest.FixtureRequest, tmp_path: Path, make: Callable[[str, str, str], Any]
) -> AsyncIterator[System]:
    """Makes a system in a real database, introspects it, links its people."""
    vendor, connector = request.param
    script = (HERE / vendor / "tables.sql").read_text(encoding="utf-8")
    where, url = make(vendor, connector, script)
    env = {"VENDOR_URL": url}
    root = tmp_path / "catalog"
    written(root, vendor, connector, where)
    tables = await introspect_source(root, "theirs", env)
    schema_file.write(root / "sources/theirs.schema.yaml", tables)
    async with connect_async(root, env=env) as connection:
        await connection.refresh_identity()
        yield System(vendor, connector, yaml(HERE / vendor / "truth.yaml"), connection)


@pytest.mark.row("A5")
@pytest.mark.row("C9")
async def test_a_template_gives_what_the_system_holds(system: System) -> None:
    for email, expected in system.truth.items():
        view = await system.connection.customer(email=email)
        if expected is None:
            assert view is None, email
            continue
        assert view is not None, email
        assert view.complete, view.sources
        assert [source.problems for source in view.sources] == [0]
        found = {name: records.rows for name, records in view.entities.items() if records.rows}
        assert set(found) == set(expected), email
        for entity, rows in expected.items():
            assert told(found[entity], rows) == rows, (email, entity)


async def test_every_branch_of_a_template_can_be_asked_by_key(system: System) -> None:
    catalog = system.connection.catalog
    for branch in catalog.sources["theirs"].branches:
        entity = catalog.canonical.entities[branch.entity]
        is_bound = branch.person or branch.parent or branch.organization
        assert is_bound or not entity.has_person, branch.id
        assert branch.position.file in (f"vendor/{system.vendor}.yaml", "sources/theirs.yaml")


async def test_people_are_found_by_the_indexes_that_the_vendor_has(system: System) -> None:
    connector = system.connection.federation.current.connectors["theirs"]
    whole = set()
    for planned, params in await _asked_by_person(system):
        for access in await connector.accesses(planned.call, params, Deadline.after(10)):
            # PostgreSQL joins tables of a few rows in no order that says what it would do.
            is_told = access.alias == _key_table(planned) or system.connector != "postgres"
            if access.is_scan and not access.index and is_told:
                whole.add(_table(planned, access.alias))
    assert whole == WITHOUT_INDEX.get(system.vendor, set())


async def test_check_says_where_a_vendor_has_no_index(
    tmp_path: Path, make: Callable[[str, str, str], Any]
) -> None:
    script = (HERE / "fatfreecrm" / "tables.sql").read_text(encoding="utf-8")
    more = (
        "INSERT INTO tasks (id, asset_type, asset_id) WITH RECURSIVE n(i) AS"
        " (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 21000) SELECT i, 'Lead', i FROM n;"
    )
    where, url = make("fatfreecrm", "sqlite", f"{script}\n{more}")
    root = tmp_path / "catalog"
    written(root, "fatfreecrm", "sqlite", where)
    env = {"VENDOR_URL": url}
    tables = await introspect_source(root, "theirs", env)
    schema_file.write(root / "sources/theirs.schema.yaml", tables)
    proven = await prove_source(loader.load(root), "theirs", env=env)
    about = {
        table: [
            finding
            for finding in proven.findings
            if "are found by" in finding.claim and f" {table}." in finding.claim
        ]
        for table in ("tasks", "comments", "contacts")
    }
    (task,) = about["tasks"]
    assert task.verdict is Verdict.REFUTED
    assert task.position.file == "vendor/fatfreecrm.yaml"
    assert "make an index on tasks.asset_id" in task.hint
    (comment,) = about["comments"]
    assert comment.verdict is Verdict.NOT_REFUTED
    assert "because it is small: comments" in comment.seen
    assert {finding.verdict for finding in about["contacts"]} == {Verdict.PROVED}


async def _asked_by_person(system: System) -> list[tuple[PlannedFragment, dict[str, Any]]]:
    """Returns what a whole view asks, with keys of the right types."""
    await system.connection.customer(email=next(iter(system.truth)))
    asked = []
    for plan in system.connection.federation.current.planner.plans():
        for planned in plan.fragments:
            keysets = [plan.keysets[name] for name in planned.fragment.keysets]
            if not keysets:
                continue
            params: dict[str, Any] = dict.fromkeys(planned.fragment.params)
            for one in keysets:
                params[one.name] = ["x", "y"] if one.types[0].is_text else [1, 2]
            asked.append((planned, params))
    assert asked
    return asked


def _key_table(planned: PlannedFragment) -> str:
    found = map(keyset_of, planned.fragment.tree.find_all(exp.EQ))
    return next(one[0].table for one in found if one is not None and isinstance(one[0], exp.Column))


def _table(planned: PlannedFragment, alias: str) -> str:
    trees = (planned.fragment.tree, *(child.tree for child in planned.fragment.children))
    names = {t.alias_or_name: t.name for tree in trees for t in tree.find_all(exp.Table)}
    return names.get(alias, alias)


async def test_an_edited_template_is_taken_by_a_running_server(
    tmp_path: Path, make: Callable[[str, str, str], Any]
) -> None:
    script = (HERE / "fatfreecrm" / "tables.sql").read_text(encoding="utf-8")
    where, url = make("fatfreecrm", "sqlite", script)
    root = tmp_path / "catalog"
    written(root, "fatfreecrm", "sqlite", where)
    source = root / "sources/theirs.yaml"
    source.write_text(source.read_text().replace("vendor/fatfreecrm", "./ours.template.yaml"))
    template = root / "sources/ours.template.yaml"
    template.write_text("use: vendor/fatfreecrm\n")
    tables = await introspect_source(root, "theirs", {"VENDOR_URL": url})
    schema_file.write(root / "sources/theirs.schema.yaml", tables)
    taken: asyncio.Queue[frozenset[str]] = asyncio.Queue()
    async with connect_async(root, env={"VENDOR_URL": url}) as connection:
        await connection.refresh_identity()
        watching = asyncio.ensure_future(watch(connection.federation, taken.put, poll_seconds=0.01))
        changed: frozenset[str] = frozenset()
        # An edit before the watcher has seen the files is no change to it: then another one is.
        for attempt in range(30):
            template.write_text(
                "use: vendor/fatfreecrm\n"
                "entities: {individual: {main: {fields: {lifecycle_stage: {const: vip}}}}}\n"
                f"# attempt {attempt}\n"
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    changed = await taken.get()
                    break
        assert set(changed) == {"theirs"}
        watching.cancel()
        view = await connection.customer(email="ada@mail.example")
        assert view is not None
        assert view.fields["lifecycle_stage"] == "vip"


def test_every_shipped_template_is_tested() -> None:
    assert {f"vendor/{vendor}" for vendor in SYSTEMS} == set(templates.shipped_names())


def test_a_template_without_its_tables_is_told_in_its_own_file(tmp_path: Path) -> None:
    written(tmp_path, "vtiger", "sqlite", "path: ${env:VENDOR_URL}")
    (tmp_path / "sources/theirs.schema.yaml").write_text(
        "tables: {account: {columns: {id: {type: bigint}}}}\n", encoding="utf-8"
    )
    problems = loader.check(tmp_path)
    assert {problem.code for problem in problems} == {"RV213"}
    assert {problem.position.file for problem in problems} == {"vendor/vtiger.yaml"}


def told(rows: Any, expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns rows in the order and with the fields in which the truth tells them."""
    by_name = {(row["source_key"], row["slot"]): row for row in rows}
    names = [(row["key"], row.get("slot", "")) for row in expected]
    assert set(by_name) == set(names)
    assert len(rows) == len(expected)
    return [
        {
            field: told(by_name[name][field], value) if isinstance(value, list)
            else plain({"key": name[0], **by_name[name]}[field])
            for field, value in row.items()
        }
        for name, row in zip(names, expected, strict=True)
    ]  # fmt: skip
