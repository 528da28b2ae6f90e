"""Decides which commands there are and how their failures look."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from roundview.cli import (
    asking,
    auditing,
    bridging,
    catalogs,
    doctoring,
    identities,
    keys,
    policies,
    serving,
    sql,
    trino,
)
from roundview.cli.failures import tell
from roundview_catalog.errors import CatalogError, InternalError, RoundviewError

_JSON = "roundview.json"
_DEBUG = "roundview.debug"
_EXAMPLES = """\b
Examples:
  roundview demo
  roundview customer phone="+49 30 4007919"
  roundview customer order_number=INV-00012 --json
  roundview sql "SELECT count(*) FROM sales_order"
  roundview sources
  roundview check my-catalog

\b
Exit codes: 0 an answer (a partial one too), 1 the catalog is wrong, 2 the request is wrong,
3 not allowed, 4 a source failed, 5 the engine failed, 6 the identifier leads to no single
customer, 70 our fault, 130 stopped by Ctrl-C."""


class _Front(TyperGroup):
    """Turns every failure into one line and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_JSON] = "--json" in args
        ctx.meta[_DEBUG] = False
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RoundviewError as error:
            if ctx.meta[_DEBUG]:
                raise
            code = _report(error, as_json=ctx.meta[_JSON], statement=ctx.meta.get(sql.STATEMENT))
            raise typer.Exit(code) from None
        except Exception as error:
            # Exit, Abort and usage errors of the command line library carry their exit code.
            expected = hasattr(error, "exit_code") or isinstance(error, BrokenPipeError)
            if expected or ctx.meta[_DEBUG] or isinstance(error, typer.Abort):
                raise
            unexpected = InternalError(
                f"unexpected {type(error).__name__}", hint="run roundview --debug … and report it"
            )
            raise typer.Exit(_report(unexpected, as_json=ctx.meta[_JSON])) from None


app = typer.Typer(
    cls=_Front,
    help="A live view of a customer over the systems that already hold the data.",
    epilog=_EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def front(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a failure.")
    ] = False,
) -> None:
    """Reads the options that stand before a command."""
    context.meta[_DEBUG] = debug


app.command("demo", epilog=serving.DEMO_EXAMPLES)(serving.demo)
app.command("serve", epilog=serving.SERVE_EXAMPLES)(serving.serve)
app.command("check", epilog=catalogs.CHECK_EXAMPLES)(catalogs.check)
app.command("introspect", epilog=catalogs.INTROSPECT_EXAMPLES)(catalogs.introspect)
app.command("doctor", epilog=doctoring.DOCTOR_EXAMPLES)(doctoring.doctor)
app.command("schemas", epilog=catalogs.SCHEMAS_EXAMPLES)(catalogs.schemas)
app.command("customer", epilog=asking.CUSTOMER_EXAMPLES)(asking.customer)
app.command("sources", epilog=asking.SOURCES_EXAMPLES)(asking.sources)
app.command("sql", epilog=sql.SQL_EXAMPLES)(sql.sql)
app.command("explain", epilog=sql.EXPLAIN_EXAMPLES)(sql.explain)
app.command("thrift-bridge", epilog=bridging.BRIDGE_EXAMPLES)(bridging.thrift_bridge)
app.add_typer(identities.app, name="identity")
app.add_typer(auditing.app, name="audit")
app.add_typer(policies.app, name="policy")
app.add_typer(trino.app, name="trino")
app.add_typer(keys.app, name="key")


def _report(error: RoundviewError, *, as_json: bool, statement: str | None = None) -> int:
    """Says on standard error what failed, with `--json` also as JSON; returns the exit code."""
    tell(error, statement)
    candidates = error.extensions.get("candidates", ())
    problems = error.problems if isinstance(error, CatalogError) else ()
    if as_json:
        from roundview.output import print_json

        print_json(
            {
                "error": {
                    "code": error.code,
                    "message": error.message,
                    "hint": error.hint,
                    "retryable": error.retryable,
                    "candidates": [
                        {"customer_id": one.customer_id, "hint": one.hint} for one in candidates
                    ],
                    "problems": [str(problem) for problem in problems],
                }
            }
        )
    return error.row.exit
