"""Every mistake in a catalog is told at its place, in words that help."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from roundview_catalog import loader
from roundview_catalog.errors import CatalogError
from roundview_catalog.report import PROBLEM_CODES

COMPANY = Path(__file__).parent / "company"
GOLDEN = Path(__file__).parents[1] / "golden" / "catalogs"
MISTAKES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def with_mistake(folder: Path, mistake: Path) -> Path:
    """Returns a copy of the company's catalog with the files of a mistake laid over it."""
    shutil.copytree(COMPANY, folder, dirs_exist_ok=True)
    for file in mistake.rglob("*"):
        if file.suffix == ".absent":
            (folder / file.stem.replace("__", "/")).unlink()
        elif file.suffix == ".yaml":
            target = folder / file.relative_to(mistake)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
    return folder


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told(
    mistake: str, tmp_path: Path, golden: Callable[[Path, str], None]
) -> None:
    root = with_mistake(tmp_path / "catalog", GOLDEN / mistake)
    problems = loader.check(root)
    assert problems
    assert all(problem.code in PROBLEM_CODES for problem in problems)
    assert "hunter2" not in "".join(map(str, problems))
    golden(GOLDEN / mistake / "errors.txt", "".join(f"{problem}\n" for problem in problems))


def test_a_wrong_catalog_is_refused_whole(tmp_path: Path) -> None:
    root = with_mistake(tmp_path / "catalog", GOLDEN / "several_at_once")
    with pytest.raises(CatalogError) as error:
        loader.load(root)
    assert error.value.problems == loader.check(root)
    assert len({problem.position.file for problem in error.value.problems}) == 4


def test_the_company_has_no_mistake() -> None:
    assert loader.check(COMPANY) == ()
