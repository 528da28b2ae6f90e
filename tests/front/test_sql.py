"""Proves what the front door does with SQL: answers in every format, failures at their place."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from roundview import Connection, RequestError, SourceError, connect, connect_async
from roundview.cli import app
from roundview.demo import estate, support
from roundview.demo.estate import Estate
from roundview.demonstration import write_env
from roundview_catalog.errors import CODES

Run = Callable[..., Result]

ODD = """SELECT 1 AS a, 'x,"y' AS a, NULL AS nothing, '' AS empty, true AS yes,
  CAST(12345678901 AS bigint) AS big, CAST(1.5 AS numeric(10, 4)) AS money,
  CAST('NaN' AS double precision) AS odd, CAST(0.5 AS double precision) AS half,
  DATE '2024-02-29' AS day, TIMESTAMPTZ '2024-02-29 12:00:00.5+02:00' AS at,
  INTERVAL '14 months -3 days 4 hours' AS later, ARRAY[1, 2] AS list"""
JOINED = """SELECT i.full_name, o.grand_total FROM individual i
  JOIN sales_order o ON o.customer_id = i.customer_id WHERE i.family_name = 'Vogt'"""


@pytest.fixture(scope="module")
def linked(made_estate: Estate) -> Estate:
    """Returns the estate after its identities were linked."""
    with connect(made_estate.catalog) as connection:
        connection.refresh_identity()
    return made_estate


@pytest.fixture
def run(linked: Estate, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Returns `run(*args, input=…)`: a command over the estate's catalog."""
    monkeypatch.setenv("ROUNDVIEW_CATALOG", str(linked.catalog))
    return lambda *args, **more: CliRunner().invoke(app, args, prog_name="roundview", **more)


@pytest.fixture(scope="module")
def connection(linked: Estate) -> Iterator[Connection]:
    with connect(linked.catalog) as opened:
        yield opened


# -- the command -------------------------------------------------------------------------------


def test_a_table_says_what_it_took(run: Run) -> None:
    result = run("sql", "SELECT source, count(*) AS orders FROM sales_order GROUP BY source")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].split() == ["source", "orders"]
    assert "1 row ·" in result.stderr
    assert result.stderr.endswith(" rows fetched · embedded\n")


def test_tables_tell_null_from_nothing_and_end_somewhere(run: Run) -> None:
    result = run("sql", "SELECT 'e' || '' AS a, NULL AS b")
    assert result.stdout.splitlines()[2].split() == ["e", "NULL"]
    result = run("sql", "SELECT source_key FROM sales_order", "--max-rows", "2")
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr.startswith("first 2 rows, there are more")


def test_values_do_not_steer_a_terminal(run: Run) -> None:
    result = run("sql", "SELECT 'a' || chr(27) || '[31mb' || chr(8238) || 'c' AS x")
    assert result.exit_code == 0, result.stderr
    assert "a [31mb c" in result.stdout
    assert "\x1b" not in result.stdout


def test_json_keeps_every_value(run: Run) -> None:
    (row,) = json.loads(run("sql", ODD, "--format", "json").stdout)
    assert row == {
        "a": 1, "a_2": 'x,"y', "nothing": None, "empty": "", "yes": True, "big": "12345678901",
        "money": "1.5000", "odd": "NaN", "half": 0.5, "day": "2024-02-29",
        "at": "2024-02-29T10:00:00.500000Z", "later": "1 year 2 mons -3 days +04:00:00",
        "list": [1, 2],
    }  # fmt: skip
    assert json.loads(run("sql", "SELECT 1 WHERE false", "--format", "json").stdout) == []


