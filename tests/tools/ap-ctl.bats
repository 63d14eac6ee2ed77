#!/usr/bin/env bats
# ap-ctl(1), the control files that people write with echo, the control FIFO, and signals.

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
    unset "${!AUTOPACK_RUN_TOKEN@}" "${!AUTOPACK_PHASE_TOKEN@}"
    runs=.autonomous_runs
}

teardown() {
    for pid in "${executors[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
}

# create RUN COMMAND COUNT: a run of phases p1 to pCOUNT that each execute COMMAND
create() {
    jq -n --arg run "$1" --arg command "$2" --argjson count "$3" '{run_id: $run, phases:
        [range($count) | {id: "p\(. + 1)", command: $command, grace: "1s"}]}' |
        ap-run create - >/dev/null
}

# execute RUN [OPTION...]: in the background, until it has begun
execute() {
    ap-exec --run-id "$@" >"$1.out" 2>"$1.err" 3>&- &
    executor=$!
    executors+=("$executor")
    wait_until grep -qs '^run: started' "$1.out"
}

# ends_with STATUS: what the executor exits with
ends_with() {
    local status=0
    wait "$executor" || status=$?
    [ "$status" -eq "$1" ]
}

phase_is() {
    [ "$(query "SELECT status FROM phases WHERE run_id = '$1' AND phase_id = '$2'")" = "$3" ]
}

run_is() {
    [ "$(query "SELECT status FROM runs WHERE run_id = '$1'")" = "$2" ]
}

# lies_in FILE LINE: the file is that line alone
lies_in() {
    [ "$(cat "$1" 2>/dev/null)" = "$2" ]
}

@test "stop finishes what executes, leaves the rest queued, and is answered" {
    create r 'sleep 0.5' 2
    execute r
    wait_until phase_is r p1 EXECUTING
    run -0 --separate-stderr ap-ctl stop r --json
    [ "$(jq -c . <<<"$output")" = \
        '{"run_id":"r","verb":"stop","outcome":"stopping; 1 phases to finish"}' ]
    [ -z "$stderr" ]
    ends_with 82
    phase_is r p1 COMPLETE
    phase_is r p2 QUEUED
    run_is r STOPPED
    [ "$(query 'SELECT source, applied_at IS NOT NULL FROM controls')" = 'ap-ctl|1' ]
    # A stop is over once it is obeyed.
    run -0 ap-exec --quiet --run-id r
    run_is r DONE_SUCCESS
}

@test "abort ends what executes now" {
    create r 'sleep 60' 2
    execute r --jobs 2
    wait_until phase_is r p2 EXECUTING
    run -0 --separate-stderr ap-ctl abort r
    [ -z "$output$stderr" ]
    ends_with 83
    run_is r DONE_ABORTED
    [ "$(query 'SELECT group_concat(status) FROM attempts')" = ABORTED,ABORTED ]
    run -83 ap-exec --quiet --run-id r
    ap-db check
}

@test "timeout ends one phase alone" {
    create r 'sleep 60' 2
    execute r --jobs 2
    wait_until phase_is r p2 EXECUTING
    run -0 ap-ctl timeout r p1 --json
    [ "$(jq -r .outcome <<<"$output")" = 'attempt 1 of phase p1 is ended' ]
    wait_until phase_is r p1 FAILED
    phase_is r p2 EXECUTING
    [ "$(query "SELECT status FROM attempts WHERE phase_id = 'p1'")" = TIMED_OUT ]
    ap-ctl abort r
    ends_with 83
}

@test "a paused run starts no further phase until it is resumed" {
    create r 'until [ -e go ]; do sleep 0.02; done' 2
    execute r
    wait_until phase_is r p1 EXECUTING
    run -0 ap-ctl pause r --json
    [ "$(jq -r .outcome <<<"$output")" = 'run paused' ]
    [ "$(ap-ctl status r --json | jq .paused)" = true ]
    touch go
    wait_until phase_is r p1 COMPLETE
    # The executor has seen the end of p1; it would have leased p2 in the same commit.
    phase_is r p2 QUEUED
    run -0 ap-ctl pause r --json
    [ "$(jq -r .outcome <<<"$output")" = 'run was paused already' ]
    phase_is r p2 QUEUED
    run -0 ap-ctl resume r --json
    [ "$(jq -r .outcome <<<"$output")" = 'run resumed' ]
    ends_with 0
}

