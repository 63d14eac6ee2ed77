#!/bin/bash
# `meson install` puts every tool, page, completion, unit, schema and example where it is
# looked for, and what it installs works from there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
DESTDIR=$work meson install -C "$AP_BUILD" --no-rebuild --quiet >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
prefix=$work$(meson introspect --buildoptions "$AP_BUILD" |
    jq -r '.[] | select(.name == "prefix").value')
cd "$AP_SOURCE"

status=0
# Looks for FILE anywhere below the directories that end so: systemd's are found by
# pkg-config and may lie outside of the prefix.
expect()
{
    local directory=$1 file
    shift
    for file in "$@"; do
        if [ -z "$(find "$work" -path "*/$directory/$file")" ]; then
            echo "not installed: $directory/$file" >&2
            status=1
        fi
    done
}
names() { for file in "$@"; do basename "$file" .in; done; }

mapfile -t tools < <(names tools/*.cc | sed 's/\.cc$//')
expect bin "${tools[@]}"
for section in 1 5 7 8; do
    for page in man/*."$section"; do
        [ ! -e "$page" ] || expect "share/man/man$section" "$(basename "$page")"
    done
done
expect share/bash-completion/completions "${tools[@]}"
expect share/zsh/site-functions _autopack
mapfile -t units < <(names systemd/*.in)
expect systemd/system "${units[@]}"
expect sysusers.d autopack.conf
expect tmpfiles.d autopack.conf
expect share/doc/autopack README.md
mapfile -t documents < <(names docs/*)
expect share/doc/autopack/docs "${documents[@]}"
mapfile -t examples < <(names contrib/examples/*)
expect share/doc/autopack/examples "${examples[@]}"

# Nothing of the build's own paths is in what is configured.
if grep -rlF "$AP_BUILD" "$work" --include='*.service' --include='*.timer' --include='*.conf' \
    --include='_autopack' --include='autopack' --exclude-dir=bin; then
    echo "paths of the build are installed" >&2
    status=1
fi

# The front finds the tools beside it, and completion loads by a tool's own name.
cd "$work"
"$prefix/bin/autopack" db init
[ -e autopack.db ]
bash -c '. "$1" && complete -p ap-run' - "$prefix/share/bash-completion/completions/ap-run" \
    >/dev/null

# systemd takes what it is given.
if command -v systemd-sysusers >/dev/null; then
    find "$work" -path '*/sysusers.d/*.conf' \
        -exec systemd-sysusers --root="$work" --dry-run {} + >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        status=1
    }
fi
if command -v systemd-tmpfiles >/dev/null; then
    mkdir -p "$work/root/etc"
    # It knows no user yet there, so only the syntax is looked at.
    find "$work" -path '*/tmpfiles.d/*.conf' -exec systemd-tmpfiles --cat-config {} + \
        >/dev/null || status=1
fi
exit $status
