"""Decides what every test run offers: golden files, servers, a list of what was not run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sql.stores import Servers

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--update-golden`."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the tests got into the golden files instead of comparing",
    )


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Tells whether golden files are written instead of compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def golden(update_golden: bool) -> Callable[[Path, str], None]:
    """Returns `check(path, text)`: compares text with a golden file, or writes it."""

    def check(path: Path, text: str) -> None:
        if update_golden:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path.name} is missing: run with --update-golden and read it"
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Starts the run's PostgreSQL and MariaDB."""
    # Most tests need none of what these bring.
    from tests.connectors import mariadb_server, postgres_server
    from tests.sql.stores import Servers

    for server in (postgres_server, mariadb_server):
        if server.binaries() is None:
            pytest.skip(server.MISSING)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (
        postgres_server.postgres_server(shared) as postgres,
        mariadb_server.mariadb_server(shared) as mariadb,
    ):
        yield Servers(postgres, mariadb)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fails a run under CI that skipped anything."""
    if exitstatus == pytest.ExitCode.OK and _must_run_all() and _not_run(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Lists what was not run and why."""
    if hasattr(config, "workerinput"):
        return
    missing = _not_run(config)
    if not missing:
        terminalreporter.write_line("everything that was collected was run")
        return
    title = "not run, which fails under CI=true" if _must_run_all() else "not run"
    terminalreporter.section(title)
    for reason in sorted(missing):
        names = sorted(set(missing[reason]))
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        terminalreporter.write_line(f"{len(missing[reason])} × {reason}: {shown}")


def _must_run_all() -> bool:
    return os.environ.get("CI", "").lower() == "true"


def _not_run(config: pytest.Config) -> dict[str, list[str]]:
    """Returns reason -> names of the tests and files that were skipped or deselected."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    missing: dict[str, list[str]] = {}
    if reporter is None:
        return missing
    for report in reporter.stats.get("skipped", []):
        longrepr = getattr(report, "longrepr", None)
        reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        missing.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    for item in reporter.stats.get("deselected", []):
        missing.setdefault("deselected on the command line", []).append(item.nodeid)
    return missing
