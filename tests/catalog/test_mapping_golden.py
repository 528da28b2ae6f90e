"""Each construct of the mapping language is the SELECT beside it, and gives these rows.

A case of `tests/golden/mappings` has tables, a mapping, and the rows that whoever knows the
tables expects. The SELECT of each branch is a file beside it. Three things must agree: the
expected rows, the ordinary path over a SQLite database and over Parquet files, and the SELECT,
computed by DuckDB over the same tables (columns named `derived` are no part of it). Every
person's rows are then asked by key: they are those of the whole scan.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import duckdb
import pytest
import sqlglot
from ruamel.yaml import YAML
from sqlglot import exp

from roundview_catalog import loader, mapping, schema_file
from roundview_catalog.mapped import PersonKey
from roundview_catalog.model import Branch, Catalog
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors import open_connector
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import gather, utc_now
from roundview_federation.plan import ROW_HEAD, Lookup, Question, Section, selecting
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.rewrite.source_keys import split_key

GOLDEN = Path(__file__).parents[1] / "golden" / "mappings"
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))
# What a system of files has none of.
SQLITE_ONLY = ("table_prefix",)
EVERYTHING = Decision("test", "", {}, {}, {}, frozenset(), {})

Row = tuple[Any, ...]
"""source key, slot, person's source key, then columns; values as `shown` writes them."""


class Case:
    """One construct over its own small source: a SQLite database, or Parquet files."""

    def __init__(self, name: str, folder: Path, connector: str = "sqlite") -> None:
        yaml = YAML(typ="safe", pure=True)
        self.data: Mapping[str, Any] = yaml.load((GOLDEN / f"{name}.yaml").read_text("utf-8"))
        self.folder = folder
        (folder / "sources").mkdir()
        (folder / "roundview.yaml").write_text("roundview: 1\nname: case\n")
        head = self._database() if connector == "sqlite" else self._files()
        (folder / "sources/shop.yaml").write_text(head + self.data["source"], "utf-8")

    def fill(self, database: duckdb.DuckDBPyConnection) -> None:
        """Makes the tables in DuckDB."""
        # A constant is compared exactly, which SQL can only say of a column that is exact.
        for statement in self.data["tables"].replace(" COLLATE NOCASE", "").split(";\n"):
            database.execute(statement)

    def _database(self) -> str:
        with closing(sqlite3.connect(self.folder / "shop.db")) as database:
            database.executescript(self.data["tables"])
        is_placed = "connection:" in self.data["source"]
        connection = "" if is_placed else "connection: {path: shop.db}\n"
        return "source: shop\nconnector: sqlite\n" + connection

    def _files(self) -> str:
        lines = ["source: shop", "connector: files", "connection: {root: .}", "tables:"]
        claims = []
        with duckdb.connect() as database:
            self.fill(database)
            keys = database.execute(
                "SELECT table_name, constraint_type, constraint_column_names"
                " FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE')"
            ).fetchall()
            primary = {table: columns for table, kind, columns in keys if kind == "PRIMARY KEY"}
            claims = [(table, *columns) for table, kind, columns in keys if kind == "UNIQUE"]
            for (table,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                relation = database.table(f'"{table}"')
                relation.write_parquet(str(self.folder / f"{table}.parquet"))
                lines.append(f"  {table}:")
                lines.append(f"    path: {table}.parquet")
                lines.append(f"    key: {json.dumps(primary.get(table, []))}")
        if claims:
            lines.append("facts:")
            lines += [f"  {table}.{column}: {{unique: true}}" for table, column in claims]
        return "\n".join(lines) + "\n"

    async def load(self) -> Catalog:
        """Returns the catalog once the source has said what it is."""
        outline = loader.source_outline(self.folder, "shop")
        connector = open_connector(outline, env={})
        try:
            tables = await connector.introspect()
        finally:
            await connector.close()
        schema_file.write(self.folder / "sources/shop.schema.yaml", tables)
        return loader.load(self.folder)

    def sections(self, lookup: str) -> tuple[Section, ...]:
        """Returns one question per entity for the columns that the case tells."""
        return tuple(
            Section(entity, entity, selecting(entity, tuple(given["columns"])), lookup)
            for entity, given in self.data["rows"].items()
        )

    def expected(self, entity: str) -> list[Row]:
        """Returns the rows that the case's writer knows to be right."""
        return sorted((tuple(row) for row in self.data["rows"][entity]["are"]), key=repr)


@pytest.fixture(params=CASES)
async def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Case, Catalog]:
    """Returns a case and its catalog."""
    case = Case(request.param, tmp_path)
    return case, await case.load()


