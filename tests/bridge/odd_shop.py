"""Decides what a catalog of odd values holds: every type, odd names, keys that are sealed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb

from roundview_catalog import loader, schema_file
from roundview_federation.connectors import open_connector
from roundview_federation.federation import Federation
from roundview_federation.refresh import refresh_identity

SCANNED = 40_000
"""Rows of the table that is scanned."""

TABLES = """
CREATE TABLE readers (email TEXT PRIMARY KEY, name TEXT);
INSERT INTO readers VALUES ('mia@a.example', 'Mia'), ('b/en%@b.example', 'Ben');
CREATE TABLE Odd (
  id BIGINT PRIMARY KEY, "Amount" DECIMAL(12,2), "Huge" DECIMAL(30,4), free NUMERIC,
  at TIMESTAMP, day DATE, open BOOLEAN, height REAL, "näme %" TEXT, note TEXT COLLATE NOCASE
);
CREATE INDEX odd_name ON Odd ("näme %");
CREATE INDEX odd_note ON Odd (note, id);
INSERT INTO Odd VALUES
  (1, 12.5, '12345678.5678', 1.5, '2026-01-01 10:00:00.000001', '2026-01-01', 1,
   1.5, 'Zoë', 'Aa'),
  (2, -0.01, '-0.0001', 2.25, '0001-01-01 00:00:00', '0001-01-01', 0,
   -1e300, '', 'aa'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (9007199254740993, 9999999999.99, 0, 0, '9999-12-31 23:59:59.999999', '9999-12-31', 1, 0.1,
   '𝄞 clef', 'AA');
CREATE TABLE scanned (id INTEGER PRIMARY KEY, person INTEGER, name TEXT, total DECIMAL(12,2));
CREATE INDEX scanned_person ON scanned (person);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {scanned})
INSERT INTO scanned SELECT i, i % 100, 'Person ' || i, i / 100.0 FROM n;
CREATE TABLE parts (a TEXT, b INTEGER, c TEXT, PRIMARY KEY (a, b));
INSERT INTO parts VALUES ('x', 1, 'x1'), ('x', 2, 'x2'), ('y', 1, 'y1'), ('y', 2, 'y2');
CREATE TABLE heavy (id INTEGER PRIMARY KEY, body TEXT);
CREATE TABLE wide (id INTEGER PRIMARY KEY, body TEXT);
INSERT INTO wide VALUES (1, 'small'), (2, '{wide}'), (3, 'small too');
"""
SOURCE = """
source: news.north
connector: sqlite
connection: {{path: news.db}}
limits: {{{limits}}}
entities:
  individual:
    from: readers r
    key: {{value: r.email, sealed: true}}
    fields: {{full_name: r.name}}
    also:
      contact_point_email: {{fields: {{email_address: r.email}}}}
"""
LAKE = """
source: lake
connector: files
connection: {root: lake}
tables:
  days:
    path: days.parquet
    key: id
    columns: {id: bigint, day: date, price: "decimal(12,2)", rough: "decimal(12,2)"}
entities: {}
"""
DAYS = (
    "SELECT i AS id, DATE '2024-01-01' + i::INTEGER AS day, (i / 4)::DECIMAL(12,2) AS price,"
    " i / 4 + 0.004 AS rough FROM range(1000) r(i)"
)
SCHEMA = "news_north"


async def opened(
    folder: Path, limits: str = "scan_rows: 1000000", heavy_rows: int = 0
) -> Federation:
    """Writes the catalog into a folder, opens and links it; `heavy` has rows of 3 kB."""
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "roundview.yaml").write_text("roundview: 1\nname: odd\n")
    file = folder / "news.db"
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database:
        database.executescript(TABLES.format(scanned=SCANNED, wide="w" * 300_000))
        body = "h" * 3_000
        database.executemany(
            "INSERT INTO heavy VALUES (?, ?)", ((at, body) for at in range(heavy_rows))
        )
        database.commit()
    (folder / "sources/news.north.yaml").write_text(SOURCE.format(limits=limits), "utf-8")
    (folder / "lake").mkdir(exist_ok=True)
    made = duckdb.sql(DAYS)
    assert made is not None
    made.write_parquet(str(folder / "lake/days.parquet"))
    (folder / "sources/lake.yaml").write_text(LAKE, "utf-8")
    connector = open_connector(loader.source_outline(folder, "news.north"), env={})
    try:
        tables = await connector.introspect()
    finally:
        await connector.close()
    schema_file.write(folder / "sources/news.north.schema.yaml", tables)
    federation = Federation.open(folder, data_dir=folder / "data", secret=b"s" * 32)
    await refresh_identity(federation)
    return federation
