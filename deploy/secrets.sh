#!/usr/bin/env bash
# Makes the secrets of docker-compose.yml once, as files beside this one.
set -euo pipefail
folder="$(cd "$(dirname "$0")" && pwd)/secrets"
# Containers read them under accounts of their own: the folder keeps others out, not the files.
mkdir -p -m 0700 "$folder"
for name in owner_password reader_password support_token; do
    [ -s "$folder/$name" ] && continue
    od -An -N 24 -t x1 /dev/urandom | tr -d ' \n' >"$folder/$name"
    chmod 0444 "$folder/$name"
done
