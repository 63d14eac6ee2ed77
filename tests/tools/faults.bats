#!/usr/bin/env bats
# What the world does to the suite: full disks, read-only files, stuck readers, stubborn
# and fleeing children, clocks that jump. Each with its documented exit status.

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
    unset "${!AUTOPACK_RUN_TOKEN@}" "${!AUTOPACK_PHASE_TOKEN@}"
}

teardown() {
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    cd /
    if [ -d "$BATS_TEST_TMPDIR/disk" ]; then
        umount -l "$BATS_TEST_TMPDIR/disk" 2>/dev/null || true
    fi
}

# small_disk SIZE: mounts one at ./disk and goes there
small_disk() {
    mkdir disk
    mount -t tmpfs -o "size=$1" tmpfs disk 2>/dev/null || skip 'nothing can be mounted'
    cd disk
}

# fill: leaves no byte on the disk
fill() {
    cat /dev/zero >filler 2>/dev/null || true
}

# create COMMAND [MEMBERS]: the run r of the phase a
create() {
    jq -n --arg command "$1" '{run_id: "r", phases: [{id: "a", command: $command}
        + '"${2:-{\}}"']}' | ap-run create - >/dev/null
}

phase_is() {
    [ "$(query "SELECT status FROM phases WHERE phase_id = 'a'")" = "$1" ]
}

# none_left MARK: no process has it in its command line
none_left() {
    ! pgrep -f "$1" >/dev/null
}

@test "on a full disk a change fails with status 74 and the database stays whole" {
    small_disk 4m
    create true
    ap-budget report r a --prompt-tokens 1
    # Somebody has the database open, as usual.
    mkfifo hold
    sqlite3 autopack.db <hold >held 3>&- &
    pids+=($!)
    exec 7>hold
    echo 'SELECT count(*) FROM runs;' >&7
    wait_until test -s held
    fill
    run -74 --separate-stderr ap-budget reserve r --tokens 1 --purpose "$(head -c 9000 /dev/zero | tr '\0' p)"
    [ -z "$output" ]
    [[ "$stderr" == "ap-budget: "* ]]
    run -74 ap-ctl abort r
    run -74 ap-db cleanup
    run -0 ap-budget show r a --json
    [ "$(jq .tokens_used <<<"$output")" -eq 1 ]
    ap-db check
    rm filler
    exec 7>&-
    ap-budget report r a --prompt-tokens 2
    [ "$(ap-budget show r a --json | jq .tokens_used)" -eq 3 ]
    [ "$(query 'SELECT count(*) FROM budget_reservations')" -eq 0 ]
    ap-db check
}

@test "an executor whose disk fills up ends with status 74, and the next goes on" {
    small_disk 6m
    create 'cat /dev/zero | tr "\0" x; sleep 60'
    fill
    truncate -s -1m filler
    run -74 --separate-stderr timeout 30 ap-exec --quiet --run-id r
    [[ "$stderr" == *"No space left on device"* || "$stderr" == *"full"* ]]
    wait_until none_left '^cat /dev/zero$'
    rm filler
    query "UPDATE phases SET spec = json_set(spec, '\$.command', json('[\"true\"]'))"
    ap-exec --quiet --run-id r
    phase_is COMPLETE
    ap-db check
}

@test "a read-only database can be looked at and not changed, with status 77" {
    create true
    ap-exec --quiet --run-id r
    mkdir disk
    mount -t tmpfs tmpfs disk 2>/dev/null || skip 'nothing can be mounted'
    cp autopack.db disk
    mount -o remount,ro disk
    export AUTOPACK_DB=$PWD/disk/autopack.db
    run -0 ap-budget show r
    run -0 ap-run show r
    run -0 ap-ctl status r
    run -0 ap-db check
    for words in "budget report r --prompt-tokens 1" "budget set r --tokens 1" \
        "budget reserve r --tokens 1" "ctl abort r" "run delete r" "db cleanup" \
        "exec --run-id r" "breaker failure b"; do
        # shellcheck disable=SC2086
        run -77 --separate-stderr autopack $words
        [ -z "$output" ]
        [[ "$stderr" == "ap-"*": "* ]]
    done
}

# halted: the counter in ./progress stands still, far from its end
halted() {
    local before
    before=$(cat progress)
    sleep 0.1
    [ "$before" = "$(cat progress)" ] && [ "${before:-0}" -gt 100 ] && [ "$before" -lt 3000 ]
}

@test "a writer to a full usage FIFO waits, is not hurt, and loses nothing" {
    create 'exec 9>$AUTOPACK_USAGE_FIFO; for i in $(seq 3000); do
        echo "{\"prompt_tokens\": 1, \"model\": \"$(printf %0200d 0)\"}" >&9
        [ $i -ne 5 ] || until [ -e go ]; do sleep 0.02; done
        echo $i >progress; done; echo written'
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    pids+=("$executor")
    wait_until phase_is EXECUTING
    kill -STOP "$executor"
    touch go
    wait_until halted
    kill -CONT "$executor"
    wait "$executor"
    [ "$(cat .autonomous_runs/r/phases/a/attempt-1/stdout)" = written ]
    [ "$(ap-budget show r a --json | jq .tokens_used)" -eq 3000 ]
}

