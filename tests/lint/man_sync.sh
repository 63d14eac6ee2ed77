#!/bin/bash
# What a tool says of itself is true everywhere: man_sync.sh TOOL
#
# The options (letter, long name, argument) and verbs of `TOOL --help` are those of its
# page and of the completions, and the page is sound mdoc with all its sections. A new
# tool needs, besides its line in tools/meson.build:
#   man/TOOL.1 (or .8)       an entry ".It Fl x , Fl \-long Ar ARG" for each option, with
#                            the argument's name that --help prints, --help and --version
#                            included; an entry ".It Cm verb" for each verb; the verbs
#                            also in the synopsis; its name in man/meson.build
#   tests/tools/TOOL.bats    its tests, with its name in tests/meson.build
# Completion needs nothing: it reads --help. Call an operand or argument RUN, PHASE,
# BREAKER, PATH, FILE, PLAN, ARCHIVE, DIR or CMD if that is what it is, and values of that
# kind are completed.
set -euo pipefail
tool=$1
here=$(dirname "$0")
. "$here/command_line.sh"

status=0
fail()
{
    printf '%s\n' "$@" >&2
    status=1
}

page=$(page_of "$tool")
name=man/$(basename "$page")
options=$(help_options "$tool")
verbs=$(help_verbs "$tool")

same options --help "$options" "$name" "$(page_options "$page")" >&2 || status=1

if [ -n "$verbs" ]; then
    same verbs --help "$verbs" "$name SYNOPSIS" "$(page_synopsis "$page" Cm)" >&2 || status=1
    missing=$(comm -23 <(echo "$verbs") <(page_entries "$page"))
    [ -z "$missing" ] || fail "$name has no .It Cm entry for:" "$missing"
fi

# Options of the synopsis are "-long" or clusters of letters.
known=$(tr ' ' '\n' <<<"$options" | sed -n 's/^-//p')
for option in $(page_synopsis "$page" Fl); do
    case $option in
    - | --) continue ;;
    -*) grep -qx -e "$option" <<<"$known" ||
        fail "$name: the synopsis has -$option, --help has not" ;;
    *) for letter in $(fold -w 1 <<<"$option"); do
        grep -qx -e "$letter" <<<"$known" ||
            fail "$name: the synopsis has -$letter, --help has not"
    done ;;
    esac
done

# Each shell offers exactly that.
offered=$(tr ' ' '\n' <<<"$options" | grep '^-' | sort)
first=$verbs
[ "$tool" != autopack ] || first=$({ echo help; autopack --list; } | sort)
compare_shell()
{
    same "options of $1" --help "$offered" completion \
        "$("$here/complete.$1" "$2" "$tool -" | sort)" >&2 || status=1
    [ -z "$first" ] || same "verbs of $1" --help "$first" completion \
        "$("$here/complete.$1" "$2" "$tool " | sort)" >&2 || status=1
}
export LC_ALL=C
offered=$(sort <<<"$offered")
compare_shell bash "$AP_COMPLETIONS/autopack"
if command -v zsh >/dev/null; then
    compare_shell zsh "$AP_COMPLETIONS/_autopack"
fi

[ -e "$AP_SOURCE/tests/tools/$tool.bats" ] || fail "there is no tests/tools/$tool.bats"

summary=$("$AP_TOOLS/$tool" --help | sed -n 2p)
grep -qxF ".Nd $summary" "$page" || fail "$name: .Nd is not the summary '$summary'"
sections=$(sed -n 's/^\.Sh //p' "$page")
same sections needed "NAME
SYNOPSIS
DESCRIPTION
ENVIRONMENT
FILES
EXIT STATUS
EXAMPLES
SEE ALSO" "$name" "$sections" >&2 || status=1
exit $status
