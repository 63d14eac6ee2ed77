#!/usr/bin/env bats

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
}

plan() {
    printf '%s' "$1" > plan.json
    ap-run create plan.json
}

phase_is() {
    [ "$(sqlite3 autopack.db "SELECT status FROM phases WHERE phase_id = '$1'")" = "$2" ]
}

run_is() {
    [ "$(sqlite3 autopack.db 'SELECT status FROM runs')" = "$1" ]
}

tokens_are() {
    [ "$(ap-budget show r --json | jq -s '.[0].tokens_used')" -eq "$1" ]
}

job_is_over() {
    ! pgrep -f "^bash job$" > /dev/null
}

@test "a run of phases and checks succeeds and leaves a sound database" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "echo out; echo err >&2"},
        {"id": "b", "command": ["true"], "check": "test 1 = 1", "depends_on": ["a"]}]}'
    run ap-exec --run-id r
    [ "$status" -eq 0 ]
    [ "$(cat .autonomous_runs/r/phases/a/attempt-1/stdout)" = out ]
    [ "$(cat .autonomous_runs/r/phases/a/attempt-1/stderr)" = err ]
    [ "$(jq -r .status .autonomous_runs/r/phases/b/attempt-1/result.json)" = SUCCEEDED ]
    ap-db check
}

@test "a failing phase is tried again and fails the run, skipping what depends on it" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": ["false"], "max_attempts": 3, "backoff": {"first": "10ms"}},
        {"id": "b", "command": ["true"], "depends_on": ["a"]}]}'
    run ap-exec --quiet --run-id r
    [ "$status" -eq 1 ]
    phase_is a FAILED
    phase_is b SKIPPED
    [ "$(sqlite3 autopack.db 'SELECT count(*) FROM attempts')" -eq 3 ]
    ap-db check
}

@test "a daemon that forks away does not outlive its phase" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "(setsid sleep 31.4159 &); sleep 0.1"}]}'
    ap-exec --quiet --run-id r
    run pgrep -f 'sleep 31.4159'
    [ "$status" -ne 0 ]
}

@test "a phase that ignores TERM is killed when its time is up" {
    plan '{"run_id": "r", "phases": [{"id": "a", "timeout": "200ms", "grace": "200ms",
        "command": "trap \"\" TERM; while :; do sleep 0.1; done"}]}'
    run ap-exec --quiet --run-id r
    [ "$status" -eq 1 ]
    [ "$(sqlite3 autopack.db 'SELECT status FROM attempts')" = TIMED_OUT ]
}

@test "a phase over its token cap fails as budget-exhausted" {
    plan '{"run_id": "r", "phases": [{"id": "a", "token_cap": 10, "command":
        "echo \"{\\\"prompt_tokens\\\": 11}\" > $AUTOPACK_USAGE_FIFO; sleep 30"}]}'
    run ap-exec --quiet --run-id r
    [ "$status" -eq 1 ]
    [ "$(sqlite3 autopack.db 'SELECT status FROM attempts')" = BUDGET_EXHAUSTED ]
}

@test "a run over its token cap ends as budget-exhausted with status 80" {
    plan '{"run_id": "r", "token_cap": 10, "phases": [{"id": "a", "command":
        "echo \"{\\\"prompt_tokens\\\": 11}\" > $AUTOPACK_USAGE_FIFO; sleep 30"}]}'
    run ap-exec --quiet --run-id r
    [ "$status" -eq 80 ]
    run_is DONE_FAILED_BUDGET_EXHAUSTED
}

@test "an executor that was killed leaves nothing stuck" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "test $AUTOPACK_ATTEMPT -gt 1 || sleep 27.1828"}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until phase_is a EXECUTING
    kill -9 $!
    ap-exec --quiet --run-id r
    run pgrep -f 'sleep 27.1828'
    [ "$status" -ne 0 ]
    [ "$(sqlite3 autopack.db "SELECT group_concat(status) FROM attempts")" = \
        INTERRUPTED,SUCCEEDED ]
    ap-db check
}

@test "usage reported while no executor lives is counted by the next one, once" {
    cat > job <<'EOF'
exec 2>/dev/null
report() { echo "{\"prompt_tokens\": $1}" > "$AUTOPACK_USAGE_FIFO"; }
trap 'for i in {1..5000}; do report 10; done; report 3; exit 1' TERM
report 1
[ "$AUTOPACK_ATTEMPT" -gt 1 ] || while :; do sleep 0.05; done
EOF
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["bash", "job"]}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until tokens_are 1
    kill -9 $!
    # The keeper saves them even if no executor comes for a long time.
    wait_until job_is_over
    ap-exec --quiet --run-id r
    [ "$(ap-budget show r a --json | jq .tokens_used)" -eq 50005 ]
    [ "$(sqlite3 autopack.db 'SELECT count(*) FROM llm_usage_events')" -eq 5003 ]
    ap-db check
}

@test "a stop written by echo is obeyed and the run can be resumed" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["sleep", "0.5"]},
        {"id": "b", "command": ["true"]}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until phase_is a EXECUTING
    echo stop:r > .autonomous_runs/.stop_executor
    status=0
    wait $! || status=$?
    [ "$status" -eq 82 ]
    phase_is a COMPLETE
    phase_is b QUEUED
    ap-exec --quiet --run-id r
    run_is DONE_SUCCESS
}

@test "an abort written by echo ends the run now" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["sleep", "30"]}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until phase_is a EXECUTING
    echo abort:r > .autonomous_runs/.abort_run
    status=0
    wait $! || status=$?
    [ "$status" -eq 83 ]
    run_is DONE_ABORTED
    ap-db check
}

