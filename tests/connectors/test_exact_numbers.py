"""Numbers that servers compute are, digit by digit, those that arrival would compute."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlglot import exp
from tests.connectors.mariadb_server import MariadbServer
from tests.connectors.postgres_server import PostgresServer

from roundview_catalog import coerce, expressions
from roundview_catalog.types import Kind, Type

DATABASE = f"numbers_{os.environ.get('PYTEST_XDIST_WORKER', 'master')}"
TYPES = {
    "a": Type(Kind.INTEGER), "d": Type(Kind.DECIMAL, 15, 2), "q": Type(Kind.DECIMAL, 15, 3),
    "r": Type(Kind.DECIMAL, 20, 6),
}  # fmt: skip
MONEY = Type(Kind.DECIMAL, 18, 4)
# The second is what Open Source Point of Sale says a line costs.
TEXTS = (
    "d", "r", "-q", "q * d", "d / 100", "(d - q) / 2", "d * 0.005", "r * r", "a * d",
    "q * d * CASE WHEN a = 0 THEN 1 - d / 100 ELSE 1 END - CASE WHEN a = 1 THEN d ELSE 0 END",
    "coalesce(d, q, 0) + coalesce(r, 1.5)",
)  # fmt: skip
SUMS = ("sum(q * d)", "sum(r) - coalesce(sum(d) FILTER (WHERE a = 1), 0)")
MADE = (
    "CREATE TABLE t (id INT PRIMARY KEY, a INT, d DECIMAL(15,2), q DECIMAL(15,3), r DECIMAL(20,6))"
)


def rows() -> list[dict[str, Any]]:
    """Returns numbers of every size that the columns hold, halves of the last digit among them."""
    chance = random.Random(4)
    made: list[dict[str, Any]] = []
    for at in range(200):
        row: dict[str, Any] = {"a": chance.choice([0, 1, 2, -(2**31), 2**31 - 1, None])}
        for name in ("d", "q", "r"):
            precision, scale = TYPES[name].precision or 0, TYPES[name].scale or 0
            most = 10 ** chance.randint(0, precision) - 1
            digits = chance.choice([most, -most, chance.randint(-most, most), 5, 0])
            row[name] = None if chance.random() < 0.1 else Decimal(digits).scaleb(-scale)
        made.append({"id": at, **row})
    return made


def column_type(column: exp.Column) -> Type:
    return TYPES[column.name]


def computed(text: str, rows: Sequence[dict[str, Any]]) -> list[Any]:
    """Returns what arrival computes of each row; an aggregate adds up all of them."""
    tree = expressions.parse(text)
    names = {"rows": rows, **expressions.RUNTIME}

    def child(_: str) -> tuple[str, Any]:
        return "rows", lambda column: f"row[{column.name!r}]"

    if tree.find(exp.AggFunc) is not None:
        for column in tree.find_all(exp.Column):
            column.set("table", exp.to_identifier("t"))
        code = expressions.python(tree, lambda column: "", column_type, child)
        values = [eval(code, dict(names))]
    else:
        code = expressions.python(tree, lambda column: f"row[{column.name!r}]", column_type)
        values = [eval(code, {"row": row, **names}) for row in rows]
    convert = coerce.converter(expressions.infer(tree, column_type), MONEY, "UTC")
    assert convert is not None
    return [repr(convert(value)) for value in values]


def statements(dialect: str) -> dict[str, str]:
    """Returns the SELECT of each expression as a server is given it."""
    made = {}
    for text in (*TEXTS, *SUMS):
        tree = expressions.exact_number(expressions.parse(text), dialect, column_type, 4)
        assert tree is not None
        made[text] = f"SELECT {tree.sql(dialect=dialect)} FROM t"
    return made


def literals(row: dict[str, Any]) -> str:
    return f"({', '.join('NULL' if value is None else f'{value:f}' for value in row.values())})"


def compared(answers: dict[str, list[Any]]) -> None:
    known = rows()
    for text, answer in answers.items():
        assert [repr(value) for value in answer] == computed(text, known), text


async def test_mariadb(mariadb: MariadbServer) -> None:
    values = ", ".join(map(literals, rows()))
    await mariadb.make(DATABASE, [MADE, f"INSERT INTO t VALUES {values}"])
    answers = {}
    for text, statement in statements("mysql").items():
        ending = "" if "SUM(" in statement else " ORDER BY id"
        answered = await mariadb.ask(statement + ending, database=DATABASE)
        answers[text] = [row[0] for row in answered]
    compared(answers)


async def test_postgres(postgres: PostgresServer) -> None:
    values = ", ".join(map(literals, rows()))
    await postgres.make(DATABASE, f"{MADE}; INSERT INTO t VALUES {values}")
    admin = await postgres.admin(DATABASE)
    try:
        answers = {}
        for text, statement in statements("postgres").items():
            ending = "" if "SUM(" in statement else " ORDER BY id"
            answers[text] = [row[0] for row in await admin.fetch(statement + ending)]
    finally:
        await admin.close()
        await postgres.drop(DATABASE)
    compared(answers)
