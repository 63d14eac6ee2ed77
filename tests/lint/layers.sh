#!/bin/bash
# What may include what: a file of lib/ includes files of its own layer or of lower ones,
# without cycles; a C library's header stands in one source file of lib/wrap alone; tools
# include the library and nothing of each other.
set -euo pipefail
cd "$AP_SOURCE"
status=0
fail()
{
    echo "$*" >&2
    status=1
}

# Layer, and the layers it may use besides itself. lib/cli knows no domain.
declare -A may_use=(
    [base]=""
    [sys]="base"
    [wrap]="base sys"
    [domain]="base sys wrap"
    [net]="base sys wrap domain"
    [cli]="base"
    [tools]="base sys wrap domain net cli"
)
# Headers of C and Linux. Any other with a ".h" is a library's, and needs a wrapper.
system_headers=" dirent.h fcntl.h fnmatch.h getopt.h glob.h grp.h netdb.h poll.h pthread.h
    pwd.h sched.h signal.h spawn.h syslog.h termios.h time.h unistd.h "
declare -A wrapper_of=()

check_library_header() # FILE HEADER
{
    if [[ $1 != lib/wrap/*.cc ]]; then
        fail "$1: <$2> is a C library's; only a source of lib/wrap may include it"
    elif [ "${wrapper_of[$2]-$1}" != "$1" ]; then
        fail "$1: <$2> is wrapped by ${wrapper_of[$2]} already"
    fi
    wrapper_of[$2]=$1
}

check_include() # FILE LAYER HEADER
{
    local used=${3%%/*}
    case $3 in
    iostream | regex | filesystem) fail "$1: <$3> is not used in this project" ;;
    sys/*.h | linux/*.h | net/*.h | netinet/*.h | arpa/*.h) ;;
    *.hh)
        if [ ! -e "lib/$3" ]; then
            fail "$1: there is no lib/$3"
        elif [ "$2" != "$used" ] && [[ " ${may_use[$2]} " != *" $used "* ]]; then
            fail "$1: $2 is a layer that must not include $3"
        fi ;;
    *.h) [[ $system_headers == *[[:space:]]"$3"[[:space:]]* ]] ||
        check_library_header "$1" "$3" ;;
    esac
}

while IFS=: read -r file header; do
    layer=${file%%/*}
    [ "$layer" = tools ] || layer=$(cut -d / -f 2 <<<"$file")
    if [ -z "${may_use[$layer]+set}" ]; then
        fail "$file: '$layer' is no layer; see tests/lint/layers.sh"
        continue
    fi
    check_include "$file" "$layer" "$header"
    [[ $header != *.hh ]] || printf '%s %s\n' "$file" "lib/$header"
done < <(grep -rHE --include='*.cc' --include='*.hh' '^ *# *include' lib tools |
    sed -E 's/: *# *include *[<"]([^>"]*).*/:\1/') >"${edges:=$(mktemp)}"
trap 'rm -f "$edges"' EXIT

# tsort names the files of a cycle.
if ! tsort <"$edges" >/dev/null 2>"$edges.cycle"; then
    fail "includes form a cycle: $(tail -n +2 "$edges.cycle" | sed 's/^tsort: //' | tr '\n' ' ')"
fi
rm -f "$edges.cycle"
drawers=$(find lib tools -name '*util*')
[ -z "$drawers" ] || fail "a drawer; name it after what it does: $drawers"
exit $status