@test "a phase is timed out by echo and by ap-ctl" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["sleep", "30"]},
        {"id": "b", "command": ["sleep", "30"]}]}'
    ap-exec --quiet --jobs 2 --run-id r 3>&- &
    wait_until phase_is a EXECUTING
    wait_until phase_is b EXECUTING
    echo timeout:a > .autonomous_runs/.force_timeout
    ap-ctl timeout r b
    status=0
    wait $! || status=$?
    [ "$status" -eq 1 ]
    phase_is a FAILED
    phase_is b FAILED
}

@test "four executors share a run without running a phase twice" {
    jq -n '{run_id: "r", phases: [range(60) | {id: "p\(.)", command: ["true"]}]}' > p.json
    ap-run create p.json
    for _ in 1 2 3 4; do
        ap-exec --quiet --run-id r 3>&- &
    done
    wait
    run_is DONE_SUCCESS
    [ "$(sqlite3 autopack.db 'SELECT count(*) FROM attempts')" -eq 60 ]
    ap-db check
}

@test "AUTOPACK_RUN_TOKEN_CAP moves the cap of a run whose plan gave none" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["true"]}]}'
    AUTOPACK_RUN_TOKEN_CAP=10000000 ap-exec --quiet --run-id r
    [ "$(ap-budget show r --json | jq -s '.[0].token_cap')" -eq 10000000 ]
}

@test "AUTOPACK_RUN_TOKEN_CAP leaves a cap that the plan gave" {
    plan '{"run_id": "r", "token_cap": 70, "phases": [{"id": "a", "command": ["true"]}]}'
    AUTOPACK_RUN_TOKEN_CAP=10000000 ap-exec --quiet --run-id r
    [ "$(ap-budget show r --json | jq -s '.[0].token_cap')" -eq 70 ]
}

@test "phases one after the other report usage each for itself, and leave no FIFO behind" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "echo \"{\\\"prompt_tokens\\\": 11}\" > $AUTOPACK_USAGE_FIFO"},
        {"id": "b", "command": "test -p .autonomous_runs/r/phases/b/attempt-1/usage.fifo"},
        {"id": "c", "command": "echo \"{\\\"prompt_tokens\\\": 22}\" > $AUTOPACK_USAGE_FIFO"}]}'
    ap-exec --quiet --run-id r
    [ "$(sqlite3 autopack.db 'SELECT group_concat(phase_id || prompt_tokens, " ")
        FROM llm_usage_events')" = "a11 c22" ]
    [ -z "$(find .autonomous_runs/r/phases -type p)" ]
}

@test "autopack.conf beside the database gives the settings of executors" {
    echo AUTOPACK_JOBS=2 > autopack.conf
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "until [ -e b.here ]; do sleep 0.01; done; touch a.here"},
        {"id": "b", "command": "touch b.here; until [ -e a.here ]; do sleep 0.01; done"}]}'
    timeout 20 ap-exec --quiet --run-id r
    [ "$(sqlite3 autopack.db 'SELECT jobs FROM executors')" -eq 2 ]
}

@test "--jobs goes before AUTOPACK_JOBS, which goes before autopack.conf" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["true"]}]}'
    echo AUTOPACK_JOBS=2 > autopack.conf
    AUTOPACK_JOBS=3 ap-exec --quiet --run-id r --once
    [ "$(sqlite3 autopack.db 'SELECT max(jobs) FROM executors')" -eq 3 ]
    ap-run create --run-id s plan.json
    AUTOPACK_JOBS=3 ap-exec --quiet --run-id s --jobs 4
    [ "$(sqlite3 autopack.db 'SELECT max(jobs) FROM executors')" -eq 4 ]
}

@test "a malformed configuration is refused at the start, naming file and line" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["true"]}]}'
    printf '# mine\nAUTOPACK_JOBS=many\n' > autopack.conf
    run ap-exec --quiet --run-id r
    [ "$status" -eq 78 ]
    [[ $output == "ap-exec: $PWD/autopack.conf:2: AUTOPACK_JOBS: expected"*"got 'many'" ]]
    phase_is a QUEUED
}

@test "SIGHUP makes an executor start more phases at once" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "until [ -e b.here ]; do sleep 0.01; done"},
        {"id": "b", "command": "touch b.here"}]}'
    timeout 20 ap-exec --quiet --run-id r 3>&- &
    wait_until phase_is a EXECUTING
    echo AUTOPACK_JOBS=2 > autopack.conf
    pkill -HUP -P $! ap-exec
    wait $!
    run_is DONE_SUCCESS
}

@test "SIGHUP moves the cap of a run whose plan gave none" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["sleep", "60"]}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until phase_is a EXECUTING
    ap-budget report r a --prompt-tokens 100
    echo AUTOPACK_RUN_TOKEN_CAP=10 > autopack.conf
    kill -HUP $!
    status=0
    wait $! || status=$?
    [ "$status" -eq 80 ]
    run_is DONE_FAILED_BUDGET_EXHAUSTED
}

@test "SIGHUP with a malformed configuration warns and keeps the old one" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "until [ -e go ]; do sleep 0.01; done"}]}'
    ap-exec --quiet --run-id r 2> warnings 3>&- &
    wait_until phase_is a EXECUTING
    echo AUTOPACK_JOBS=many > autopack.conf
    kill -HUP $!
    wait_until grep -q "configuration kept as it was: $PWD/autopack.conf:1: " warnings
    touch go
    wait $!
    run_is DONE_SUCCESS
    [ "$(sqlite3 autopack.db 'SELECT jobs FROM executors')" -eq 1 ]
}
