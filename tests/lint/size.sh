#!/bin/bash
# Files stay readable: 400 lines for a source of the library, 200 for a tool and for
# a header. What is larger is named here with its size, which may only shrink.
set -euo pipefail
cd "$AP_SOURCE"

# Sorted.
known="
lib/domain/migrations/m0001_first.hh 333
tools/ap-breaker.cc 252
"

limit_of()
{
    case $1 in
    tools/* | *.hh) echo 200 ;;
    *) echo 400 ;;
    esac
}

status=0
while read -r lines file; do
    limit=$(limit_of "$file")
    allowed=$(sed -n "s|^$file ||p" <<<"$known")
    if [ "$lines" -gt "${allowed:-$limit}" ]; then
        echo "$file: $lines lines, at most ${allowed:-$limit}" >&2
        status=1
    elif [ -n "$allowed" ] && [ "$lines" -lt "$allowed" ]; then
        echo "$file: $lines lines; write that into tests/lint/size.sh, or take it out" >&2
        status=1
    fi
done < <(find lib tools -name '*.cc' -o -name '*.hh' | sort | xargs wc -l | sed '$d')
while read -r file _; do
    [ -e "$file" ] || { echo "$file is no more; take it out of tests/lint/size.sh" >&2; status=1; }
done < <(sed '/^$/d' <<<"$known")
exit $status
