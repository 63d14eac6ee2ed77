#!/usr/bin/env bats
# ap-limit, and the limiter it tells of.

bats_require_minimum_version 1.5.0

setup() {
    load serve
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR AUTOPACK_BIND_ADDRESS AUTOPACK_ALLOW_NON_LOCAL
}

teardown() {
    stop_server
}

try_login() {
    status_of "$url/login" --data-urlencode name=ada --data-urlencode password=wrong "$@"
}

@test "without a server there is nothing to ask" {
    run -69 --separate-stderr ap-limit status
    [ "$stderr" = "ap-limit: no ap-serve is running here: start 'ap-serve'" ]
}

@test "the sixth login in a minute is refused, and the address is tracked" {
    start_server
    run -0 ap-limit status
    [ "${lines[0]}" = "Tracked IPs: 0" ]
    for _ in 1 2 3 4 5; do
        [ "$(try_login)" = 401 ]
    done
    [ "$(try_login)" = 429 ]
    run -0 ap-limit status
    [ "${lines[*]}" = "Tracked IPs: 1 Blocked IPs: 1 At most: 10000" ]
    [ "$(ap-limit status --json | jq -c .)" = '{"tracked_ips":1,"blocked_ips":1,"cap":10000}' ]
    # Another address of the loopback network is another address.
    [ "$(try_login --interface 127.0.0.2)" = 401 ]
    curl -s -D - -o /dev/null "$url/login" -d name=a -d password=b | grep -qi '^retry-after: [0-9]*'
}

@test "a right password counts as a try, too" {
    ap-user add ada <<<"correct horse battery"
    start_server
    for _ in 1 2 3 4 5; do
        [ "$(status_of "$url/login" -d name=ada --data-urlencode "password=correct horse battery")" = 303 ]
    done
    [ "$(status_of "$url/login" -d name=ada --data-urlencode "password=correct horse battery")" = 429 ]
}

@test "the server can be asked through its socket" {
    start_server --socket serve.sock
    jq '.url = null' .autonomous_runs/serve.json >changed
    mv changed .autonomous_runs/serve.json
    run -0 ap-limit status
    [ "${lines[0]}" = "Tracked IPs: 0" ]
}
