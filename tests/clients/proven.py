"""Decides what the docs say of each client: what tests prove of it, or why it should work."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
PROVEN: Mapping[str, str] = {
    "psql": "test_psql",
    "psycopg 3": "test_psycopg",
    "psycopg2": "test_psycopg2",
    "asyncpg": "test_asyncpg",
    "pg8000": "test_pg8000",
    "SQLAlchemy": "test_sqlalchemy",
    "pandas": "test_pandas",
    "Polars": "test_polars",
    "ADBC": "test_adbc",
    "psqlODBC with pyodbc": "test_psqlodbc",
    "node pg": "test_node_pg",
    "pgjdbc": "test_pgjdbc",
    "postgres_fdw": "test_postgres_fdw",
}
"""Client -> the module whose tests run it, unmodified."""
EXPECTED: Mapping[str, str] = {
    "DBeaver": "asks through pgjdbc",
    "Metabase": "asks through pgjdbc",
    "Tableau": "asks through psqlODBC or pgjdbc",
    "Excel": "asks through psqlODBC",
    "Superset": "asks through SQLAlchemy and psycopg2",
    "Grafana": "asks through pgx, which is a driver in Go",
    "Power BI": "asks through Npgsql, which is a driver in C#",
}
"""Client that no test runs -> what it asks through."""


def table() -> str:
    """Returns the table of the docs, in Markdown."""
    lines = ["| client | | |", "|---|---|---|"]
    for client, module in PROVEN.items():
        lines.append(f"| {client} | proven | {'; '.join(proofs(module))} |")
    lines += [f"| {client} | expected | {why} |" for client, why in EXPECTED.items()]
    return "\n".join(lines)


def proofs(module: str) -> Iterator[str]:
    """Yields what the tests of a module prove, in their order: what their names say."""
    tree = ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_":
            yield node.name.removeprefix("test_").replace("_", " ")