@test "a writer that must not wait is told that the usage FIFO is full" {
    create 'until [ -e go ]; do sleep 0.02; done'
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    pids+=("$executor")
    fifo=.autonomous_runs/r/phases/a/attempt-1/usage.fifo
    wait_until test -p $fifo
    kill -STOP "$executor"
    run -1 dd if=/dev/zero of=$fifo oflag=nonblock bs=4096 count=64 status=none
    [[ "$output" == *"Resource temporarily unavailable"* ]]
    kill -CONT "$executor"
    touch go
    wait "$executor"
}

@test "a child that ignores TERM is killed when its grace is over, with status 1" {
    create 'trap "" TERM; echo started; while :; do sleep 1; done' \
        '{timeout: "300ms", grace: "300ms"}'
    run -1 ap-exec --quiet --run-id r
    [ "$(query 'SELECT status, signal FROM attempts')" = 'TIMED_OUT|9' ]
    [ "$(query 'SELECT duration_ms BETWEEN 600 AND 5000 FROM attempts')" -eq 1 ]
}

@test "an idle child is ended, one that prints is not" {
    create 'echo once; sleep 60' '{idle_timeout: "200ms"}'
    run -1 ap-exec --quiet --run-id r
    [ "$(query 'SELECT status FROM attempts')" = IDLE_TIMED_OUT ]
    ap-run delete r
    create 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done' '{idle_timeout: "400ms"}'
    ap-exec --quiet --run-id r
}

@test "children that fork away end with their phase, whatever becomes of it" {
    mark=$((RANDOM + 100000))
    away="(setsid sh -c '(sleep $mark & sleep $mark) & sleep $mark' >/dev/null 2>&1 &); sleep 0.1"
    create "$away"
    ap-exec --quiet --run-id r
    none_left "sleep $mark"
    ap-run delete r
    create "$away; exit 3"
    run -1 ap-exec --quiet --run-id r
    none_left "sleep $mark"
    ap-run delete r
    create "$away; sleep 60" '{timeout: "300ms"}'
    run -1 ap-exec --quiet --run-id r
    none_left "sleep $mark"
}

@test "children that forked away from a killed executor are ended by the next" {
    mark=$((RANDOM + 100000))
    create "[ \$AUTOPACK_ATTEMPT -gt 1 ] || { (trap '' TERM; setsid sleep $mark &); sleep 60; }" \
        '{grace: "200ms"}'
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until pgrep -f "sleep $mark" >/dev/null
    keeper=$(pgrep -P "$executor")
    kill -KILL "$executor" "$keeper"
    ap-exec --quiet --run-id r
    none_left "sleep $mark"
    [ "$(query 'SELECT group_concat(status) FROM attempts')" = INTERRUPTED,SUCCEEDED ]
    ap-db check
}

# needs_faketime: which a program that is watched by sanitizers cannot be run under
needs_faketime() {
    command -v faketime >/dev/null || skip 'faketime is not installed'
    ! ldd "$(command -v ap-exec)" | grep -q libasan || skip 'sanitizers are in'
}

# at WHEN COMMAND...: with the calendar shifted; CLOCK_MONOTONIC goes on as ever
at() {
    local when=$1
    shift
    FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f "$when" "$@"
}

@test "a run goes on after the clock was set back by a year" {
    needs_faketime
    create '[ $AUTOPACK_ATTEMPT -gt 1 ]' \
        '{max_attempts: 2, backoff: {first: "10m", jitter: 0}}'
    run -1 ap-exec --quiet --once --run-id r
    phase_is QUEUED
    # Ten minutes are to be waited for; nobody waits for a year and ten minutes.
    run -0 at -1y timeout 20 ap-exec --quiet --run-id r
    phase_is COMPLETE
    ap-db check
}

@test "a run goes on after the clock was set forward by a year" {
    needs_faketime
    create '[ $AUTOPACK_ATTEMPT -gt 1 ]' \
        '{max_attempts: 2, backoff: {first: "10m", jitter: 0}}'
    run -1 ap-exec --quiet --once --run-id r
    run -0 at +1y timeout 20 ap-exec --quiet --run-id r
    phase_is COMPLETE
    ap-db check
}

@test "timeouts keep their length while the clock jumps" {
    needs_faketime
    create 'env -u LD_PRELOAD sleep 60' '{timeout: "500ms"}'
    started=${EPOCHREALTIME/./}
    # The program's calendar runs a thousand times too fast.
    run -1 at '+0 x1000' timeout 20 ap-exec --quiet --run-id r
    [ $(((${EPOCHREALTIME/./} - started) / 1000)) -ge 500 ]
    [ "$(query 'SELECT status FROM attempts')" = TIMED_OUT ]
}

@test "an open breaker is due again although the clock was set back" {
    needs_faketime
    ap-breaker set b --failure-threshold 1 --open-for 60s
    at +1y ap-breaker failure b
    run -0 ap-breaker allow b
}
