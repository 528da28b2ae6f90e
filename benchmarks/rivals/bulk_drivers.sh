#!/usr/bin/env bash
# Measures Roundview's batches beside the fastest driver of each database server. Those drivers are
# kept in an environment of their own: connectorx alone has 180 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."
source benchmarks/install_rival.sh

install bulk_drivers adbc-driver-postgresql==1.13.0 connectorx==0.4.6 pyarrow

exec .venv/bin/python -m benchmarks.bulk --drivers .venv/.rivals/bulk_drivers/bin/python "$@"