@test "a pause also holds for the executors that are started later" {
    create r true 1
    ap-ctl pause r
    execute r
    wait_until grep -q '^run: paused' r.out
    phase_is r p1 QUEUED
    ap-ctl resume r
    ends_with 0
}

@test "without an executor what can be done is done, and stop is status 69" {
    create r true 2
    run -69 --separate-stderr ap-ctl stop r
    [ "$stderr" = "ap-ctl: no executor is running 'r'" ]
    run -0 ap-ctl timeout r p1 --json
    [ "$(jq -r .outcome <<<"$output")" = recorded ]
    run -0 ap-ctl abort r --json
    [ "$(jq -r .outcome <<<"$output")" = 'aborted; nothing was executing' ]
    run_is r DONE_ABORTED
    [ "$(query 'SELECT group_concat(status) FROM phases')" = SKIPPED,SKIPPED ]
    run -65 --separate-stderr ap-ctl abort r
    [ "$stderr" = "ap-ctl: run 'r' has ended (DONE_ABORTED)" ]
    ap-db check
}

@test "a request for what is not there is status 66 and leaves no trace" {
    create r true 1
    for words in "stop x" "abort x" "timeout x p1" "timeout r x" "pause x" "resume x" "status x"; do
        # The words are split on purpose.
        # shellcheck disable=SC2086
        run -66 --separate-stderr ap-ctl $words
        [ -z "$output" ]
        [[ "$stderr" == "ap-ctl: "* ]]
    done
    [ "$(query 'SELECT count(*) FROM controls')" -eq 0 ]
}

@test "usage errors are status 2 with a hint" {
    create r true 1
    for words in "" "sotp r" stop "stop r p1" "timeout r" "status r s" "pause r --wait soon x" \
        "stop --nothing r"; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr ap-ctl $words
        [ -z "$output" ]
        [ "${stderr_lines[-1]}" = "ap-ctl: try 'ap-ctl --help'" ]
    done
    [ "$(query 'SELECT count(*) FROM controls')" -eq 0 ]
}

@test "status shows runs that have not ended, or one that has" {
    create r 'sleep 60' 2
    create over true 1
    ap-exec --quiet --run-id over
    execute r
    wait_until phase_is r p1 EXECUTING
    run -0 --separate-stderr ap-ctl status
    [ "${#lines[@]}" -eq 2 ]
    [[ "${lines[1]}" =~ ^r\ +EXECUTING\ +1\ +0/2\ +p1\ +0\  ]]
    run -0 ap-ctl status --json
    [ "$(jq -c '[.run_id, .status, .executing, .executors[0].pid]' <<<"$output")" = \
        "[\"r\",\"EXECUTING\",[\"p1\"],$executor]" ]
    run -0 ap-ctl status over --json
    [ "$(jq -c '[.status, .executing, .executors]' <<<"$output")" = '["DONE_SUCCESS",[],[]]' ]
    ap-ctl abort r
    ends_with 83
}

@test "an executor that does not answer leaves the request standing, with status 75" {
    create r 'sleep 60' 1
    execute r
    wait_until phase_is r p1 EXECUTING
    kill -STOP "$executor"
    run -75 --separate-stderr ap-ctl timeout r p1 --wait 50ms
    [[ "$stderr" == *"the request is recorded, but no executor has answered in 50ms"* ]]
    run -0 --separate-stderr ap-ctl abort r --wait 0
    [ -z "$output$stderr" ]
    kill -CONT "$executor"
    ends_with 83
    [ "$(query 'SELECT count(*) FROM controls WHERE applied_at IS NULL')" -eq 0 ]
}

@test "a full control FIFO does not hold ap-ctl up, and the request is obeyed" {
    create r 'sleep 60' 1
    execute r
    wait_until phase_is r p1 EXECUTING
    kill -STOP "$executor"
    # More than a pipe holds; dd stops when it is full.
    dd if=/dev/zero of="$runs"/r/control oflag=nonblock bs=4096 count=64 2>/dev/null || true
    run -75 ap-ctl abort r --wait 50ms
    kill -CONT "$executor"
    ends_with 83
}