def test_csv_is_read_back(run: Run) -> None:
    said = run("sql", ODD, "--format", "csv").stdout_bytes.decode()
    names, values = csv.reader(io.StringIO(said, newline=""), strict=True)
    assert names[:4] == ["a", "a", "nothing", "empty"]
    assert values == [
        "1", 'x,"y', "", "", "true", "12345678901", "1.5000", "NaN", "0.5", "2024-02-29",
        "2024-02-29T10:00:00.500000Z", "1 year 2 mons -3 days +04:00:00", "[1,2]",
    ]  # fmt: skip
    assert said.splitlines()[1].startswith('1,"x,""y",,"",true,')
    assert said.endswith("\r\n")


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_binary_files_are_read_back(run: Run, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"answer.{form}"
    result = run("sql", ODD, "--output", str(path))
    assert result.exit_code == 0, result.stderr
    assert "1 row ·" in result.stderr
    table = pq.read_table(path) if form == "parquet" else pa.ipc.open_stream(path).read_all()
    (row,) = table.drop_columns(["odd", "later"]).to_pylist()
    assert row == {
        "a": 1, "a_2": 'x,"y', "nothing": None, "empty": "", "yes": True, "big": 12345678901,
        "money": Decimal("1.5000"), "half": 0.5, "day": date(2024, 2, 29),
        "at": datetime(2024, 2, 29, 10, 0, 0, 500_000, UTC), "list": [1, 2],
    }  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", ["json", "csv", "parquet", "arrow"])
def test_all_formats_hold_the_same_rows(
    run: Run, connection: Connection, tmp_path: Path, form: str
) -> None:
    question = "SELECT source_key, grand_total FROM sales_order ORDER BY source_key"
    path = tmp_path / f"orders.{form}"
    assert run("sql", question, "--output", str(path)).exit_code == 0
    rows: list[list[str | None]]
    if form == "json":
        rows = [list(one.values()) for one in json.loads(path.read_bytes())]
    elif form == "csv":
        with path.open(newline="") as file:
            rows = [[v or None for v in row] for row in csv.reader(file)][1:]
    else:
        read = pq.read_table(path) if form == "parquet" else pa.ipc.open_stream(path).read_all()
        rows = [[one["source_key"], _text(one["grand_total"])] for one in read.to_pylist()]
    assert rows == [[key, _text(total)] for key, total in connection.sql(question)]
    assert len(rows) > 100


def test_a_failed_question_leaves_no_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("before")
    question = "SELECT 10 / (length(source_key) - length(source_key)) FROM sales_order"
    assert run("sql", question, "--output", str(path)).exit_code != 0
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["orders.csv"]


def test_questions_come_from_files_and_pipes(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "question.sql"
    path.write_text("\ufeffSELECT 'grün' AS x", encoding="utf-8")
    told = '[\n{"x":"grün"}\n]\n'
    assert run("sql", "--file", str(path), "--format", "json").stdout == told
    assert run("sql", "--format", "json", input="SELECT 'grün' AS x").stdout == told


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (("SELECT frm FROM individual",), "RV122", "LINE 1: SELECT frm FROM individual\n               ^\n"),
        (("SELECT 1,\n  x FROM nowhere",), "RV121", "LINE 2:   x FROM nowhere\n                 ^\n"),
        (("SELECT 1 +",), "RV120", "LINE 1: SELECT 1 +\n"),
        (("DROP TABLE individual",), "RV103", "LINE 1: DROP TABLE individual\n        ^\n"),
        (("",), "RV120", ""),
        (("SELECT 1 AS one", "--engine", "direct"), "RV103", ""),
        (("SELECT 1", "--timeout", "soon"), "RV105", ""),
        (("SELECT 1", "--file", "x.sql"), "RV100", ""),
        (("--file", "nowhere.sql"), "RV100", ""),
        (("SELECT 1", "--output", "x.txt"), "RV100", ""),
        (("SELECT 1", "--output", "x.csv", "--format", "table"), "RV100", ""),
        (("SELECT 1", "--output", "nowhere/x.csv"), "RV100", ""),
        (("SELECT 1", "--purpose", "curiosity"), "RV301", ""),
    ],
)  # fmt: skip
def test_failures_are_told_with_their_place(
    run: Run, args: tuple[str, ...], code: str, line: str
) -> None:
    result = run("sql", *args)
    assert (result.exit_code, result.stdout) == (CODES[code].exit, "")
    assert result.stderr.startswith(f"{code} ")
    assert line in result.stderr


def test_no_text_is_no_question(run: Run) -> None:
    result = run("sql", input=b"\xff\xfe")
    assert result.exit_code == 2
    assert result.stderr == "RV100 the question is not text in UTF-8\n"


def test_engines_can_be_chosen(run: Run) -> None:
    question = "SELECT source_key FROM sales_order ORDER BY 1 LIMIT 3"
    answers = {}
    for engine in ("auto", "direct", "embedded"):
        result = run("sql", question, "--engine", engine, "--format", "csv")
        assert result.exit_code == 0, result.stderr
        answers[engine] = result.stdout
    assert answers["auto"] == answers["direct"] == answers["embedded"]
    assert run("sql", question, "--engine", "embedded").stderr.endswith("· embedded\n")
    assert run("sql", question, "--engine", "direct").stderr.endswith("· direct\n")


def test_a_question_is_explained(run: Run) -> None:
    said = run("explain", JOINED).stdout
    assert "read r0: individual" in said
    assert "skips     mail.individual" in said
    assert "by        customers: " in said
    told = json.loads(run("explain", JOINED, "--analyze", "--format", "json").stdout)
    assert told["rows_needed"] <= told["rows_fetched"]
    assert told["reads"][1]["waits_for"] == ["r0"]
    diagram = run("explain", "--format", "mermaid", input=JOINED).stdout
    assert diagram.startswith("flowchart LR\n")
    assert "read0 -. keys .-> read1" in diagram
    assert 'source0[("crm")]' in diagram
    assert "rows fetched" in run("explain", JOINED, "--analyze").stdout
    wrong = run("explain", "SELECT frm FROM individual")
    assert (wrong.exit_code, wrong.stdout) == (2, "")


