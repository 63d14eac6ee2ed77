#!/bin/bash
# What a page shows in EXAMPLES works: examples.sh PAGE
#
# The literal blocks of the section are executed in their order by one shell in a fresh
# directory, in which there are only the tools. In a block,
#   $ command     is executed and must succeed; "test $? -eq 80" is how a page shows that
#                 something is refused
#   > more        goes on with a command
#   anything else is the output (standard output and error) that the page claims. If there
#                 is any, it must be what is printed, but that numbers (and with them
#                 times and dates) and the width of blanks may differ, and a line "..."
#                 stands for any lines.
# Other prompts are not executed: "# " is for what root does, "laptop$ " is another host.
# A command that stays ("ap-serve &") is ended with the page.
set -euo pipefail
page=$1
command -v mandoc >/dev/null || exit 77
# A phase sees no such variables of the shell the test was started from.
unset "${!AUTOPACK_@}"
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
mkdir "$work/home" "$work/out"
export HOME=$work/home

# mandoc's HTML keeps the blocks apart from the text around them.
mandoc -Thtml -O fragment "$page" | awk '
    /<h1 class="Sh" id="/ { inside = /id="EXAMPLES"/ }
    inside && /<pre/ { literal = 1 }
    inside && literal {
        last = /<\/pre>/
        gsub(/<[^>]*>/, "")
        gsub(/&lt;/, "<"); gsub(/&gt;/, ">"); gsub(/&quot;/, "\""); gsub(/&#x00A0;/, " ")
        gsub(/&amp;/, "\\&")
        print
        if (last) { literal = 0 }
    }' >"$work/blocks"

# Commands and claimed outputs go to numbered files.
awk -v out="$work/out/" '
    /^\$ / { n++; name = out n; print substr($0, 3) >(name ".command"); more = 1; next }
    more && /^>( |$)/ { print substr($0, 3) >(name ".command"); next }
    /^(#|[a-z]+[$#]) / { more = 0; name = ""; next }
    name != "" { more = 0; print >(name ".claim") }
    END { print n + 0 }' "$work/blocks" >"$work/count"
count=$(cat "$work/count")
if [ "$count" -eq 0 ]; then
    echo "$page: EXAMPLES has no command" >&2
    exit 1
fi

# Numbers are the same whatever they are, so are blanks.
plain() { sed -E 's/[0-9]+([.:-][0-9]+)*/N/g; s/[[:space:]]+/ /g; s/^ | $//g' "$@"; }

matches() # CLAIM OUTPUT
{
    local pattern text
    pattern=$(plain "$1" | sed 's/[][\\*?]/\\&/g; s/^\.\.\.$/*/')
    text=$(plain "$2")
    # The claim is a pattern on purpose.
    # shellcheck disable=SC2053
    [[ $text == $pattern ]]
}

directory=$work/directory
mkdir "$directory"
cd "$directory"
failed=0
for ((number = 1; number <= count; number++)); do
    base=$work/out/$number
    # Not in a subshell: variables, directories and jobs are for the next command, too.
    result=0
    set +eu
    # shellcheck source=/dev/null
    . "$base.command" >"$base.output" 2>&1 3>&- </dev/null || result=$?
    set -eu
    if [ "$result" -ne 0 ]; then
        echo "$page: status $result from: $(cat "$base.command")" >&2
        cat "$base.output" >&2
        failed=1
    elif [ -e "$base.claim" ] && ! matches "$base.claim" "$base.output"; then
        echo "$page: the page claims (-) and the tool prints (+): $(cat "$base.command")" >&2
        diff <(plain "$base.claim") <(plain "$base.output") | sed -n 's/^</-/p; s/^>/+/p' >&2
        failed=1
    fi
done
exit $failed