@pytest.fixture(params=[(name, "sqlite") for name in CASES]
                + [(name, "files") for name in CASES if name not in SQLITE_ONLY],
                ids="-".join)  # fmt: skip
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Case, Catalog]:
    """Returns a case and its catalog, over SQLite and over files."""
    case = Case(request.param[0], tmp_path, request.param[1])
    return case, await case.load()


async def test_a_construct_is_its_select(
    loaded: tuple[Case, Catalog], golden: Callable[[Path, str], None], request: Any
) -> None:
    _, catalog = loaded
    name = request.node.callspec.params["loaded"]
    statements = [
        f"-- {branch.id}{f' [{slot}]' if slot else ''}\n{mapping.readable(tree)};\n"
        for branch, slot, tree in selects(catalog)
    ]
    golden(GOLDEN / f"{name}.sql", "\n".join(statements))


async def test_the_ordinary_path_gives_the_rows(anywhere: tuple[Case, Catalog]) -> None:
    case, catalog = anywhere
    scanned = await asked(catalog, case.sections(""), Customers([], [], {}))
    for entity in case.data["rows"]:
        rows = [(owner, row) for owner, some in scanned[entity].items() for row in some]
        got = [(row[1], row[2], owner, *map(shown, row[len(ROW_HEAD) :])) for owner, row in rows]
        assert sorted(got, key=repr) == case.expected(entity)


async def test_the_select_gives_the_rows(loaded: tuple[Case, Catalog]) -> None:
    case, catalog = loaded
    found: dict[str, list[Row]] = {entity: [] for entity in case.data["rows"]}
    with duckdb.connect() as database:
        database.execute("SET integer_division = true")
        case.fill(database)
        for branch, slot, tree in selects(catalog):
            if branch.entity not in found or case.data["rows"][branch.entity].get("by_hand"):
                continue
            cursor = database.execute(in_duckdb(mapping.readable(tree), catalog))
            names = [column[0] for column in cursor.description]
            read = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
            columns = case.data["rows"][branch.entity]["columns"]
            found[branch.entity] += meant(branch, slot, read, columns, catalog)
    for entity, rows in found.items():
        told = case.data["rows"][entity]
        if told.get("by_hand"):
            continue
        derived = [3 + told["columns"].index(name) for name in told.get("derived", ())]
        expected = [
            tuple(value for at, value in enumerate(row) if at not in derived)
            for row in case.expected(entity)
        ]
        kept = [tuple(v for at, v in enumerate(row) if at not in derived) for row in rows]
        assert sorted(kept, key=repr) == sorted(expected, key=repr)


async def test_persons_are_asked_by_key(anywhere: tuple[Case, Catalog]) -> None:
    case, catalog = anywhere
    scanned = await asked(catalog, case.sections(""), Customers([], [], {}))
    owners = {o: None for rows in scanned.values() for o in rows if o is not None}
    # Keys that nobody has, one of them like a number that another record has.
    keys = [*owners, "no:such", "0007", "x%2Fy"]
    entries = [(*split_key(key), at) for at, key in enumerate(keys)]
    customers = Customers(list(keys), ["linked"] * len(keys), {"shop": entries})
    bound = await asked(catalog, case.sections("persons"), customers)
    for entity in case.data["rows"]:
        by_key = {keys[at]: rows for at, rows in bound[entity].items() if rows}
        in_scan = {
            owner: rows for owner, rows in scanned[entity].items() if owner is not None and rows
        }
        assert {o: sorted(map(plain, r), key=repr) for o, r in by_key.items()} == {
            o: sorted(map(plain, r), key=repr) for o, r in in_scan.items()
        }


async def asked(
    catalog: Catalog,
    sections: Sequence[Section],
    customers: Customers,
    env: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, dict[Any, list[Row]]]:
    """Returns section -> owner -> rows, through the planner and the connector."""
    connector = open_connector(catalog.sources["shop"], env=env)
    connectors = {"shop": connector}
    try:
        planner = Planner(catalog, connectors)
        question = Question("case", (Lookup("persons"),), ())
        plan = await planner.prepare(question, EVERYTHING, hidden=lambda: tuple(sections))
        gathered = await gather(
            plan,
            {"persons": customers},
            {},
            Deadline.after(10),
            catalog=catalog,
            connectors=connectors,
            clock=utc_now,
        )
    finally:
        await connector.close()
    assert gathered.failures == {}
    return {name: dict(rows) for name, rows in gathered.rows.items()}


