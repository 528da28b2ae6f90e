#!/usr/bin/env bash
# Measures Roundview's batches beside the fastest driver of each database server. Those drivers are
# kept in an environment of their own: connectorx alone has 180 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."

place=.venv/.rivals/bulk_drivers
wanted="adbc-driver-postgresql==1.13.0 connectorx==0.4.6 pyarrow"

if [ "$(cat "$place/.installed" 2>/dev/null || true)" != "$wanted" ]; then
  echo "installing the rivals into $place" >&2
  .venv/bin/python -m venv --clear "$place"
  # Split into words on purpose.
  # shellcheck disable=SC2086
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check $wanted
  echo "$wanted" > "$place/.installed"
fi

exec .venv/bin/python -m benchmarks.bulk --drivers "$place/bin/python" "$@"
