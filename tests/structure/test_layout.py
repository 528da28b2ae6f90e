"""Decides what the shape of the repository must keep."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = tuple(
    ROOT / path
    for path in (
        "catalog/roundview_catalog",
        "identity/roundview_identity",
        "federation/roundview_federation",
        "graphql/roundview_graphql",
        "sql/roundview_sql",
        "desktop/roundview_desktop",
        "roundview",
    )
)
MODULES = tuple(sorted(path for package in PACKAGES for path in package.rglob("*.py")))
BANNED_MODULES = {"utils", "helpers", "common", "misc", "base"}
BANNED_ENDINGS = ("Manager", "Service", "Handler", "Impl", "Processor")
BANNED_REWRITES = {
    "optimize",
    "expand",
    "merge_subqueries",
    "eliminate_joins",
    "unnest_subqueries",
}
CHANGING = {"append", "add", "update", "setdefault", "pop", "clear", "extend", "remove"}
# Longer than a screenful of screens, each for a reason that was looked at.
LONG_MODULES: frozenset[str] = frozenset()
MOST_LINES = 400


def trees() -> list[tuple[Path, ast.Module]]:
    """Returns every module of the product with its syntax tree."""
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES]


def test_graphql_core_is_not_shadowed() -> None:
    assert not (ROOT / "graphql/__init__.py").exists()
    spec = find_spec("graphql")
    assert spec is not None
    assert spec.origin is not None
    assert "site-packages" in Path(spec.origin).parts


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_package_declares_its_types(package: Path) -> None:
    assert (package / "__init__.py").exists()
    assert (package / "py.typed").exists()


def test_the_wheel_holds_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {ROOT / path for path in packed} == set(PACKAGES)


def test_modules_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in MODULES
        if (lines := path.read_text(encoding="utf-8").count("\n")) > MOST_LINES
        and str(path.relative_to(ROOT)) not in LONG_MODULES
    }
    assert long == {}


def test_modules_and_classes_say_what_they_are() -> None:
    vague = [str(path) for path in MODULES if path.stem in BANNED_MODULES]
    vague += [
        f"{path.name}: {node.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(BANNED_ENDINGS)
    ]
    assert vague == []


def test_every_module_says_what_it_decides() -> None:
    silent = [str(path.relative_to(ROOT)) for path, tree in trees() if not ast.get_docstring(tree)]
    assert silent == []


def test_rewrites_that_change_rows_are_not_used() -> None:
    """Bans the sqlglot optimizer functions that return wrong rows or undo pushdown."""
    used = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlglot"):
                names = {alias.name for alias in node.names}
                names |= {(node.module or "").rpartition(".")[2]}
                used += [f"{path.name}: {name}" for name in names & BANNED_REWRITES]
            if isinstance(node, ast.Attribute) and node.attr in BANNED_REWRITES:
                used.append(f"{path.name}: {node.attr}")
    assert used == []


def test_no_module_keeps_mutable_state() -> None:
    """Lets a module hold tables in capitals, if nothing in it changes them."""
    kept = []
    for path, tree in trees():
        tables = {
            ast.unparse(target)
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(node.value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        } - {"__all__"}
        kept += [f"{path.name}: {name}" for name in tables if not name.isupper()]
        kept += [f"{path.name}: {name}" for name in _changed(tree) & tables]
        kept += [f"{path.name}: global" for node in ast.walk(tree) if isinstance(node, ast.Global)]
    assert kept == []


def test_tests_have_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_nothing_names_the_machine_it_was_written_on() -> None:
    inside = Path.home() if Path.home() != Path("/root") else Path("/nowhere")
    forbidden = re.compile("|".join(map(re.escape, (f"{ROOT}/", f"{inside}/"))))
    guilty = [
        str(path.relative_to(ROOT))
        for path in committed()
        if forbidden.search(path.read_text(encoding="utf-8", errors="ignore"))
        and path != Path(__file__)
    ]
    assert guilty == []


def committed() -> list[Path]:
    """Returns the text files that git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    binary = {".png", ".db", ".parquet", ".ico"}
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix not in binary]


def _changed(tree: ast.Module) -> set[str]:
    """Returns the names whose value some statement changes in place."""
    changed: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                changed |= {ast.unparse(t.value) for t in targets if isinstance(t, ast.Subscript)}
            case ast.AugAssign(target=ast.Subscript(value=value)):
                changed.add(ast.unparse(value))
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in CHANGING:
                changed.add(ast.unparse(value))
    return changed
