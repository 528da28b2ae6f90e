#!/usr/bin/env bash
# Measures Roundview beside DuckDB over attached PostgreSQL and MariaDB. The rival's packages are
# kept in an environment of their own: its scanners are bound to one release of DuckDB.
set -euo pipefail
cd "$(dirname "$0")/../.."
source benchmarks/install_rival.sh

install attached_duckdb \
  duckdb==1.5.5 duckdb-extension-postgres-scanner==1.5.5 duckdb-extension-mysql-scanner==1.5.5

exec .venv/bin/python -m benchmarks.rivals.attached_duckdb "$@"
