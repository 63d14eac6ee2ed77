#!/bin/bash
# The manual pages are sound, refer to pages there are, and tell all that the source does:
# every variable it reads, every exit status.
set -euo pipefail
here=$(dirname "$0")
. "$here/command_line.sh"

status=0
fail()
{
    printf '%s\n' "$@" >&2
    status=1
}

pages=$(find "$AP_SOURCE/man" -name '*.[1-9]' | sort)
if command -v mandoc >/dev/null; then
    for page in $pages; do
        mandoc -Tlint -W warning "$page" >&2 || status=1
    done
fi

# References between pages of the suite.
for page in $pages; do
    while read -r name section; do
        case $name in
        ap-* | autopack*) [ -e "$AP_SOURCE/man/$name.$section" ] ||
            fail "$(basename "$page") refers to $name($section), which is not there" ;;
        esac
    done < <(sed -n 's/^\.Xr \([^ ]*\) \([1-9]\).*/\1 \2/p' "$page")
done

# A variable is a string constant of the source; its page is the tool's, or for the
# library's any.
variables_of_page() { page_section "$1" ENVIRONMENT | grep -o 'AUTOPACK_[A-Z_]*' || true; }
documented=$(for page in $pages; do
    variables_of_page "$page"
    page_section "$page" DESCRIPTION | sed -n '/^\.It Ev/p' | grep -o 'AUTOPACK_[A-Z_]*' || true
done | sort -u)
read_in() { grep -oh '"AUTOPACK_[A-Z_]*"' "$@" | tr -d '"' | sort -u || true; }
missing=$(comm -23 <(read_in -r --include='*.cc' --include='*.hh' "$AP_SOURCE/lib") \
    <(echo "$documented"))
[ -z "$missing" ] || fail "no page has in ENVIRONMENT:" "$missing"
for source in "$AP_SOURCE"/tools/*.cc; do
    tool=$(basename "$source" .cc)
    page=$(page_of "$tool")
    used=$(read_in "$source")
    # Every tool that takes --db resolves the database and the directory beside it.
    ! grep -q '"db"' "$source" || used=$(printf '%s\n' "$used" AUTOPACK_DB AUTOPACK_RUNS_DIR)
    missing=$(comm -23 <(sed '/^$/d' <<<"$used" | sort -u) \
        <(variables_of_page "$page" | sort -u))
    [ -z "$missing" ] || fail "man/$(basename "$page") has not in ENVIRONMENT:" "$missing"
done

# The number and meaning of each exit status; the page may say more.
in_source=$(awk '
    /^    [A-Z][A-Za-z]* = [0-9]+,$/ { sub(/,/, ""); number[$1] = $3 }
    /^    \{ExitStatus::/ {
        split($0, part, /\{ExitStatus::|, "|"\}/)
        print number[part[2]] " " part[3]
    }' "$AP_SOURCE/lib/base/exit_status.hh")
in_page=$(awk '/^\.It [0-9]+$/ { number = $2; getline; print number " " $0 }' \
    "$AP_SOURCE/man/ap-exit.7")
same "exit statuses" lib/base/exit_status.hh "$(cut -d ' ' -f 1 <<<"$in_source")" \
    man/ap-exit.7 "$(cut -d ' ' -f 1 <<<"$in_page")" >&2 || status=1
while read -r line; do
    grep -q "^$line" <<<"$in_page" || fail "man/ap-exit.7 does not explain '$line'"
done <<<"$in_source"
exit $status
