"""Proves that psql works unmodified."""

from __future__ import annotations

import asyncio
import subprocess

import pytest
from tests.clients.comparing import ALL
from tests.wire.served import Served


async def psql(dsn: str, *commands: str, options: tuple[str, ...] = ()) -> tuple[str, int, bool]:
    """Returns what psql writes of commands, its exit code, and whether it complains."""
    arguments = [part for command in commands for part in ("-c", command)]
    run = await asyncio.to_thread(
        subprocess.run,
        ["psql", "-X", "-At", *options, dsn, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
    )
    return run.stdout, run.returncode, bool(run.stderr)


async def says_the_same(
    served: Served, *commands: str, options: tuple[str, ...] = ()
) -> tuple[str, int, bool]:
    """Returns what psql says of both servers."""
    ours, theirs = await asyncio.gather(
        psql(served.ours, *commands, options=options),
        psql(served.theirs, *commands, options=options),
    )
    assert ours == theirs
    return ours


@pytest.mark.parametrize(
    "command",
    [ALL, "SELECT 1; SELECT 'a;b' AS x; SELECT 2", "", "-- nothing"],
    ids=["rows", "several statements", "nothing", "a comment"],
)
async def test_rows(served: Served, command: str) -> None:
    assert (await says_the_same(served, command))[1:] == (0, False)


async def test_gdesc(served: Served) -> None:
    asked = "SELECT ident AS a, city, budget, opened FROM depot \\gdesc"
    ours, theirs = await asyncio.gather(typed(served.ours, asked), typed(served.theirs, asked))
    assert ours == theirs
    assert ours[0] == "a|bigint\ncity|text\nbudget|numeric(12,2)\nopened|date\n"


@pytest.mark.parametrize(
    "command",
    [
        "\\d", "\\d+", "\\d depot", "\\d+ depot", "\\d c360.badge", "\\dt", "\\dt+ c360.*", "\\dv", "\\dm",
        "\\ds", "\\di", "\\di+", "\\dE", "\\dn", "\\dn+", "\\df", "\\da", "\\dT", "\\dT+",
        "\\du", "\\du+", "\\dp", "\\ddp", "\\drds", "\\dd", "\\db", "\\dc", "\\dC", "\\dD", "\\dconfig",
        "\\des", "\\deu", "\\det", "\\dew", "\\dF", "\\dFd", "\\dFp", "\\dFt", "\\dg", "\\dl", "\\dL",
        "\\do =", "\\dO", "\\dP", "\\dRp", "\\dRs", "\\dx", "\\dX", "\\dy", "\\dA", "\\dAc", "\\dAf",
        "\\dAo", "\\dAp", "\\l", "\\l+", "\\z", "\\conninfo", "\\encoding", "\\sv nothing",
    ],
)  # fmt: skip
async def test_backslash_commands(served: Served, command: str) -> None:
    shown, code, complains = await typed(served.ours, command)
    theirs = await typed(served.theirs, command.replace("c360", "public"))
    if command in ("\\di", "\\di+"):
        # Only our relations have keys.
        assert (code, complains) == (0, False)
    else:
        assert (code, complains) == theirs[1:], shown
    if command in ("\\d", "\\dt"):
        assert "c360|depot" in shown


async def typed(dsn: str, text: str) -> tuple[str, int, bool]:
    """Returns what psql writes of lines that are typed, its exit code, and whether it complains."""
    run = await asyncio.to_thread(
        subprocess.run,
        ["psql", "-X", "-At", "--set", "ON_ERROR_STOP=1", dsn],
        input=text,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return run.stdout, run.returncode, bool(run.stderr)


@pytest.mark.parametrize("count", ["1", "3", "1000"])
async def test_fetch_count(served: Served, count: str) -> None:
    options = ("--set", f"FETCH_COUNT={count}")
    shown, *_ = await says_the_same(served, ALL, options=options)
    assert shown.count("\n") == 12


@pytest.mark.parametrize(
    "command",
    [
        "COPY (SELECT ident, city, note FROM parcel p LEFT JOIN depot d USING (ident) ORDER BY ident)"
        " TO STDOUT",
        "COPY (SELECT ident, mark, city FROM depot ORDER BY 1) TO STDOUT (FORMAT csv, HEADER)",
        "COPY (SELECT ident, mark, city FROM depot ORDER BY 1)"
        " TO STDOUT (FORMAT csv, FORCE_QUOTE *, QUOTE '''')",
        "COPY (SELECT ident, city, mark FROM depot ORDER BY 1) TO STDOUT WITH NULL '-' DELIMITER '|'",
        "\\copy (SELECT code FROM depot ORDER BY ident) TO STDOUT CSV",
    ],
    ids=["text", "csv", "quoted", "signs", "\\copy"],
)
async def test_copy(served: Served, command: str) -> None:
    assert (await says_the_same(served, command))[1] == 0


async def test_copy_of_a_relation(served: Served) -> None:
    command = "COPY depot (ident, code) TO STDOUT"
    ours, theirs = await asyncio.gather(psql(served.ours, command), psql(served.theirs, command))
    assert sorted(ours[0].splitlines()) == sorted(theirs[0].splitlines())


@pytest.mark.parametrize(
    "commands",
    [
        ("PREPARE p (bigint) AS SELECT code FROM depot WHERE ident = $1", "EXECUTE p(3)",
         "DEALLOCATE p"),
        ("SET application_name = 'x'", "SHOW application_name", "RESET ALL",
         "SHOW application_name"),
        ("BEGIN", "SET LOCAL statement_timeout = '5min'", "SHOW statement_timeout", "COMMIT",
         "SHOW statement_timeout"),
    ],
    ids=["PREPARE", "SET", "SET LOCAL"],
)  # fmt: skip
async def test_sessions(served: Served, commands: tuple[str, ...]) -> None:
    assert (await says_the_same(served, *commands))[1] == 0


@pytest.mark.parametrize(
    "commands",
    [
        ("BEGIN", "DECLARE c CURSOR FOR SELECT ident FROM depot ORDER BY 1", "FETCH 2 FROM c",
         "MOVE 1 FROM c", "FETCH NEXT FROM c", "FETCH ALL FROM c", "CLOSE c", "COMMIT"),
        ("DECLARE h CURSOR WITH HOLD FOR SELECT ident FROM depot ORDER BY 1", "FETCH 3 FROM h",
         "CLOSE h"),
        ("DECLARE c CURSOR FOR VALUES (1), (2); FETCH 1 FROM c; FETCH ALL FROM c",
         "FETCH 1 FROM c"),
    ],
    ids=["in a transaction", "WITH HOLD", "in one message"],
)  # fmt: skip
async def test_cursors(served: Served, commands: tuple[str, ...]) -> None:
    await says_the_same(served, *commands)


@pytest.mark.parametrize(
    "commands",
    [
        ("BEGIN; SELECT 1 / 0;", "SELECT 1", "ROLLBACK", "SELECT 2"),
        ("BEGIN", "SAVEPOINT a", "SELECT nope", "ROLLBACK TO a", "SELECT 1", "COMMIT"),
        ("COMMIT", "BEGIN", "BEGIN", "END"),
    ],
    ids=["a failure", "a savepoint", "notices"],
)
async def test_transactions(served: Served, commands: tuple[str, ...]) -> None:
    await says_the_same(served, *commands)
