"""Fetches statements into Arrow through ADBC, in an environment that has only ADBC.

The one argument is JSON: {"url": "postgresql://...", "statement": "SELECT ...", "runs": 3}. Out
comes one line: {"walls": [milliseconds of each run], "rows": 1000000}.
"""

from __future__ import annotations

import json
import sys
import time

from adbc_driver_postgresql import dbapi


def main() -> None:
    """Fetches all rows so many times over one connection."""
    asked = json.loads(sys.argv[1])
    walls, rows = [], 0
    with dbapi.connect(asked["url"]) as connection, connection.cursor() as cursor:
        for _ in range(asked["runs"]):
            started = time.perf_counter()
            cursor.execute(asked["statement"])
            rows = cursor.fetch_arrow_table().num_rows
            walls.append((time.perf_counter() - started) * 1000)
    print(json.dumps({"walls": walls, "rows": rows}))


if __name__ == "__main__":
    main()