def selects(catalog: Catalog) -> Iterator[tuple[Branch, str, Any]]:
    source = catalog.sources["shop"]
    for branch in source.branches:
        for slot in branch.slots:
            yield branch, slot, mapping.select(branch, slot, source.branches, source.tables)


def in_duckdb(text: str, catalog: Catalog) -> str:
    """Returns a SELECT with the names that the tables have in the database."""
    tree = sqlglot.parse_one(text, dialect="postgres")
    for table in tree.find_all(exp.Table):
        physical = catalog.sources["shop"].tables[table.name].physical
        table.set("this", exp.to_identifier(physical))
    return tree.sql(dialect="duckdb")


def plain(row: Row) -> Row:
    return row[1:]


def meant(
    branch: Branch,
    slot: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    catalog: Catalog,
) -> Iterator[Row]:
    """Reads rows of a SELECT as the language says: keys, persons, blanks, rounding, zones."""
    source = catalog.sources[branch.source]
    entity = catalog.canonical.entities[branch.entity]
    lines = [branch]
    while lines[-1].parent is not None:
        wanted = (lines[-1].parent.entity, lines[-1].parent.branch)
        lines.append(next(b for b in source.branches if (b.entity, b.name) == wanted))
    persons = next((b.person for b in lines if b.person), ())
    companies = next((b.organization for b in lines if b.organization), ())
    for row in rows:
        values = {
            name: converted(
                row[name],
                entity.types[name],
                ZoneInfo(given.time_zone or source.defaults.time_zone),
            )
            for name, given in branch.slots[slot].items()
        }
        is_told = any(all(values.get(n) is not None for n in names) for names in entity.bearing)
        if entity.bearing and not is_told:
            continue
        person = first_key("p", persons, row)
        values["organization_key"] = first_key("o", companies, row)
        if branch.parent is not None:
            count = len(branch.parent.keys)
            names = [f"parent_key_{at + 1}" for at in range(count)] if count > 1 else ["parent_key"]
            above = [row[name] for name in names]
            if None not in above:
                field = entity.parents[branch.parent.entity]
                values[field] = keyed(branch.parent.branch, above)
        positions = [str(row[f"at{at}"]) for at in range(1, len(branch.lists) + 1)]
        where = "/".join([slot, *positions] if slot else positions)
        parts = [row[f"k{at}"] for at in range(1, len(branch.key) + 1)]
        for name, default in (
            ("currency", source.defaults.currency),
            ("phone_region", source.defaults.phone_region),
            ("region", source.defaults.region),
            ("business_unit", source.defaults.business_unit),
        ):
            if values.get(name) is None:
                values[name] = default or None
        told = (shown(values.get(name)) for name in columns)
        yield (keyed(branch.name, parts), where, person, *told)


def first_key(letter: str, owners: Sequence[PersonKey], row: Mapping[str, Any]) -> str | None:
    """Returns the key of the first alternative of which no part is NULL."""
    for at, owner in enumerate(owners, 1):
        names = [f"{letter}{at}_{part + 1}" for part in range(len(owner.keys))]
        parts = [row[name] for name in (names if len(names) > 1 else [f"{letter}{at}"])]
        if all(part is not None for part in parts):
            return keyed(owner.branch, parts)
    return None


def keyed(branch: str, parts: Sequence[Any]) -> str:
    text = "/".join(encoded(str(part)) for part in parts)
    return f"{branch}:{text}" if branch else text


def encoded(part: str) -> str:
    return "".join(quote(letter, safe="") if letter in "%/:" else letter for letter in part)


def converted(value: Any, type_: Type, zone: ZoneInfo) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if type_.is_time:
        if not isinstance(value, datetime):
            value = datetime.fromisoformat(str(value))
        return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
    if type_.kind is Kind.DECIMAL:
        scale = 4 if type_.scale is None else type_.scale
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    if type_.kind is Kind.BOOLEAN:
        return value in (True, 1, "1", "t", "true", "yes", "Y")
    if type_.kind in (Kind.INTEGER, Kind.BIGINT):
        return int(value)
    if type_.kind is Kind.DATE:
        return date.fromisoformat(str(value)[:10])
    return str(value)


def shown(value: Any) -> Any:
    """Returns a value as the cases write it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value if value is None or isinstance(value, bool | int) else str(value)
