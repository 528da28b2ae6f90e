"""Proves that what can be met is written down, and that links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from roundview_catalog.errors import CODES

ROOT = Path(__file__).parents[2]
PAGES = tuple(sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))))


@pytest.mark.parametrize("code", CODES)
def test_every_error_code_has_a_heading(code: str) -> None:
    row = CODES[code]
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    section = text.partition(f"## {code}: {row.title}\n")[2].partition("\n## ")[0]
    line = (
        f"GraphQL `{row.graphql}`, HTTP {row.http}, SQLSTATE {row.sqlstate}, exit code {row.exit}."
    )
    assert line in section


def test_no_heading_is_left_of_a_code_that_is_gone() -> None:
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (RV\d+)", text, re.MULTILINE) == list(CODES)


def test_generated_parts_are_up_to_date() -> None:
    pages = [str(page) for page in PAGES if "[[[cog" in page.read_text(encoding="utf-8")]
    assert pages
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", *pages],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, "run make docs\n" + done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_the_changelog_has_a_section_for_what_is_next_or_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    headings = re.findall(r"^## \[?([^\]\n ]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", project["version"])
