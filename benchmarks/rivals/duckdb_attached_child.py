"""Answers statements in DuckDB over attached databases, in an environment that has only DuckDB.

One JSON object per line comes in, one goes out. The first one opens DuckDB:

    {"attach": {"crm": {"kind": "postgres", "host": ..., "port": ..., "user": ...,
                        "password": ..., "database": ...}},
     "settings": {"threads": 1}}
    {"version": "1.5.5"}

Each one after it is a statement that so many clients ask, `runs` times each or for `seconds`:

    {"statement": "SELECT ...", "params": {}, "clients": 16, "seconds": 3, "answer": false}
    {"walls": [milliseconds of each answer], "elapsed": seconds, "cpu": seconds, "rows": 1}

`answer` asks for the rows of the last answer. What fails is answered by {"error": "..."}.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb

_SCANNERS = {"postgres": "postgres_scanner", "mysql": "mysql_scanner"}
_DATABASE = {"postgres": "dbname", "mysql": "database"}


def opened(asked: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Returns DuckDB with everything attached, read-only."""
    # Nothing is downloaded, and an extension whose signature is wrong is refused.
    engine = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_unsigned_extensions": False,
        }
    )
    # LOAD, SET and ATTACH take no parameters.
    for kind in dict.fromkeys(one["kind"] for one in asked["attach"].values()):
        engine.execute(f"LOAD {_literal(str(_extension(_SCANNERS[kind])))}")
    # A cursor is a connection of its own: what is not global is not set for it.
    for name, value in asked["settings"].items():
        engine.execute(f"SET GLOBAL {name} = {_literal(value)}")
    for name, one in asked["attach"].items():
        words = {
            "host": one["host"],
            "port": one["port"],
            "user": one["user"],
            "password": one["password"],
            _DATABASE[one["kind"]]: one["database"],
        }
        address = " ".join(f"{key}={value}" for key, value in words.items())
        engine.execute(f"ATTACH {_literal(address)} AS {name} (TYPE {one['kind']}, READ_ONLY)")
    return engine


def answered(engine: duckdb.DuckDBPyConnection, asked: dict[str, Any]) -> dict[str, Any]:
    """Asks one statement from as many threads as there are clients."""
    statement, params = asked["statement"], asked.get("params") or None
    runs, seconds = asked.get("runs", 1), asked.get("seconds")
    walls: list[float] = []
    rows: list[Any] = []
    errors: list[str] = []
    cursors = [engine.cursor() for _ in range(asked.get("clients", 1))]
    barrier = threading.Barrier(len(cursors) + 1)

    def ask(cursor: duckdb.DuckDBPyConnection) -> None:
        barrier.wait()
        until = time.perf_counter() + seconds if seconds else None
        done = 0
        try:
            while time.perf_counter() < until if until else done < runs:
                started = time.perf_counter()
                found = cursor.execute(statement, params).fetchall()
                walls.append((time.perf_counter() - started) * 1000)
                done += 1
                rows[:] = found
        except duckdb.Error as error:
            errors.append(str(error))

    threads = [threading.Thread(target=ask, args=(cursor,)) for cursor in cursors]
    for thread in threads:
        thread.start()
    started, cpu = time.perf_counter(), time.process_time()
    barrier.wait()
    for thread in threads:
        thread.join()
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    for cursor in cursors:
        cursor.close()
    if errors:
        return {"error": errors[0]}
    said = {"walls": walls, "elapsed": elapsed, "cpu": cpu, "rows": len(rows)}
    return {**said, "answer": rows} if asked.get("answer") else said


def _extension(name: str) -> Path:
    package = Path(str(import_module(f"duckdb_extension_{name}").__file__)).parent
    return package / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _say(said: dict[str, Any]) -> None:
    print(json.dumps(said, default=str), flush=True)


def main() -> None:
    """Serves until standard input ends."""
    try:
        engine = opened(json.loads(sys.stdin.readline()))
    except (duckdb.Error, ImportError) as error:
        _say({"error": str(error)})
        return
    _say({"version": duckdb.__version__})
    for line in sys.stdin:
        _say(answered(engine, json.loads(line)))


if __name__ == "__main__":
    main()
