#!/bin/bash
# --help, --version and usage errors are as everywhere: help.sh TOOL
set -euo pipefail
tool=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

status=0
fail()
{
    echo "$tool: $*" >&2
    status=1
}

# Runs the tool with its output in files; expects an exit status.
expect()
{
    local expected=$1 got=0
    shift
    "$AP_TOOLS/$tool" "$@" >out 2>err || got=$?
    [ "$got" -eq "$expected" ] || fail "$*: expected status $expected, got $got"
}

for option in --help -h; do
    expect 0 "$option"
    [ ! -s err ] || fail "$option prints on standard error"
    long=$(awk 'length > 79' out)
    [ -z "$long" ] || fail "$option: over 79 columns: $long"
    blank=$(grep -n ' $' out || true)
    [ -z "$blank" ] || fail "$option: blanks at the end of lines $blank"
done
[[ $(head -n 1 out) == "usage: $tool "* ]] || fail "--help: begins with '$(head -n 1 out)'"

for option in --version -V; do
    expect 0 "$option"
    [ ! -s err ] || fail "$option prints on standard error"
    [[ $(cat out) =~ ^"$tool "[0-9]+\.[0-9]+\.[0-9]+$ ]] ||
        fail "$option: expected '$tool N.N.N', got '$(cat out)'"
done

expect 2 --no-such-option
[ ! -s out ] || fail "an unknown option prints on standard output"
[ "$(head -n 1 err | cut -c "1-$((${#tool} + 1))")" = "$tool:" ] ||
    fail "a message does not begin with '$tool:': $(cat err)"
grep -qF -e "'--no-such-option'" err || fail "the unknown option is not named: $(cat err)"

# Nothing is left behind by asking.
[ "$(ls -A)" = "err
out" ] || fail "files are left behind: $(ls -A)"
exit $status