def test_sources_that_fail_are_named(tmp_path: Path) -> None:
    made = estate.make(tmp_path, 30)
    process = support.start(made.directory)
    write_env(made.directory, process)
    process.stop()
    question = "SELECT source, count(*) FROM support_case GROUP BY source"

    def ask(*more: str) -> Result:
        args = ["sql", question, "--catalog", str(made.catalog), *more]
        return CliRunner().invoke(app, args, prog_name="roundview")

    failed = ask()
    assert failed.exit_code == 4
    assert failed.stderr.startswith("RV40")
    partial = ask("--partial", "--format", "json")
    assert (partial.exit_code, json.loads(partial.stdout)) == (0, [])
    assert partial.stderr.startswith("missing: support RV40")
    with connect(made.catalog) as opened:
        with pytest.raises(SourceError):
            opened.sql(question)
        answer = opened.sql(question, partial=True)
        assert (answer.rows(), answer.missing, answer.complete) == ([], ("support",), False)


def test_asking_about_one_customer_loads_no_arrow(linked: Estate) -> None:
    code = (
        "import sys; from roundview.cli import app; from typer.testing import CliRunner\n"
        "done = CliRunner().invoke(app, sys.argv[1:])\n"
        "assert done.exit_code == 0, done.stderr\n"
        "print(*sys.modules)"
    )
    for args in (["--help"], ["sql", "--help"], ["customer", "loyalty_no=RC10004711"]):
        loaded = subprocess.run(
            [sys.executable, "-c", code, *args],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "ROUNDVIEW_CATALOG": str(linked.catalog)},
        )
        heavy = {"pyarrow", "prompt_toolkit", "pandas"} | (
            {"duckdb"} if "--help" in args else set()
        )
        assert heavy & set(loaded.stdout.split()) == set()


# -- Python ------------------------------------------------------------------------------------


def test_rows_are_tuples_with_names(connection: Connection) -> None:
    answer = connection.sql("SELECT 1 AS a, 'x' AS a, CAST(1.5 AS numeric(4, 2)) AS b")
    assert answer.columns == ("a", "a", "b")
    assert answer.types == ("integer", "text", "numeric")
    assert answer.schema.names == ["a", "a_2", "b"]
    assert list(answer) == [(1, "x", Decimal("1.50"))]
    assert list(answer) == []
    assert answer.complete
    assert (answer.engine, answer.rows_fetched) == ("embedded", 0)


def test_answers_are_arrow(connection: Connection) -> None:
    question = "SELECT source_key AS k, grand_total FROM sales_order"
    table = connection.sql(question).arrow()
    batches = list(connection.sql(question, engine="embedded").batches())
    assert table.num_rows == sum(batch.num_rows for batch in batches) > 100
    assert table.schema == batches[0].schema
    assert connection.sql("SELECT 1 AS a WHERE false").arrow().schema.names == ["a"]


def test_answers_can_be_left(connection: Connection) -> None:
    question = "SELECT a.source_key FROM sales_order a CROSS JOIN sales_order b"
    for _ in range(4):
        with connection.sql(question) as answer:
            assert next(iter(answer))
    for _ in range(4):
        assert next(iter(connection.sql(question)))
    assert connection.sql("SELECT 1").rows() == [(1,)]


def test_what_can_be_asked_is_listed(connection: Connection) -> None:
    relations = connection.relations()
    assert relations["sales_order"]["grand_total"] == "numeric"
    assert relations["sales_order"]["ordered_at"] == "timestamp with time zone"


def test_questions_are_explained(connection: Connection) -> None:
    told = connection.explain_sql(JOINED, analyze=True)
    assert [read.relation for read in told.reads] == ["individual", "sales_order"]
    assert told.rows_needed == len(connection.sql(JOINED).rows())


def test_engines_have_names(connection: Connection) -> None:
    with pytest.raises(RequestError) as refused:
        connection.sql("SELECT 1", engine="trino-ish")
    assert refused.value.code == "RV102"


async def test_the_same_with_await(linked: Estate, connection: Connection) -> None:
    async with connect_async(linked.catalog) as opened:
        answer = await opened.sql(JOINED)
        rows = [row async for row in answer]
        assert answer.columns == ("full_name", "grand_total")
        table = await (await opened.sql(JOINED)).arrow()
        async with await opened.sql(JOINED) as left:
            assert left.rows_fetched > 0
        told = await opened.explain_sql(JOINED)
    assert sorted(rows) == sorted(connection.sql(JOINED))
    assert table.num_rows == len(rows)
    assert told.rows_fetched is None


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")
