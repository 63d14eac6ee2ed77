#!/usr/bin/env bats
# One command that finds what is wrong, and says the next.
# shellcheck disable=SC2030,SC2031 # each test has its own environment, as is meant

bats_require_minimum_version 1.5.0
load common

setup() {
    unset "${!AUTOPACK_@}"
    cd "$(mktemp -d)"
    ap-db init
}

teardown() {
    [ -z "${executor:-}" ] || { kill -KILL "$executor" 2>/dev/null || true; }
    rm -rf "$PWD"
}

# findings [OPTION]...: "severity check" of each finding, notes left out
findings() {
    ap-doctor --json "$@" | jq -r '.findings[] | select(.severity != "note") |
        .severity + " " + .check'
}

# follow CHECK: executes the command that the first finding of it names
follow() {
    bash -c "$(ap-doctor --json | jq -r --arg check "$1" \
        '[.findings[] | select(.check == $check)][0].command')"
}

@test "a sound installation with a fresh backup has no finding" {
    ap-backup -q --output-dir backups
    run ap-doctor
    [ "$status" -eq 0 ]
    [ -z "$(findings)" ]
}

@test "where systemd does not run a note says that units are not checked" {
    [ ! -e /run/systemd/system ] || skip "systemd runs here"
    ap-doctor | grep -qx 'note units: not checked: systemd does not run here'
}

@test "a missing database is an error, and its command makes it" {
    rm -rf autopack.db*
    run ap-doctor
    [ "$status" -eq 1 ]
    [[ $output == *"error database: no database at"*"; run: ap-db init"* ]]
    follow database
    [ -e autopack.db ]
}

@test "a database that breaks a rule is an error" {
    query "INSERT INTO runs (run_id, plan, created_at, open_phases)
        VALUES ('x', '{}', 1, 1)"
    run ap-doctor
    [ "$status" -eq 1 ]
    [[ $output == *"error database: "*"; run: ap-db check"* ]]
}

@test "an old backup and none are warnings, and the command makes one" {
    [ "$(findings)" = 'warning backups' ]
    run ap-doctor
    [ "$status" -eq 0 ]
    follow backups
    [ -z "$(findings)" ]
    sleep 0.01
    [ "$(findings --backup-age 1ms)" = 'warning backups' ]
    [ "$(findings --backups elsewhere)" = 'warning backups' ]
}

