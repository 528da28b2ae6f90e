"""Proves that the docs call those clients proven that tests run, and no other."""

from __future__ import annotations

from pathlib import Path

from tests.clients.proven import EXPECTED, HERE, PROVEN, proofs, table

DOCS = Path(__file__).parents[2] / "docs/bi.md"


def test_every_client_that_runs_is_in_the_table() -> None:
    modules = {path.stem for path in HERE.glob("test_*.py")} - {Path(__file__).stem}
    assert set(PROVEN.values()) == modules
    assert all(len(list(proofs(module))) > 2 for module in modules)


def test_the_docs_have_the_table_and_a_page_for_each_client() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert table() in text
    headings = {line.lstrip("# ") for line in text.splitlines() if line.startswith("### ")}
    named = {name for heading in headings for name in heading.split(", ")}
    assert {*EXPECTED, "psql", "psycopg", "SQLAlchemy", "pandas", "Polars"} <= named
