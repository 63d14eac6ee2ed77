#!/bin/bash
# Prints what bash would offer for a line, one word a line: complete.bash SCRIPT LINE
# The line is split as readline does, which makes "=" a word of its own.
set -eu
# shellcheck source=/dev/null
. "$1"
read -ra COMP_WORDS <<<"${2//=/ = }"
[[ $2 != *[' '=] ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMPREPLY=()
set +eu
_autopack
printf '%s\n' "${COMPREPLY[@]}" | sed '/^$/d' | sort -u
