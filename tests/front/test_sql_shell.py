"""Proves what people meet who ask in a terminal: the shell, completion, Ctrl-C."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.front.conftest import shell_env
from tests.front.terminal import Terminal, terminal

from roundview.client import connect
from roundview.demo.estate import Estate
from roundview.sql.completion import choices, is_complete, vocabulary

LONG = "SELECT count(*) FROM sales_order a, sales_order b, sales_order c, sales_order d"
KNOWN = vocabulary(
    {
        "individual": {"customer_id": "text", "full_name": "text"},
        "sales_order": {"customer_id": "text", "grand_total": "numeric"},
    },
    ("CEIL", "UPPER"),
)


@pytest.fixture(scope="module")
def linked(made_estate: Estate) -> Estate:
    with connect(made_estate.catalog) as connection:
        connection.refresh_identity()
    return made_estate


@pytest.fixture(scope="module")
def shell(linked: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Returns one shell that tests type into; each leaves it at its prompt."""
    folder = tmp_path_factory.mktemp("shell")
    command = ("roundview", "sql", "--catalog", str(linked.catalog), "--history", "typed")
    with terminal(*command, cwd=folder, env=shell_env()) as opened:
        opened.until("roundview>")
        yield opened
        opened.type("\\q\r")
        assert opened.ended() == 0
        typed = folder / "typed"
        assert "SELECT 41 + 1 AS sum" in typed.read_text()
        assert stat.S_IMODE(typed.stat().st_mode) == 0o600


def test_statements_may_have_several_lines(shell: Terminal) -> None:
    shell.type("SELECT 41 + 1 AS sum\r")
    shell.until("->")
    shell.type(";\r")
    said = shell.until("embedded")
    assert "42" in said
    assert "1 row ·" in said
    shell.until("roundview>")


def test_relations_and_columns_are_described(shell: Terminal) -> None:
    shell.type("\\d\r")
    assert "sales_order" in shell.until("support_case")
    shell.type("\\d sales_order\r")
    shell.until("grand_total")
    shell.type("\\d nowhere\r")
    shell.until("RV121 there is no such relation")
    shell.until("roundview>")


def test_tab_completes(shell: Terminal) -> None:
    shell.type("SELECT full_na\t")
    shell.until("full_name")
    shell.type(" FROM indiv\t")
    shell.until("individual")
    shell.type(" LIMIT 1;\r")
    assert "1 row ·" in shell.until("direct")
    shell.until("roundview>")


def test_mistakes_are_pointed_at_and_end_nothing(shell: Terminal) -> None:
    shell.type("SELECT nothing FROM individual;\r")
    shell.until("RV122")
    shell.until("LINE 1: SELECT nothing FROM individual")
    shell.until("roundview>")


def test_commands_change_how_answers_are_told(shell: Terminal) -> None:
    shell.type("\\format json\r")
    shell.until("roundview>")
    shell.type("\\timing\r")
    shell.until("timing is off")
    shell.type("SELECT 5 AS five;\r")
    shell.until('{"five":5}')
    shell.until("1 row · 0 rows fetched")
    shell.type("\\format table\r")
    shell.until("roundview>")
    shell.type("\\timing\r")
    shell.until("timing is on")
    shell.type("\\nonsense\r")
    shell.until("RV102 there is no such command")
    shell.type("\\explain SELECT full_name FROM individual\r")
    shell.until("read r0: individual")
    shell.until("roundview>")


def test_ctrl_c_stops_the_question_not_the_shell(shell: Terminal) -> None:
    shell.type(f"{LONG};\r")
    shell.until("asking the sources")
    shell.type("\x03")
    shell.until("cancelled")
    shell.type("SELECT 7 * 6 AS answer;\r")
    assert "42" in shell.until("1 row ·")
    shell.until("roundview>")


def test_ctrl_c_ends_a_command_with_its_exit_code(linked: Estate, tmp_path: Path) -> None:
    command = ("roundview", "sql", LONG, "--catalog", str(linked.catalog), "--timeout", "5m")
    with terminal(*command, cwd=tmp_path, env=shell_env()) as running:
        running.until("asking the sources")
        running.type("\x03")
        running.until("cancelled")
        assert running.ended() == 130


def test_what_is_no_text_stays_off_terminals(linked: Estate, tmp_path: Path) -> None:
    command = ("roundview", "sql", "SELECT 1", "--format", "parquet")
    with terminal(*command, cwd=tmp_path, env=shell_env()) as running:
        running.until("RV100 parquet is no text for a terminal")
        assert running.ended() == 2


def test_answers_fit_narrow_terminals(linked: Estate, tmp_path: Path) -> None:
    question = "SELECT * FROM sales_order LIMIT 1"
    command = ("roundview", "sql", question, "--catalog", str(linked.catalog))
    with terminal(*command, cwd=tmp_path, env=shell_env(), columns=60) as running:
        said = running.until("1 row ·")
    assert "row 1" in said
    assert "grand_total" in said
    assert max(len(line.rstrip()) for line in said.splitlines()) <= 60


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("SELECT o.gr", " FROM sales_order o", ["grand_total"]),
        ("SELECT full", "", ["full_name", "FULL"]),
        ("SELECT * FROM ", "", ["individual", "sales_order", "lookup"]),
        ("SELECT * FROM sales_order JOIN ind", "", ["individual"]),
        ("SELECT cei", "", ["ceil"]),
        ("SELECT 'full", "", []),
        ("SELECT 'it''s', full_n", "", ["full_name"]),
        ("SELECT x.", " FROM nowhere x", []),
        ("SELECT i.customer_id FROM individual i WHERE i.f", "", ["full_name"]),
    ],
)
def test_what_can_be_next(before: str, after: str, words: list[str]) -> None:
    assert [one.word for one in choices(before, after, KNOWN)] == words


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("", True),
        ("\\d", True),
        ("SELECT 1", False),
        ("SELECT 1;", True),
        ("SELECT ';", False),
        ("SELECT ';' ", False),
        ("SELECT 1 -- ;", False),
        ("SELECT 1; -- done", True),
        ('SELECT 1 AS "a;', False),
    ],
)
def test_where_statements_end(text: str, is_whole: bool) -> None:
    assert is_complete(text) is is_whole
