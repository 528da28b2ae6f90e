"""Decides which statements PostgreSQL and we are both asked, values bound as drivers bind them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

QUESTIONS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("SELECT 1 AS one, 'a' AS two, NULL AS three", ()),
    ("SELECT ident, code, city, grade, opened, active, budget, mark FROM depot ORDER BY ident", ()),
    ("SELECT ident, weight, sent_at, note FROM parcel ORDER BY ident", ()),
    ("SELECT ident, amount, day, kind, big FROM ledger ORDER BY ident", ()),
    ("SELECT count(*), sum(grade), max(opened), min(budget), bool_and(active) FROM depot", ()),
    ("SELECT sum(big), max(big) FROM ledger WHERE big BETWEEN -1000 AND 1000", ()),
    ("SELECT city, count(*) AS n FROM depot GROUP BY city ORDER BY n DESC, city", ()),
    ("SELECT ident FROM depot WHERE city = %s ORDER BY ident", ("Oslo",)),
    ("SELECT ident FROM depot WHERE ident = %s", (3,)),
    ("SELECT ident FROM depot WHERE grade > %s AND opened > %s ORDER BY 1", (1, date(2020, 1, 1))),
    ("SELECT ident FROM parcel WHERE sent_at < %s ORDER BY 1", (datetime(2024, 3, 1, tzinfo=UTC),)),
    ("SELECT ident FROM depot WHERE budget >= %s ORDER BY 1", (Decimal("10.50"),)),
    ("SELECT ident FROM depot WHERE active = %s ORDER BY 1", (True,)),
    ("SELECT ident FROM depot WHERE city = ANY(%s) ORDER BY 1", (["Oslo", "Riga"],)),
    ("SELECT ident FROM depot WHERE ident = ANY(%s) ORDER BY 1", ([1, 2, 3],)),
    ("SELECT ident FROM depot WHERE city LIKE %s ORDER BY ident LIMIT %s", ("%o%", 3)),
    ("SELECT ident FROM depot WHERE city = %s ORDER BY 1", (None,)),
    ("SELECT d.ident, p.ident FROM depot d JOIN parcel p ON p.depot_ident = d.ident"
     " WHERE d.ident = %s ORDER BY 2", (2,)),
    ("SELECT 1.5::float8 AS a, '1e300'::float8 AS b, '1e-7'::float8 AS c, -0.0001::float8 AS d", ()),
    ("SELECT 123456789012345678::float8 AS a, '1e15'::float8 AS b, 100000000::float8 AS c", ()),
    ("SELECT 'NaN'::float8 AS a, 'Infinity'::float8 AS b, '-Infinity'::float8 AS c", ()),
    ("SELECT 12.50::numeric(10,2) AS a, 0::numeric(10,4) AS b, -10000.00001::numeric AS c", ()),
    ("SELECT 99999999999999999999.5::numeric AS a, 0.00000000001::numeric AS b", ()),
    ("SELECT 1::smallint AS a, 2::integer AS b, 3::bigint AS c", ()),
    ("SELECT date '2024-02-29' AS a, date '0099-01-01' AS b, date '9999-12-31' AS c", ()),
    ("SELECT timestamp '2024-02-29 12:34:56' AS a, timestamp '2024-01-01 00:00:00.5' AS b", ()),
    ("SELECT timestamptz '2024-02-29 12:34:56.123456+02' AS a, timestamp '1969-12-31 23:59' AS b",
     ()),
    ("SELECT time '12:34:56' AS a, time '00:00:00.000001' AS b", ()),
    ("SELECT interval '1 day 02:00:00' AS a, interval '-3 days 04:05:06.5' AS c", ()),
    ("SELECT true AS t, false AS f, NULL::boolean AS n", ()),
    ("SELECT '0190b4f4-7c1f-7abc-8def-0123456789ab'::uuid AS u", ()),
    ("SELECT 'a''b\\c\"d' AS q, 'ümläut 🙂' AS u, '' AS e", ()),
    ("SELECT array_agg(ident ORDER BY ident) AS ids FROM depot WHERE ident < 4", ()),
    ("SELECT ident FROM depot WHERE ident = ANY ('{1,2,3}'::bigint[]) ORDER BY 1", ()),
    ("SELECT ident FROM depot WHERE city = ANY ('{Oslo,\"Riga\",NULL}') ORDER BY 1", ()),
    ("SELECT ident FROM depot WHERE city <> ALL ('{Oslo,Riga}'::text[]) ORDER BY 1", ()),
    ("SELECT ident FROM depot WHERE ident = ANY ('{}'::bigint[])", ()),
    ("SELECT ident FROM depot WHERE city <> ALL (%s) ORDER BY 1", (["Oslo", "Riga"],)),
    ("VALUES (1, 'a'), (2, NULL)", ()),
    ("WITH d AS (SELECT grade FROM depot) SELECT count(*) FROM d", ()),
)  # fmt: skip

REFUSALS = (
    "SELECT nope FROM depot",
    "SELECT * FROM nope",
    "SELECT nope(1)",
    "SELEC 1",
    "SELECT 1 +",
    "SELECT city + 1 FROM depot",
    "SELECT ident FROM depot GROUP BY city",
    "SELECT 1 / 0",
    "SELECT 'x'::integer",
    "FETCH 1 FROM nowhere",
    "CLOSE nowhere",
    "EXECUTE nowhere",
    "DEALLOCATE nowhere",
    "SHOW nothing_like_this",
    "SET nothing_like_this = 1",
    "DECLARE c CURSOR FOR SELECT 1",
    "SAVEPOINT a",
)
