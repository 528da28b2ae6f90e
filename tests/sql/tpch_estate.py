"""Decides what TPC-H is here: its entities, its rows, its queries and how they are split.

Rows come from `tpchgen-cli`, which makes the same ones every time; the queries are those of the
specification (TPC Benchmark H 3.0.1) with their validation parameters. Two relations have names
of their own, because `customer` and `region` mean something else in every catalog.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
from tests.sql.estate import Entity, Form, Part, Split, as_text, in_cents

TINY, SMALL = 0.01, 0.1
QUERIES: Mapping[str, str] = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent / "tpch_queries").glob("q*.sql"))
}

_MONEY = "decimal(15,2)"
_GENERATED = {"trade_region": "region", "buyer": "customer"}

ENTITIES = (
    Entity(
        "trade_region",
        {"r_regionkey": "bigint", "r_name": "text", "r_comment": "text"},
        ("r_regionkey",),
    ),
    Entity(
        "nation",
        {"n_nationkey": "bigint", "n_name": "text", "n_regionkey": "bigint", "n_comment": "text"},
        ("n_nationkey",),
        ("n_regionkey",),
    ),
    Entity(
        "supplier",
        {
            "s_suppkey": "bigint",
            "s_name": "text",
            "s_address": "text",
            "s_nationkey": "bigint",
            "s_phone": "text",
            "s_acctbal": _MONEY,
            "s_comment": "text",
        },
        ("s_suppkey",),
        ("s_nationkey",),
    ),
    Entity(
        "buyer",
        {
            "c_custkey": "bigint",
            "c_name": "text",
            "c_address": "text",
            "c_nationkey": "bigint",
            "c_phone": "text",
            "c_acctbal": _MONEY,
            "c_mktsegment": "text",
            "c_comment": "text",
        },
        ("c_custkey",),
        ("c_nationkey",),
    ),
    Entity(
        "part",
        {
            "p_partkey": "bigint",
            "p_name": "text",
            "p_mfgr": "text",
            "p_brand": "text",
            "p_type": "text",
            "p_size": "integer",
            "p_container": "text",
            "p_retailprice": _MONEY,
            "p_comment": "text",
        },
        ("p_partkey",),
    ),
    Entity(
        "partsupp",
        {
            "ps_partkey": "bigint",
            "ps_suppkey": "bigint",
            "ps_availqty": "integer",
            "ps_supplycost": _MONEY,
            "ps_comment": "text",
        },
        ("ps_partkey", "ps_suppkey"),
        ("ps_suppkey",),
    ),
    Entity(
        "orders",
        {
            "o_orderkey": "bigint",
            "o_custkey": "bigint",
            "o_orderstatus": "text",
            "o_totalprice": _MONEY,
            "o_orderdate": "date",
            "o_orderpriority": "text",
            "o_clerk": "text",
            "o_shippriority": "integer",
            "o_comment": "text",
        },
        ("o_orderkey",),
        ("o_custkey", "o_orderdate"),
    ),
    Entity(
        "lineitem",
        {
            "l_orderkey": "bigint",
            "l_partkey": "bigint",
            "l_suppkey": "bigint",
            "l_linenumber": "integer",
            "l_quantity": _MONEY,
            "l_extendedprice": _MONEY,
            "l_discount": _MONEY,
            "l_tax": _MONEY,
            "l_returnflag": "text",
            "l_linestatus": "text",
            "l_shipdate": "date",
            "l_commitdate": "date",
            "l_receiptdate": "date",
            "l_shipinstruct": "text",
            "l_shipmode": "text",
            "l_comment": "text",
        },
        ("l_orderkey", "l_linenumber"),
        ("l_partkey", "l_suppkey", "l_shipdate"),
    ),
)


def truth(folder: Path, scale: float) -> duckdb.DuckDBPyConnection:
    """Returns a database with every entity as a plain table; the files go into a folder.

    Raises FileNotFoundError where `tpchgen-cli` is not installed.
    """
    program = Path(sys.executable).with_name("tpchgen-cli")
    subprocess.run(
        [program, "parquet", "--scale-factor", str(scale), "--output-dir", folder],
        check=True,
        capture_output=True,
    )
    database = duckdb.connect()
    for entity in ENTITIES:
        file = folder / f"{_GENERATED.get(entity.name, entity.name)}.parquet"
        database.execute(f"CREATE TABLE {entity.name} AS FROM read_parquet('{file}')")
    return database


def bare(name: str) -> str:
    """Returns the column of a field without the letters of its table: o_custkey -> custkey."""
    return name.partition("_")[2]


def prefixed(word: str) -> Callable[[str], str]:
    """Returns what gives columns a prefix of their own: o_custkey -> ord_custkey."""
    return lambda name: f"{word}_{bare(name)}"


_TEXT_NUMBERS: Mapping[str, Form] = {
    name: as_text("integer") for name in ("p_size", "o_shippriority", "l_linenumber")
}
_TEXT_DATES: Mapping[str, Form] = {
    name: as_text("date") for name in ("o_orderdate", "l_shipdate", "l_commitdate", "l_receiptdate")
}
_CENTS: Mapping[str, Form] = {
    name: in_cents()
    for name in ("c_acctbal", "o_totalprice", "l_extendedprice", "ps_supplycost", "s_acctbal")
}


def cents(*names: str) -> dict[str, Form]:
    """Returns the forms of amounts that are whole cents."""
    return {name: _CENTS[name] for name in names}


VERTICAL = Split(
    "tpch_vertical",
    {"master": "sqlite", "sales": "postgres", "depot": "mariadb", "lake": "parquet"},
    (
        Part("trade_region", "master", "regions", rename=bare),
        Part("nation", "master", "nations", rename=bare),
        Part("supplier", "depot", "vendors", rename=bare, forms=cents("s_acctbal")),
        Part("buyer", "sales", "clients", rename=prefixed("client"), forms=cents("c_acctbal")),
        Part("part", "lake", "parts", rename=str.upper, forms={"p_size": _TEXT_NUMBERS["p_size"]}),
        Part("partsupp", "depot", "vendor_parts", rename=bare),
        Part("orders", "sales", "sales_orders", rename=prefixed("so")),
        Part("lineitem", "lake", "order_lines", rename=str.upper),
    ),
)
"""Every table is in one source."""

_EVEN, _ODD = "{} % 2 = 0", "{} % 2 = 1"

HORIZONTAL = Split(
    "tpch_horizontal",
    {"west": "sqlite", "east": "postgres", "north": "mariadb", "south": "parquet"},
    (
        Part("trade_region", "north", "regions", rename=bare),
        Part("nation", "north", "nations", rename=bare),
        Part("supplier", "east", "vendors", rename=prefixed("v")),
        Part("part", "south", "parts", rename=bare),
        Part("partsupp", "west", "vendor_parts", rename=bare, forms=cents("ps_supplycost")),
        Part("buyer", "east", "clients", _EVEN.format("c_custkey"), prefixed("client")),
        Part("buyer", "north", "accounts", _ODD.format("c_custkey"), bare, cents("c_acctbal")),
        Part(
            "orders",
            "west",
            "orders",
            _EVEN.format("o_orderkey"),
            bare,
            {**cents("o_totalprice"), "o_orderdate": _TEXT_DATES["o_orderdate"]},
        ),
        Part("orders", "east", "sales_orders", _ODD.format("o_orderkey"), prefixed("so")),
        Part(
            "lineitem",
            "south",
            "order_lines",
            _EVEN.format("l_orderkey"),
            str.upper,
            {"l_linenumber": _TEXT_NUMBERS["l_linenumber"], **cents("l_extendedprice")},
        ),
        Part("lineitem", "north", "sold", _ODD.format("l_orderkey"), bare),
    ),
)
"""Buyers, orders and lines have every other key in another source."""

SPLITS = (VERTICAL, HORIZONTAL)
