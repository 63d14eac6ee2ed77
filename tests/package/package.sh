#!/bin/bash
# contrib/build-deb makes a package that lintian finds nothing against, and whose programs
# run from where it puts them.
set -euo pipefail
for program in dpkg-buildpackage dh lintian; do
    command -v "$program" >/dev/null || exit 77
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DEB_BUILD_OPTIONS="nocheck ${DEB_BUILD_OPTIONS-}"
"$AP_SOURCE/contrib/build-deb" "$work" >"$work/log" 2>&1 || {
    tail -40 "$work/log" >&2
    exit 1
}
lintian --allow-root --fail-on error,warning "$work"/*.changes

dpkg -x "$work"/autopack_*.deb "$work/root"
for tool in "$AP_SOURCE"/tools/*.cc; do
    name=$(basename "$tool" .cc)
    "$work/root/usr/bin/$name" --version | grep -q "^$name " || {
        echo "$name: is not in the package, or does not run" >&2
        exit 1
    }
done
cd "$work"
root/usr/bin/autopack db init
root/usr/bin/autopack backup -o backup.tar.zst
root/usr/bin/autopack restore --verify-only -i backup.tar.zst

# Its units name the programs of the package, and nothing is enabled or started by it.
grep -qx 'ExecStart=/usr/bin/ap-serve' root/lib/systemd/system/ap-serve.service
dpkg -e autopack_*.deb scripts
grep -q 'systemd-sysusers' scripts/postinst
if grep -E "deb-systemd-invoke|systemctl .*(start|enable)" scripts/postinst; then
    exit 1
fi
# What was started ends with it; nobody waits for executors with hours to go.
grep -q 'systemctl stop --no-block' scripts/prerm
