"""Decides what the interactive SQL shell does with each line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import typer
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from roundview.cli.failures import tell
from roundview.output import console, show_rows
from roundview.sql.completion import Vocabulary, choices, is_complete, vocabulary
from roundview_catalog.errors import RequestError, RoundviewError
from roundview_federation.dialect.functions import NAMES
from roundview_federation.sql.explained import as_text

if TYPE_CHECKING:
    from roundview.cli.questions import Asker

_HELP = """\
SELECT …;           ask; a question ends with a semicolon
\\d                  list the relations
\\d RELATION         list the columns of one
\\explain SELECT …   say how a question would be answered
\\timing             say, or no longer say, how long answers take
\\format FORMAT      write answers as table, json or csv
\\?                  this list
\\q                  leave (also Ctrl-D); Ctrl-C stops a question"""
_FORMS = ("table", "json", "csv")
_PRIVATE = 0o600


class Shell:
    """Reads questions and commands from the terminal until it is left."""

    def __init__(self, asker: Asker, form: str = "table") -> None:
        self._asker = asker
        why = asker.why
        self._relations = asker.connection.relations(why.purpose, emergency=why.is_emergency)
        self._form = form if form in _FORMS else "table"
        self._is_timed = True

    def run(self, history: Path | None = None) -> None:
        """Asks for lines until `\\q` or the end of input.

        What was typed is remembered until then, and kept only in a `history` that was asked for:
        questions hold values of customers. Answers are never kept.
        """
        typer.echo("Ask in SQL, end with a semicolon. \\? helps, \\q leaves.", err=True)
        session: PromptSession[str] = PromptSession(
            history=_history(history),
            completer=_Completer(vocabulary(self._relations, sorted(NAMES))),
            complete_while_typing=False,
            multiline=Condition(lambda: not is_complete(get_app().current_buffer.text)),
            prompt_continuation="        -> ",
        )
        while True:
            try:
                line = session.prompt("roundview> ").strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if line in ("\\q", "\\quit", "exit;", "quit;"):
                return
            self.take(line)

    def take(self, line: str) -> None:
        """Does what one complete line says; failures are told and end nothing."""
        statement = line.rstrip().removesuffix(";")
        try:
            if line.startswith("\\"):
                name, _, argument = line.partition(" ")
                statement = argument.strip().removesuffix(";")
                _COMMANDS.get(name, Shell._unknown)(self, statement)
            elif statement.strip():
                self._asker.answer(statement, self._form, is_timed=self._is_timed)
        except RoundviewError as error:
            tell(error, statement)
        except KeyboardInterrupt:
            typer.echo("cancelled", err=True)

    def _describe(self, relation: str) -> None:
        if not relation:
            rows = [(name, len(columns)) for name, columns in self._relations.items()]
            show_rows(("relation", "columns"), rows, console())
            return
        columns = self._relations.get(relation.lower())
        if columns is None:
            raise RequestError("there is no such relation", code="RV121", hint="\\d lists them")
        show_rows(("column", "type"), columns.items(), console())

    def _explain(self, statement: str) -> None:
        typer.echo(as_text(self._asker.explain(statement)), nl=False)

    def _time(self, _: str) -> None:
        self._is_timed = not self._is_timed
        typer.echo(f"timing is {'on' if self._is_timed else 'off'}", err=True)

    def _choose_form(self, form: str) -> None:
        if form not in _FORMS:
            hint = f"one of {', '.join(_FORMS)}; files are written by roundview sql --output"
            raise RequestError("the shell writes no such format", hint=hint)
        self._form = form

    def _help(self, _: str) -> None:
        typer.echo(_HELP)

    def _unknown(self, _: str) -> None:
        raise RequestError("there is no such command", code="RV102", hint="\\? lists them")


class _Completer(Completer):
    def __init__(self, known: Vocabulary) -> None:
        self._known = known

    def get_completions(self, document: Document, _: CompleteEvent) -> Iterator[Completion]:
        before = document.text_before_cursor
        if before.startswith("\\d "):
            before = f"FROM {before[3:]}"
        for one in choices(before, document.text_after_cursor, self._known):
            yield Completion(one.word, -one.typed, display_meta=one.kind)


def _history(path: Path | None) -> History:
    if path is None:
        return InMemoryHistory()
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE))
        path.chmod(_PRIVATE)
    except OSError as error:
        raise RequestError(
            "the history cannot be written", hint=error.strerror or "check its path"
        ) from None
    return FileHistory(path)


_COMMANDS: Mapping[str, Callable[[Shell, str], None]] = MappingProxyType(
    {
        "\\d": Shell._describe,
        "\\explain": Shell._explain,
        "\\timing": Shell._time,
        "\\format": Shell._choose_form,
        "\\?": Shell._help,
    }
)
