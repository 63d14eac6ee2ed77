#!/bin/bash
# No two types of the library have one name: the linker would take the functions of one of
# them for both.
set -euo pipefail
cd "$AP_SOURCE"
twice=$(grep -rhoE '^(class|struct) [A-Za-z]+( final)?( : .*)?$' lib --include='*.hh' |
    awk '{ print $2 }' | sort | uniq -d)
for name in $twice; do
    echo "type '$name' is defined more than once:" >&2
    grep -rlE "^(class|struct) $name( final)?( : .*)?$" lib --include='*.hh' >&2
done
[ -z "$twice" ]
