#!/usr/bin/env bash
# Measures SQL beside DuckDB over attached PostgreSQL and MariaDB, and beside ADBC. Both are kept in
# environments of their own: DuckDB's scanners are bound to one release of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source benchmarks/install_rival.sh

install attached_duckdb \
  duckdb==1.5.5 duckdb-extension-postgres-scanner==1.5.5 duckdb-extension-mysql-scanner==1.5.5
install adbc adbc-driver-postgresql==1.13.0 pyarrow==26.0.1

exec .venv/bin/python -m benchmarks.rivals.federation "$@"
