#!/bin/sh
# The unit files are such that systemd takes them, and run programs that are built.
set -eu
command -v systemd-analyze >/dev/null || exit 77

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for unit in "$AP_SOURCE"/systemd/*.in; do
    name=$(basename "$unit" .in)
    # A template can only be looked at as one of its instances.
    instance=$(printf '%s' "$name" | sed 's/@\./@some-run./')
    sed "s|@bindir@|$AP_TOOLS|g" "$unit" >"$work/$instance"
done

status=0
if ! SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$work"/* \
    >"$work.log" 2>&1 || [ -s "$work.log" ]; then
    cat "$work.log" >&2
    status=1
fi
rm -f "$work.log"

# What listens on the network, and what runs by itself every night, may do little else.
for unit in ap-backup ap-gate ap-prune ap-serve; do
    exposure=$(systemd-analyze security --offline=true "$work/$unit.service" |
        sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
    if [ -z "$exposure" ] ||
        [ "$(printf '%s\n' "$exposure" 2.0 | sort -g | tail -1)" != 2.0 ]; then
        echo "$unit.service: exposure ${exposure:-unknown}, at most 2.0 is wanted" >&2
        status=1
    fi
done

# What is not replaced would be installed so.
for unit in "$work"/*; do
    if grep -n '@[a-z]*@' "$unit"; then
        status=1
    fi
done

# Each page a unit names is one of ours.
sed -n 's/^Documentation=//p' "$work"/* | tr ' ' '\n' >"$work.pages"
while read -r page; do
    file=$(printf '%s' "$page" | sed 's/^man:\(.*\)(\(.*\))$/\1.\2/')
    if [ ! -e "$AP_SOURCE/man/$file" ]; then
        echo "no man/$file for Documentation=$page" >&2
        status=1
    fi
done <"$work.pages"
rm -f "$work.pages"
exit $status
