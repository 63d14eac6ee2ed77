#!/bin/bash
# The units under a real systemd: boots a Debian in a container (systemd-nspawn, as root),
# with what "meson install" installs, and has inside.sh use them there.
#
# The Debian is made once by debootstrap, in AP_SYSTEMD_ROOT or the build directory.
set -euo pipefail
for program in debootstrap systemd-nspawn unshare; do
    command -v "$program" >/dev/null || exit 77
done
[ "$(id -u)" -eq 0 ] || exit 77

base=${AP_SYSTEMD_ROOT:-$AP_BUILD/systemd-root}
packages=systemd,systemd-sysv,dbus,libarchive13,libcurl4,libexpat1,libjansson4
packages+=,libmicrohttpd12,libsodium23,libsqlite3-0,libsystemd0,libzstd1,procps,curl,jq
packages+=,sqlite3,python3,zstd
if [ ! -e "$base/.complete" ]; then
    rm -rf "$base"
    debootstrap --variant=minbase --include="$packages" bookworm "$base" >&2
    touch "$base/.complete"
fi

work=$(mktemp -d "$(dirname "$base")/systemd-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
cp -a --reflink=auto "$base" "$root"
DESTDIR=$root meson install -C "$AP_BUILD" --no-rebuild >/dev/null
install -D "$AP_SOURCE/tests/systemd/inside.sh" "$root/test/inside.sh"
cp -R "$AP_SOURCE/tests/mock_upstream" "$root/test"
cat >"$root/etc/systemd/system/autopack-test.service" <<'END'
[Unit]
Description=What is to be tested
After=dbus.service network.target

[Service]
Type=oneshot
Environment=TERM=dumb
ExecStart=/bin/bash /test/inside.sh
StandardOutput=file:/test/tap
StandardError=file:/test/errors
ExecStopPost=systemctl --no-block poweroff

[Install]
WantedBy=multi-user.target
END
ln -s /etc/systemd/system/autopack-test.service \
    "$root/etc/systemd/system/multi-user.target.wants/autopack-test.service"

# A control group tree and mounts of its own: the host need not run systemd.
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
timeout 600 unshare --cgroup --mount systemd-nspawn --directory="$root" --register=no \
    --keep-unit --boot --link-journal=no --private-network --console=read-only \
    </dev/null >"$work/console" 2>&1 || true
if ! grep -q '^1\.\.' "$root/test/tap"; then
    tail -50 "$work/console" "$root/test/errors" >&2 || true
fi
cat "$root/test/tap"
cat "$root/test/errors" >&2
grep -q '^1\.\.' "$root/test/tap" && ! grep -q '^not ok' "$root/test/tap"
