"""Decides the commands that ask in SQL and say how such a question is answered."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from roundview.cli.options import (
    CatalogOption,
    EmergencyOption,
    PurposeOption,
    ReasonOption,
)
from roundview_catalog.errors import RequestError

SQL_EXAMPLES = """\b
Examples:
  roundview sql "SELECT source, count(*) FROM sales_order GROUP BY source"
  roundview sql "SELECT * FROM lookup('email', 'anna@mail.example')"
  roundview sql --file report.sql --output report.parquet --timeout 5m
  roundview sql --format csv < report.sql
  roundview sql

\b
Without a statement, in a terminal, it is a shell: \\? lists its commands."""
EXPLAIN_EXAMPLES = """\b
Examples:
  roundview explain "SELECT full_name FROM individual WHERE family_name = 'Vogt'"
  roundview explain --analyze --file report.sql
  roundview explain --format mermaid --file report.sql"""

STATEMENT = "roundview.statement"
"""Where the statement stands that an error may point into."""

_LONGEST_TEXT = 1 << 20
_INTERRUPTED = 130


class Engine(StrEnum):
    """What may finish a question."""

    AUTO = "auto"
    DIRECT = "direct"
    EMBEDDED = "embedded"
    TRINO = "trino"


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


class Picture(StrEnum):
    """How an explanation is written."""

    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"


StatementArgument = Annotated[
    str | None, typer.Argument(metavar="SELECT…", help="The question; default: standard input.")
]
EngineOption = Annotated[Engine, typer.Option("--engine", help="What finishes the question.")]
FileOption = Annotated[Path | None, typer.Option("--file", help="File of the question.")]
AllowScanOption = Annotated[
    bool, typer.Option("--allow-scan", help="Read more of a source than its limits say.")
]
PartialOption = Annotated[
    bool, typer.Option("--partial", help="Answer without the sources that fail, and name them.")
]
TimeoutOption = Annotated[
    str | None, typer.Option("--timeout", metavar="TIME", help="Deadline: 800ms, 30s, 5m.")
]


def sql(
    context: typer.Context,
    statement: StatementArgument = None,
    file: FileOption = None,
    form: Annotated[Form | None, typer.Option("--format", help="Default: table.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="File for the answer; its ending is a format.")
    ] = None,
    engine: EngineOption = Engine.AUTO,
    allow_scan: AllowScanOption = False,
    partial: PartialOption = False,
    timeout: TimeoutOption = None,
    purpose: PurposeOption = "",
    reason: ReasonOption = "",
    emergency: EmergencyOption = False,
    max_rows: Annotated[int, typer.Option(min=1, help="Most rows of a table.")] = 200,
    history: Annotated[
        Path | None, typer.Option("--history", help="File that keeps what is typed in the shell.")
    ] = None,
    catalog: CatalogOption = None,
) -> None:
    """Ask anything in SQL, live from every source."""
    from roundview.cli.questions import Asker, Why
    from roundview.client import connect

    chosen, seconds = _form(form, output), _seconds(timeout)
    is_shell = statement is None and file is None and sys.stdin.isatty()
    text = "" if is_shell else _text(context, statement, file)
    try:
        with connect(catalog) as connection:
            asker = Asker(
                connection,
                engine.value,
                allow_scan,
                partial,
                seconds,
                Why(purpose, reason, emergency),
                max_rows,
            )
            if is_shell:
                from roundview.cli.shell import Shell

                Shell(asker, chosen.value).run(history)
            else:
                asker.answer(text, chosen.value, output)
    except KeyboardInterrupt:
        raise _stopped() from None


def explain(
    context: typer.Context,
    statement: StatementArgument = None,
    file: FileOption = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Ask it too, and say what each source sent.")
    ] = False,
    form: Annotated[Picture, typer.Option("--format", help="How to say it.")] = Picture.TEXT,
    engine: EngineOption = Engine.AUTO,
    allow_scan: AllowScanOption = False,
    partial: PartialOption = False,
    timeout: TimeoutOption = None,
    purpose: PurposeOption = "",
    reason: ReasonOption = "",
    emergency: EmergencyOption = False,
    catalog: CatalogOption = None,
) -> None:
    """Say how a question in SQL is answered: what each source is asked, and why so."""
    from roundview.cli.questions import Asker, Why
    from roundview.client import connect
    from roundview.output import print_json
    from roundview_federation.sql.explained import as_mermaid, as_text

    text, seconds = _text(context, statement, file), _seconds(timeout)
    try:
        with connect(catalog) as connection:
            why = Why(purpose, reason, emergency)
            asker = Asker(connection, engine.value, allow_scan, partial, seconds, why)
            told = asker.explain(text, analyze=analyze)
    except KeyboardInterrupt:
        raise _stopped() from None
    if form is Picture.JSON:
        print_json(told.as_dict())
    else:
        typer.echo(as_text(told) if form is Picture.TEXT else as_mermaid(told), nl=False)


def _text(context: typer.Context, statement: str | None, file: Path | None) -> str:
    """Returns the question from the one place where it is."""
    if statement is not None and file is not None:
        raise RequestError("there are two questions", hint="give a statement or --file, not both")
    if statement is not None:
        text = statement
    else:
        try:
            data = (
                sys.stdin.buffer.read(_LONGEST_TEXT + 1)
                if file is None
                else _head(file, _LONGEST_TEXT + 1)
            )
            text = data.decode("utf-8-sig")
        except OSError as error:
            reason = error.strerror or "check its path"
            raise RequestError("the file cannot be read", hint=reason) from None
        except UnicodeDecodeError:
            raise RequestError("the question is not text in UTF-8") from None
    if len(text) > _LONGEST_TEXT:
        raise RequestError("the question is longer than 1 MiB", code="RV127")
    context.meta[STATEMENT] = text
    return text


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _seconds(timeout: str | None) -> float | None:
    from roundview_catalog.durations import seconds

    try:
        return None if timeout is None else seconds(timeout)
    except ValueError as error:
        raise RequestError("--timeout is no duration", code="RV105", hint=str(error)) from None


def _form(form: Form | None, output: Path | None) -> Form:
    """Returns the format that is meant; refuses what a terminal or a file cannot take."""
    ending = output.suffix.lower().removeprefix(".") if output is not None else ""
    if form is None and output is not None:
        if ending not in set(Form) - {Form.TABLE}:
            raise RequestError(
                "the ending of the output file is no format",
                hint="name it .json, .csv, .parquet or .arrow, or give --format",
            )
        form = Form(ending)
    form = form or Form.TABLE
    if form is Form.TABLE and output is not None:
        raise RequestError("a table goes to standard output", hint="--format csv")
    if form in (Form.PARQUET, Form.ARROW) and output is None and sys.stdout.isatty():
        raise RequestError(f"{form.value} is no text for a terminal", hint="--output FILE")
    return form


def _stopped() -> typer.Exit:
    typer.echo("cancelled", err=True)
    return typer.Exit(_INTERRUPTED)
