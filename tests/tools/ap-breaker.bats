#!/usr/bin/env bats
# ap-breaker as scripts use it.

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
}

# field NAME MEMBER: a member of `show --json`
field() {
    ap-breaker show --json "$1" | jq -r ".$2"
}

# trip NAME: five failures in a row
trip() {
    for _ in 1 2 3 4 5; do
        ap-breaker failure "$1" --reason "no answer"
    done
}

# become_due NAME: as if its time had passed
become_due() {
    sqlite3 autopack.db "UPDATE circuit_breakers SET retry_at = 0 WHERE name = '$1'"
}

@test "the first use makes the database" {
    ap-breaker failure api
    [ -f autopack.db ]
    run -0 --separate-stderr ap-breaker list
    [ "${lines[0]}" = "BREAKER  STATE   FAILURES  PROBES  RETRY AT  REASON" ]
    [[ "${lines[1]}" == "api "*"closed "* ]]
    [ -z "$stderr" ]
}

@test "list and show without a database say what to do" {
    run -66 --separate-stderr ap-breaker list
    [[ "$stderr" == *"run 'ap-db init'"* ]]
    ap-db init
    run -66 --separate-stderr ap-breaker show nope
    [ "$stderr" = "ap-breaker: no breaker 'nope'" ]
    run -66 ap-breaker close nope
    run -66 ap-breaker reset nope
    run -0 ap-breaker reset --all
}

@test "run hands through streams, arguments and the exit status" {
    run -0 --separate-stderr ap-breaker run api -- sh -c 'cat; echo "$1" >&2' x -y <<<"in"
    [ "$output" = in ]
    [ "$stderr" = -y ]
    run -7 ap-breaker run api -- sh -c 'exit 7'
    [ "$(field api failure_count)" = 1 ]
    run -137 ap-breaker run api -- sh -c 'kill -KILL $$'
    [ "$(field api failure_count)" = 2 ]
    run -0 ap-breaker run api -- true
    [ "$(field api failure_count)" = 0 ]
}

@test "run of what cannot be started ends as env does and counts nothing" {
    ap-breaker failure api
    run -127 --separate-stderr ap-breaker run api -- ./nothing
    [ "$stderr" = "ap-breaker: cannot run './nothing': No such file or directory" ]
    touch plain
    run -126 ap-breaker run api -- ./plain
    [ "$(field api failure_count)" = 1 ]
}

@test "run does not start the command of an open breaker" {
    trip api
    run -81 --separate-stderr ap-breaker run api -- touch started
    [ -z "$output" ]
    [[ "$stderr" =~ ^"ap-breaker: breaker 'api' is open; try again in "[0-9]+"s ("[-0-9\ :]+")"$ ]] ||
        [[ "$stderr" == *"try again in 1m00s"* ]]
    [ ! -e started ]
    [ "$(field api reason)" = "5 failures in a row; the last: no answer" ]
}

@test "run ignores the statuses it is told to" {
    ap-breaker set api --failure-threshold 1
    for status in 4 75; do
        run -"$status" ap-breaker run --ignore-status 4,75 api -- sh -c "exit $status"
    done
    [ "$(field api state)" = closed ]
    run -2 --separate-stderr ap-breaker run --ignore-status 4-5 api -- true
    [[ "$stderr" == *"--ignore-status: expected numbers"* ]]
    run -5 ap-breaker run --ignore-status 4,75 api -- sh -c 'exit 5'
    [ "$(field api state)" = open ]
}

@test "run counts a call as slow that took too long" {
    ap-breaker set api --window-calls 2 --slow-rate 1
    run -0 ap-breaker run --slow-after 20ms api -- sleep 0.05
    [ "$(field api state)" = closed ]
    run -0 ap-breaker run --slow-after 20ms api -- sleep 0.05
    [ "$(field api state)" = open ]
    [ "$(field api reason)" = "2 of the last 2 calls were slow" ]
}

@test "run passes signals on and gives its probe back" {
    for signal in INT TERM; do
        rm -f ready
        trip api
        become_due api
        # A shell starts background jobs with SIGINT ignored; env undoes that.
        env --default-signal=INT ap-breaker run api -- \
            sh -c 'trap "echo got-$0; exit 9" $0; : >ready; while :; do sleep 0.01; done' \
            "$signal" >"out.$signal" 3>&- &
        pid=$!
        wait_until test -e ready
        [ "$(field api probes)" = 1 ]
        run -81 ap-breaker allow api
        kill -s "$signal" "$pid"
        status=0
        wait "$pid" || status=$?
        [ "$status" = 9 ]
        [ "$(cat "out.$signal")" = "got-$signal" ]
        [ "$(field api state)" = half_open ]
        [ "$(field api probes)" = 0 ]
        ap-breaker reset api
    done
}

@test "a killed run frees its probe" {
    trip api
    become_due api
    ap-breaker run api -- sh -c 'echo $$ >child; exec sleep 60' 3>&- &
    pid=$!
    wait_until test -s child
    [ "$(field api probes)" = 1 ]
    kill -KILL "$pid"
    wait "$pid" || true
    [ "$(field api probes)" = 0 ]
    run -0 ap-breaker allow api
    kill "$(cat child)"
}

