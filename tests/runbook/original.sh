#!/bin/bash
# Nothing of the original runbook is missing from ours: the file "original" has its headings
# and commands, in their order. Ours has each heading, in that order, and a row for each
# command in its table.
set -euo pipefail
here=$(dirname "$0")
runbook=$AP_SOURCE/docs/RUNBOOK.md
status=0
fail()
{
    echo "docs/RUNBOOK.md: $*" >&2
    status=1
}

# A comment in a block of code is no heading.
headings=$(awk '/^```/ { code = !code } !code && /^#/' "$runbook")
mapfile -t left <<<"$headings"
while read -r line; do
    if [[ $line == '#'* ]]; then
        while [ ${#left[@]} -gt 0 ] && [ "${left[0]}" != "$line" ]; do
            left=("${left[@]:1}")
        done
        [ ${#left[@]} -gt 0 ] || { fail "no heading '$line', or not in its place"; break; }
    else
        escaped=${line//|/\\|}
        grep -qF "| \`$escaped\` | " "$runbook" || fail "its table has no row for: $line"
    fi
done <"$here/original"
exit $status
