#!/bin/bash
# The tool shellcheck finds nothing in shell scripts, bats tests and completions.
set -euo pipefail
command -v shellcheck >/dev/null || exit 77
cd "$AP_SOURCE"
mapfile -t scripts < <(grep -rlE --exclude-dir='build*' --exclude-dir=.git \
    '^#!.*[/ ](ba)?sh( |$)' . | sort)
mapfile -t tests < <(find tests -name '*.bats' | sort)
status=0
# 1090, 1091: what is sourced is checked by itself.
shellcheck --exclude=SC1090,SC1091 "${scripts[@]}" || status=1
shellcheck --shell=bash tests/lint/command_line.sh || status=1
# 2030, 2031: each test is a subshell, and meant to be. 2154: bats sets variables. 2164:
# a failing cd fails the test. 2016: plans hold scripts in single quotes. 2238: a
# file may be called as a command is.
shellcheck --exclude=SC1090,SC1091,SC2016,SC2030,SC2031,SC2154,SC2164,SC2238 "${tests[@]}" ||
    status=1
# Variables of the function that is called belong to those it calls.
shellcheck --shell=bash --exclude=SC2154,SC2034 contrib/completions/autopack.bash.in ||
    status=1
# What a shell puts into the words of wait_until it does once, before the wait.
if grep -nE '^ *wait_until (\[|test) .*\$\(' "${tests[@]}"; then
    echo "these wait for something that does not change: wait for a function" >&2
    status=1
fi
exit $status