@test "run holds no database open while the command runs" {
    ap-breaker failure api
    run -0 ap-breaker run api -- sqlite3 autopack.db 'SELECT count(*) FROM connections'
    [ "$output" = 0 ]
}

@test "run passes the status through when the result cannot be recorded" {
    run -3 --separate-stderr ap-breaker run api -- sh -c 'rm autopack.db*; exit 3'
    [[ "$stderr" == "ap-breaker: breaker 'api' was not told the result: no database at"* ]]
}

@test "two probes of a script close the breaker" {
    trip api
    run -81 ap-breaker allow api
    become_due api
    run -0 --separate-stderr ap-breaker allow api
    [[ "$output" =~ ^[0-9]+$ ]]
    probe=$output
    run -81 ap-breaker allow api
    ap-breaker success api --duration 1s
    [ "$(field api success_count)" = 0 ]
    ap-breaker success api --probe "$probe"
    [ "$(field api success_count)" = 1 ]
    ap-breaker success api --probe "$(ap-breaker allow api)"
    [ "$(field api state)" = closed ]
    run -0 --separate-stderr ap-breaker allow api
    [ -z "$output$stderr" ]
}

@test "a failed probe opens it for longer, or as long as the service asks" {
    trip api
    become_due api
    ap-breaker failure api --probe "$(ap-breaker allow api)" --reason "still down"
    [ "$(field api reason)" = "a probe failed; the last: still down" ]
    span="SELECT retry_at - opened_at FROM circuit_breakers"
    [ "$(sqlite3 autopack.db "$span")" = 120000 ]
    become_due api
    ap-breaker failure api --probe "$(ap-breaker allow api)" --retry-after 2h
    [ "$(sqlite3 autopack.db "$span")" = 7200000 ]
}

@test "open holds until it is closed" {
    ap-breaker open api --reason "moved house"
    become_due api
    run -81 --separate-stderr ap-breaker allow api
    [ "$stderr" = "ap-breaker: breaker 'api' is open; it is held open until it is closed or reset" ]
    [ "$(field api reason)" = "moved house" ]
    ap-breaker close api
    ap-breaker allow api
}

@test "disable lets everything pass" {
    ap-breaker disable api
    trip api
    run -1 ap-breaker run api -- false
    [ "$(field api state)" = disabled ]
    [ "$(field api failure_count)" = 0 ]
}

@test "reset --all closes every breaker" {
    trip one
    ap-breaker open two
    ap-breaker reset --all
    [ "$(ap-breaker list --json | jq -r .state | sort -u)" = closed ]
    run -2 --separate-stderr ap-breaker reset
    [[ "$stderr" == *"reset: give BREAKER or --all"* ]]
    run -2 ap-breaker reset one --all
}

@test "every transition is an event" {
    trip api
    become_due api
    ap-breaker allow api
    ap-breaker reset api
    run -0 sqlite3 autopack.db "SELECT json_extract(detail, '\$.from'), json_extract(detail, '\$.to')
        FROM events WHERE kind = 'breaker.state' ORDER BY event_id"
    [ "$output" = $'closed|open\nopen|half_open\nhalf_open|closed' ]
}

@test "set changes every setting and keeps the others" {
    ap-breaker set api --failure-threshold 3 --success-threshold 1 --open-for 10s \
        --probe-for 5s --backoff-factor 1.5 --longest-open 1h --half-open-probes 4 \
        --window 1m --minimum-calls 20 --failure-rate 0.25 --slow-rate 0.75 --slow-after 2s
    ap-breaker set api --window 0 --window-calls 50
    run -0 ap-breaker show --json api
    [ "$(jq -cS .config <<<"$output")" = "$(jq -cS . <<<'{"failure_threshold":3,
        "success_threshold":1,"open_ms":10000,"probe_ms":5000,"backoff_factor":1.5,
        "longest_open_ms":3600000,"half_open_probes":4,"window_calls":50,"window_ms":0,
        "minimum_calls":20,"failure_rate":0.25,"slow_rate":0.75,"slow_ms":2000}')" ]
    run -0 ap-breaker show api
    [[ "$output" == *$'\nlongest-open       1h00m\n'* ]]
}

@test "set refuses what makes no sense" {
    run -2 --separate-stderr ap-breaker set api
    [[ "$stderr" == *"set: nothing to set"* ]]
    run -2 --separate-stderr ap-breaker set api --open-for soon
    [[ "$stderr" == *"--open-for: expected a duration such as 90s, got 'soon'"* ]]
    run -65 --separate-stderr ap-breaker set api --failure-rate 2
    [ "$stderr" = "ap-breaker: failure_rate: expected 0.01 to 1, got 2" ]
    run -65 ap-breaker set api --window 5s --window-calls 5
    run -2 --separate-stderr ap-breaker set ../api --failure-threshold 1
    [[ "$stderr" == *"'../api' cannot name a breaker"* ]]
    run -0 ap-breaker list --json
    [ -z "$output" ]
}

@test "instants are RFC 3339 or null" {
    trip api
    for member in opened_at retry_at; do
        [[ "$(field api $member)" =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$ ]]
    done
    ap-breaker reset api
    [ "$(ap-breaker show --json api | jq -c '[.opened_at, .retry_at, .reason]')" = '[null,null,null]' ]
}
