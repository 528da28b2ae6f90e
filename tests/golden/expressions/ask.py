"""Asks a PostgreSQL server, reached by psql, what the expressions of the corpus mean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).parent
TYPES = {"float": "double precision", "json": "jsonb"}


def quoted(value: object) -> str:
    """Returns a value as an SQL constant."""
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def main(uri: str) -> None:
    """Writes postgres.json: expression -> answer per row, aggregate -> answer over all rows.

    An error is `ERROR`.
    """
    corpus = YAML(typ="safe").load((HERE / "corpus.yaml").read_text(encoding="utf-8"))
    columns = {name: TYPES.get(kind, kind) for name, kind in corpus["columns"].items()}
    lines = [
        "SET client_min_messages = error; SET timezone = 'UTC';",
        "CREATE TEMP TABLE v (n integer, "
        + ", ".join(f"{name} {kind}" for name, kind in columns.items())
        + ");",
        "CREATE FUNCTION pg_temp.ask(e text, r integer) RETURNS text LANGUAGE plpgsql AS $$"
        " DECLARE x text; BEGIN"
        " EXECUTE 'SELECT (' || e || ')::text FROM v' || coalesce(' WHERE n = ' || r, '')"
        " INTO x; RETURN x; EXCEPTION WHEN OTHERS THEN RETURN 'ERROR'; END $$;",
    ]
    for at, row in enumerate(corpus["rows"]):
        values = ", ".join(f"{quoted(row.get(name))}::{kind}" for name, kind in columns.items())
        lines.append(f"INSERT INTO v VALUES ({at}, {values});")
    lines.extend(
        f"SELECT json_build_array({quoted(text)},"
        f" (SELECT json_agg(pg_temp.ask({quoted(text)}, n) ORDER BY n) FROM v));"
        for text in corpus["expressions"].splitlines()
    )
    lines.extend(
        f"SELECT json_build_array({quoted(text)}, json_build_array(pg_temp.ask({quoted(text)}, NULL)));"
        for text in corpus["aggregates"].splitlines()
    )
    answer = subprocess.run(
        ["psql", uri, "-XqAt", "-v", "ON_ERROR_STOP=1"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [json.loads(line) for line in answer.splitlines() if line.startswith("[")]
    text = ",\n".join(
        f"{json.dumps(e, ensure_ascii=False)}: {json.dumps(a, ensure_ascii=False)}" for e, a in rows
    )
    (HERE / "postgres.json").write_text("{\n" + text + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
