"""Decides how one question in SQL is asked and shown, from a command or from the shell."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from roundview.client import Connection
    from roundview_federation.sql.explanation import Explanation

_MORE = " (--max-rows, or another --format)"


@dataclass(frozen=True, slots=True)
class Why:
    """What questions are for; an emergency breaks the glass, which needs a reason."""

    purpose: str = ""
    reason: str = ""
    is_emergency: bool = False


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks questions of one connection, all in one way; `max_rows` bounds a table."""

    connection: Connection
    engine: str = "auto"
    allow_scan: bool = False
    partial: bool = False
    timeout_seconds: float | None = None
    why: Why = Why()
    max_rows: int = 200

    def answer(
        self, text: str, form: str, output: Path | None = None, *, is_timed: bool = True
    ) -> None:
        """Asks and writes the answer; says on standard error what it took and what is missing."""
        from roundview.progress import waiting
        from roundview.sql.tables import Shown, footer, show_answer

        started = time.perf_counter()
        with waiting("asking the sources"):
            answer = self.connection.sql(
                text,
                engine=self.engine,
                allow_scan=self.allow_scan,
                partial=self.partial,
                timeout_seconds=self.timeout_seconds,
                purpose=self.why.purpose,
                reason=self.why.reason,
                emergency=self.why.is_emergency,
            )
        with answer:
            if form == "table":
                shown = show_answer(answer, self.max_rows)
            else:
                # Imported here: a table needs no Parquet.
                from roundview.sql.writing import opened, write

                with opened(output) as out:
                    shown = Shown(write(answer, form, out), has_more=False)
            took = time.perf_counter() - started if is_timed else None
            first, *missing = footer(answer, shown, took)
        # In a pipe only what is wrong with the answer is worth a line.
        if form == "table" or output is not None or sys.stderr.isatty():
            typer.echo(first + (_MORE if shown.has_more else ""), err=True)
        for line in missing:
            typer.echo(line, err=True)

    def explain(self, text: str, *, analyze: bool = False) -> Explanation:
        """Says how a question is answered."""
        from roundview.progress import waiting

        with waiting("asking the sources" if analyze else "planning"):
            return self.connection.explain_sql(
                text,
                analyze=analyze,
                engine=self.engine,
                allow_scan=self.allow_scan,
                partial=self.partial,
                timeout_seconds=self.timeout_seconds,
                purpose=self.why.purpose,
                reason=self.why.reason,
                emergency=self.why.is_emergency,
            )
