#!/usr/bin/env bash
# Measures Roundview beside DuckDB over attached PostgreSQL and MariaDB. The rival's packages are
# kept in an environment of their own: its scanners are bound to one release of DuckDB.
set -euo pipefail
cd "$(dirname "$0")/../.."

place=.venv/.rivals/attached_duckdb
wanted="duckdb==1.5.5 duckdb-extension-postgres-scanner==1.5.5 duckdb-extension-mysql-scanner==1.5.5"

if [ "$(cat "$place/.installed" 2>/dev/null || true)" != "$wanted" ]; then
  echo "installing the rival into $place" >&2
  .venv/bin/python -m venv --clear "$place"
  # Split into words on purpose.
  # shellcheck disable=SC2086
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check $wanted
  echo "$wanted" > "$place/.installed"
fi

exec .venv/bin/python -m benchmarks.rivals.attached_duckdb "$@"
