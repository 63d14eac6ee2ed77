#!/bin/sh
# The dashboard in headless Chromium: run.sh WORK, a directory that keeps what npm installs.
set -eu
work=$1
source=$(cd "$(dirname "$0")" && pwd)
for program in chromium node npm sqlite3; do
    command -v "$program" >/dev/null || { echo "no $program" >&2; exit 77; }
done
mkdir -p "$work"
cp "$source/package.json" "$work/"
[ -d "$work/node_modules/axe-core" ] || npm install --prefix "$work" --no-audit --no-fund >&2
state=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$state"' EXIT
cd "$state"
NODE_PATH=$work/node_modules node "$source/dashboard.js" "${2-}"