@test "open permissions are found, and fixed on request" {
    ap-backup -q --output-dir backups
    echo key >provider.key
    chmod 644 provider.key
    chmod o+w autopack.db
    chmod 755 .autonomous_runs
    mkdir keys
    echo key >keys/one
    chmod 640 keys/one
    echo '{"providers": [{"key_file": "keys/one"}]}' >ap-gate.conf
    [ "$(ap-doctor --json | jq -r '.findings[] | select(.check == "permissions").command')" = \
        "chmod o-w $PWD/autopack.db
chmod go-rwx $PWD/.autonomous_runs
chmod go-rwx $PWD/keys/one
chmod go-rwx $PWD/provider.key" ]
    run ap-doctor --fix
    [ "$status" -eq 0 ]
    [[ $output == *"fixed: chmod go-rwx $PWD/keys/one"* ]]
    [ "$(stat -c %a autopack.db provider.key keys/one .autonomous_runs | tr '\n' ' ')" = \
        '644 600 600 700 ' ]
    [ -z "$(findings)" ]
}

# A run whose executor was killed while its phase executed.
killed_executor() {
    jq -n '{run_id: "night", phases: [{id: "work", command: "sleep 300"}]}' |
        ap-run create - >/dev/null
    ap-exec --run-id night --quiet 3>&- &
    executor=$!
    wait_until test -e .autonomous_runs/night/phases/work/attempt-1/stdout
    kill -KILL "$executor"
    wait "$executor" || true
    executor=
}

@test "a phase of a dead executor is an error, and fixed on request" {
    ap-backup -q --output-dir backups
    killed_executor
    run ap-doctor
    [ "$status" -eq 1 ]
    [[ $output == *"error phases: phase work of run night is EXECUTING and its executor"* ]]
    [[ $output == *"warning connections: 1 connections are of processes that died"* ]]
    run ap-doctor --fix
    [ "$status" -eq 0 ]
    [[ $output == *"fixed: 1 connections of dead processes removed"* ]]
    [[ $output == *"fixed: 1 attempts of dead executors ended"* ]]
    [ "$(query "SELECT status FROM phases")" = QUEUED ]
    [ -z "$(findings)" ]
}

@test "the command for a dead executor's phase takes it up" {
    ap-backup -q --output-dir backups
    killed_executor
    follow phases
    [ -z "$(findings)" ]
}

is_found_silent() {
    [ "$(findings --silence 1ms)" = 'warning phases' ]
}

@test "a silent phase is a warning, and the command ends it" {
    ap-backup -q --output-dir backups
    jq -n '{run_id: "night", phases: [{id: "work", command: "sleep 300"}]}' |
        ap-run create - >/dev/null
    ap-exec --run-id night --quiet 3>&- &
    executor=$!
    wait_until test -e .autonomous_runs/night/phases/work/attempt-1/stdout
    [ -z "$(findings)" ]
    wait_until is_found_silent
    bash -c "$(ap-doctor --json --silence 1ms | jq -r '.findings[] |
        select(.check == "phases").command')"
    wait "$executor" || true
    executor=
    [ "$(query "SELECT status FROM attempts")" = TIMED_OUT ]
}

@test "an open breaker and a budget near its cap are warnings" {
    ap-backup -q --output-dir backups
    jq -n '{run_id: "night", token_cap: 100, phases: [{id: "a", command: "true"}]}' |
        ap-run create - >/dev/null
    query "UPDATE runs SET status = 'STOPPED'"
    ap-budget report night --prompt-tokens 85
    ap-breaker open provider
    [ "$(findings)" = $'warning budgets\nwarning breakers' ]
    ap-doctor | grep -q 'run night used 85 % of its cap.*; run: ap-budget show night$'
}

@test "a phase and a day near their caps are warnings, each with its command" {
    ap-backup -q --output-dir backups
    jq -n '{run_id: "night", phases: [{id: "a", command: "true", token_cap: 100}]}' |
        ap-run create - >/dev/null
    query "UPDATE runs SET status = 'EXECUTING'; UPDATE phases SET status = 'EXECUTING'"
    ap-budget report night a --prompt-tokens 80
    ap-budget set-day --tokens 100
    run ap-doctor
    grep -q 'phase a of run night used 80 % of its cap.*; run: ap-budget show night$' <<< "$output"
    grep -q 'the day .* used 80 % of its cap.*; run: ap-budget show-day$' <<< "$output"
}

@test "reservations of a run that has ended are given back on request" {
    ap-backup -q --output-dir backups
    jq -n '{run_id: "night", phases: [{id: "a", command: "true"}]}' | ap-run create - >/dev/null
    ap-budget reserve night --tokens 10 >/dev/null
    [ -z "$(findings)" ]
    ap-exec --run-id night --quiet
    [ "$(findings)" = 'warning budgets' ]
    ap-doctor --fix | grep -qx 'fixed: 1 reservations of runs that have ended given back'
    [ "$(query "SELECT tokens_reserved FROM budgets WHERE phase_id = ''")" -eq 0 ]
    [ -z "$(findings)" ]
}

@test "a ledger that was edited is an error, and its command tidies it" {
    ap-backup -q --output-dir backups
    ap-ledger add build -t One <<<secret >/dev/null
    sed -i s/secret/public/ docs/BUILD_HISTORY.md
    run ap-doctor
    [ "$status" -eq 1 ]
    [[ $output == *"error ledger: $PWD/docs/BUILD_HISTORY.md:5: entry"* ]]
    follow ledger
    [ -z "$(findings)" ]
}

@test "commands name the database where it would not be found" {
    run ap-doctor
    [[ $output == *"run: ap-backup --output-dir $PWD/backups"* ]]
    [[ $output != *--db* ]]
    here=$PWD
    run env -C / ap-doctor --db "$here/autopack.db"
    [[ $output == *"run: ap-backup --output-dir $here/backups --db $here/autopack.db"* ]]
}
