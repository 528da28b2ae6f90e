"""Reads a million rows with a source's own bulk driver; runs in the rivals' environment.

python bulk_drivers.py (postgres | mysql) URL
"""

from __future__ import annotations

import sys
import time


def adbc(url: str) -> int:
    """Reads by ADBC; a numeric is exact only as text there."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, at, total::text, name FROM t")
        return sum(batch.num_rows for batch in cursor.fetch_record_batch())


def connectorx(url: str) -> int:
    """Reads by connectorx; a decimal is exact only as text there."""
    import connectorx

    text = "SELECT id, at, CAST(total AS CHAR) AS total, name FROM t"
    return int(connectorx.read_sql(url, text, return_type="arrow").num_rows)


if __name__ == "__main__":
    read = adbc if sys.argv[1] == "postgres" else connectorx
    read(sys.argv[2])
    started = time.perf_counter()
    rows = read(sys.argv[2])
    print(rows, time.perf_counter() - started)