@test "lines of the control FIFO are obeyed, and nonsense in it is logged" {
    create r 'sleep 60' 2
    execute r --jobs 2
    wait_until phase_is r p2 EXECUTING
    printf 'nonsense\ntimeout\nstop p1\ntimeout p1\n' >"$runs"/r/control
    wait_until phase_is r p1 FAILED
    phase_is r p2 EXECUTING
    [ "$(grep -c "control line .* ignored" r.err)" -eq 3 ]
    echo wake >"$runs"/r/control
    echo abort >"$runs"/r/control
    ends_with 83
    [ "$(query 'SELECT group_concat(verb || source) FROM controls')" = timeoutfifo,abortfifo ]
}

@test "every control takes effect within 100 ms of its write" {
    create r 'sleep 60' 11
    execute r --jobs 11
    wait_until phase_is r p11 EXECUTING
    for phase in p{1..11}; do
        written=${EPOCHREALTIME/./}
        echo "timeout:r/$phase" >"$runs"/.force_timeout
        wait_until phase_is r "$phase" FAILED
        applied=$(query "SELECT created_at FROM events WHERE kind = 'control.applied'
            AND phase_id = '$phase'")
        echo $((applied - written / 1000)) >>latencies
    done
    ends_with 1
    # On a busy machine one of them may wait for the processor; the middle one shows ours.
    sort -n latencies >sorted
    [ "$(sed -n 6p sorted)" -le 100 ]
}

@test "a stop, a timeout and an abort are written by echo" {
    create r 'sleep 60' 2
    create s 'sleep 0.3' 2
    execute r --jobs 2
    wait_until phase_is r p2 EXECUTING
    execute s
    wait_until phase_is s p1 EXECUTING
    echo stop:s >"$runs"/.stop_executor
    ends_with 82
    phase_is s p1 COMPLETE
    run_is s STOPPED
    executor=${executors[0]}
    echo timeout:p1 >"$runs"/.force_timeout
    wait_until phase_is r p1 FAILED
    phase_is r p2 EXECUTING
    echo abort:r >"$runs"/.abort_run
    ends_with 83
    for file in .stop_executor .force_timeout .abort_run; do
        [ ! -s "$runs/$file" ]
        [ ! -e "$runs/$file.rejected" ]
    done
}

@test "several lines are obeyed, and those for other runs are left alone" {
    create r 'sleep 60' 3
    create other 'sleep 60' 1
    execute r --jobs 3
    wait_until phase_is r p3 EXECUTING
    # A comment is for the people who share the file.
    printf '%s\n' '# nightly' timeout:r/p1 timeout:other/p1 timeout:r/p2 '' \
        >"$runs"/.force_timeout
    wait_until phase_is r p1 FAILED
    wait_until phase_is r p2 FAILED
    phase_is r p3 EXECUTING
    wait_until lies_in "$runs"/.force_timeout '# nightly
timeout:other/p1'
    printf 'stop:other\nstop:r' >"$runs"/.stop_executor
    wait_until lies_in "$runs"/.stop_executor stop:other
    ap-ctl abort r
    ends_with 83
    # The line that was left is obeyed by whom it is for.
    run -82 ap-exec --quiet --run-id other
    phase_is other p1 QUEUED
}

@test "nonsense is moved aside with the reason and logged as an event" {
    create r 'sleep 60' 1
    execute r
    wait_until phase_is r p1 EXECUTING
    printf 'halt:r\nstop:no-such-run\nstop:../r\nabort:r\n' >"$runs"/.stop_executor
    wait_until test -s "$runs"/.stop_executor.rejected
    wait_until test ! -s "$runs"/.stop_executor
    run -0 cut -f 2- "$runs"/.stop_executor.rejected
    [ "${lines[0]}" = $'expected stop:RUN\thalt:r' ]
    [ "${lines[1]}" = $'no run \'no-such-run\'\tstop:no-such-run' ]
    [ "${#lines[@]}" -eq 4 ]
    [ "$(query "SELECT count(*) FROM events WHERE kind = 'control.rejected' AND run_id = 'r'
        AND detail ->> 'file' = '.stop_executor'")" -eq 4 ]
    phase_is r p1 EXECUTING
    run_is r EXECUTING
    ap-ctl abort r
    ends_with 83
}

@test "a control file that is none is moved aside whole" {
    create r 'sleep 60' 1
    execute r
    wait_until phase_is r p1 EXECUTING
    head -c 70000 /dev/zero >"$runs"/.abort_run
    wait_until test -s "$runs"/.abort_run.rejected
    mkdir "$runs"/.stop_executor.tmp
    mv "$runs"/.stop_executor.tmp "$runs"/.stop_executor
    wait_until test -d "$runs"/.stop_executor.rejected
    phase_is r p1 EXECUTING
    echo abort:r >"$runs"/.abort_run
    ends_with 83
}

@test "what is written before the executor starts is obeyed when it does" {
    mkdir "$runs"
    create stopped true 1
    create aborted true 1
    create timed 'sleep 60' 1
    echo stop:stopped >"$runs"/.stop_executor
    echo abort:aborted >"$runs"/.abort_run
    echo timeout:timed/p1 >"$runs"/.force_timeout
    run -82 ap-exec --quiet --run-id stopped
    phase_is stopped p1 QUEUED
    run -83 ap-exec --quiet --run-id aborted
    phase_is aborted p1 SKIPPED
    run -1 ap-exec --quiet --run-id timed
    [ "$(query "SELECT status FROM attempts WHERE run_id = 'timed'")" = TIMED_OUT ]
    [ "$(query 'SELECT count(*) FROM attempts')" -eq 1 ]
    [ "$(query 'SELECT group_concat(source) FROM controls')" = file,file,file ]
    run -0 ap-exec --quiet --run-id stopped
}

@test "TERM is a stop, a second one an abort" {
    create r 'trap "" TERM; until [ -e go ]; do sleep 0.02; done' 2
    for signal in TERM INT; do
        rm -f go
        # A shell starts background jobs with INT ignored; env undoes that.
        env --default-signal=INT ap-exec --quiet --run-id r 2>err 3>&- &
        executor=$!
        executors+=("$executor")
        wait_until phase_is r p1 EXECUTING
        kill -s "$signal" "$executor"
        touch go
        ends_with 82
        phase_is r p1 COMPLETE
        phase_is r p2 QUEUED
        run_is r STOPPED
        query "UPDATE phases SET status = 'QUEUED', ended_at = NULL WHERE phase_id = 'p1';
               UPDATE runs SET open_phases = 2, complete_phases = 0;
               UPDATE tiers SET open_phases = 2"
    done
    rm -f go
    execute r
    wait_until phase_is r p1 EXECUTING
    kill -TERM "$executor"
    wait_until grep -q 'stopping when what executes has ended' r.out
    kill -TERM "$executor"
    ends_with 83
    run_is r DONE_ABORTED
    [ "$(query 'SELECT verb || source FROM controls')" = abortsignal ]
}

@test "USR1 prints what is executing to standard error and changes nothing" {
    create r 'until [ -e go ]; do sleep 0.02; done' 1
    ap-exec --quiet --run-id r >out 2>err 3>&- &
    executor=$!
    executors+=("$executor")
    wait_until phase_is r p1 EXECUTING
    kill -USR1 "$executor"
    wait_until test -s err
    [[ "$(cat err)" =~ ^ap-exec:\ run\ r:\ 0\ of\ 5000000\ tokens\;\ 1\ executing\;\ phase\ p1\ attempt\ 1\ for\ [0-9] ]]
    touch go
    ends_with 0
    [ ! -s out ]
}

@test "a request is obeyed by every executor of the run" {
    create r 'sleep 0.5' 6
    execute r
    first=$executor
    wait_until phase_is r p1 EXECUTING
    ap-exec --quiet --run-id r 3>&- &
    second=$!
    executors+=("$second")
    wait_until phase_is r p2 EXECUTING
    ap-ctl stop r
    for executor in "$first" "$second"; do
        ends_with 82
    done
    run_is r STOPPED
    phase_is r p3 QUEUED
}
