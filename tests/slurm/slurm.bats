#!/usr/bin/env bats
# Phases as jobs of the real Slurm that cluster.sh starts.

load ../tools/common
load ../tools/mock

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    export AUTOPACK_LAUNCHER=slurm
    attempt=.autonomous_runs/r/phases/a/attempt-1
}

teardown() {
    scancel --user=root
    stop_mock
    for pid in ${PIDS:-}; do
        kill -9 "$pid" 2> /dev/null || true
    done
}

plan() {
    printf '%s' "$1" > plan.json
    ap-run create plan.json
}

phase_is() {
    [ "$(query "SELECT status FROM phases WHERE phase_id = '$1'")" = "$2" ]
}

reason_of() {
    query "SELECT reason FROM attempts WHERE number = $1"
}

is_executed() {
    [ -e executed ]
}

# The command of most tests: leaves a line in `executed` each time it is executed.
once='echo $SLURM_JOB_ID >> executed; echo begun'

executed_once() {
    [ "$(wc -l < executed)" -eq 1 ]
}

no_job_is_left() {
    [ -z "$(squeue --noheader --user=root)" ]
}

start_executor() {
    ap-exec --run-id r > exec.out 2>&1 3>&- &
    executor=$!
    PIDS="${PIDS:-} $executor"
}

# sbatch as the executor finds it: does $1 (a shell text, in which "$@" is the call).
wrap_sbatch() {
    mkdir -p bin
    printf '#!/bin/bash\nexecutor=$(ps -o ppid= "$PPID")\n%s\n' "$1" > bin/sbatch
    chmod +x bin/sbatch
}

@test "a phase completes, and its output, checks and usage are brought back" {
    plan '{"run_id": "r", "phases": [{"id": "a", "check": "test -n \"$SLURM_JOB_ID\"",
        "command": "echo out; echo err >&2; echo \"{\\\"prompt_tokens\\\": 5}\" > $AUTOPACK_USAGE_FIFO"}]}'
    ap-exec --run-id r
    [ "$(cat "$attempt/stdout")" = out ]
    [ "$(cat "$attempt/stderr")" = err ]
    [ "$(jq -r .status "$attempt/result.json")" = SUCCEEDED ]
    [ "$(ap-budget show r --json | jq -s '.[0].tokens_used')" -eq 5 ]
    [ ! -e "$attempt/usage.spool" ]
    ap-db check
}

@test "usage that an agent prints is counted" {
    plan '{"run_id": "r", "phases": [{"id": "a", "agent": "custom",
        "command": "echo \"{\\\"usage\\\": {\\\"prompt_tokens\\\": 3, \\\"completion_tokens\\\": 4}}\""}]}'
    ap-exec --quiet --run-id r
    [ "$(ap-budget show r --json | jq -s '.[0].tokens_used')" -eq 7 ]
}

@test "a phase fails with its status, and what Slurm refuses fails with its reason" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "exit 3"},
        {"id": "b", "command": ["true"], "slurm": {"partition": "nowhere"}}]}'
    run ap-exec --quiet --run-id r
    [ "$status" -eq 1 ]
    [ "$(query "SELECT exit_code FROM attempts WHERE phase_id = 'a'")" -eq 3 ]
    [[ "$(query "SELECT reason FROM attempts WHERE phase_id = 'b'")" = *invalid\ partition* ]]
    ap-db check
}

@test "nothing secret is shown or kept by Slurm, and the order is gone once it has begun" {
    export AUTOPACK_GATE_URL=http://127.0.0.1:9 SOME_TOKEN=hidden-1
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "echo $SOME_TOKEN $ANTHROPIC_API_KEY; scontrol show job -dd $SLURM_JOB_ID; scontrol write batch_script $SLURM_JOB_ID -"}]}'
    ap-exec --quiet --run-id r
    key=$(sed -n '1s/^hidden-1 //p' "$attempt/stdout")
    [[ "$key" = apk-* ]]
    [ "$(grep -cE "hidden-1|$key" "$attempt/stdout")" -eq 1 ]
    grep -q WorkDir "$attempt/stdout"
    run grep -rlaE "hidden-1|$key" "$CLUSTER" .autonomous_runs
    [ "$output" = "$attempt/stdout" ]
}

@test "the executor is killed midway: the next one takes the job up, executed once" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "'"$once"'; until [ -e go ]; do sleep 0.1; done; echo done"}]}'
    start_executor
    wait_until is_executed
    kill -9 "$executor"
    start_executor
    wait_until grep -q 'taken up' exec.out
    phase_is a EXECUTING
    touch go
    wait "$executor"
    executed_once
    [ "$(tail -1 "$attempt/stdout")" = 'done' ]
    [ "$(query 'SELECT count(*) FROM attempts')" -eq 1 ]
    phase_is a COMPLETE
    ap-db check
}

@test "a job that ends while nobody executes the run is taken with its result and usage" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "'"$once"'; until [ -e go ]; do sleep 0.1; done; echo \"{\\\"prompt_tokens\\\": 5}\" > $AUTOPACK_USAGE_FIFO"}]}'
    start_executor
    wait_until is_executed
    kill -9 "$executor"
    touch go
    wait_until no_job_is_left
    ap-exec --quiet --run-id r
    executed_once
    [ "$(query 'SELECT count(*) FROM attempts')" -eq 1 ]
    [ "$(ap-budget show r --json | jq -s '.[0].tokens_used')" -eq 5 ]
    ap-db check
}

@test "the executor is killed between submission and record: found by name, not submitted twice" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "'"$once"'; sleep 1"}]}'
    wrap_sbatch 'sbatch=$(PATH=${PATH#*:}; type -P sbatch)
        "$sbatch" "$@" >/dev/null; kill -9 "$executor"; sleep 5'
    PATH=$PWD/bin:$PATH start_executor
    wait "$executor" || true
    [ "$(query 'SELECT count(*) FROM batch_jobs WHERE job_id IS NULL')" -eq 1 ]
    ap-exec --quiet --run-id r
    executed_once
    [ "$(query 'SELECT count(*) FROM attempts')" -eq 1 ]
    [ "$(query 'SELECT job_id FROM batch_jobs')" = "$(cat executed)" ]
    ap-db check
}

@test "the executor is killed before submission: the attempt is given up and a new one made" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "'"$once"'"}]}'
    wrap_sbatch 'kill -9 "$executor"; sleep 5'
    PATH=$PWD/bin:$PATH start_executor
    wait "$executor" || true
    ap-exec --quiet --run-id r
    executed_once
    [ "$(query "SELECT group_concat(status) FROM attempts")" = INTERRUPTED,SUCCEEDED ]
    ap-db check
}

@test "a job that comes after its attempt was given up executes nothing" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "'"$once"'"}]}'
    wrap_sbatch 'printf "%q " "$@" > '"$PWD"'/late; kill -9 "$executor"; sleep 5'
    PATH=$PWD/bin:$PATH start_executor
    wait "$executor" || true
    ap-exec --quiet --run-id r
    eval "sbatch $(cat late) --wait" || true
    grep -q "cannot open.*job.secret" "$attempt/job.log"
    executed_once
}

@test "abort ends the job at once, and its processes" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "trap : TERM; '"$once"'; (setsid sleep 7531.1 &); sleep 7531.2; sleep 7531.3"}]}'
    start_executor
    wait_until is_executed
    ap-ctl abort r
    status=0
    wait "$executor" || status=$?
    wait_until no_job_is_left
    run pgrep -f 'sleep 7531'
    [ "$status" -ne 0 ]
    [ "$(query 'SELECT status FROM runs')" = DONE_ABORTED ]
    ap-db check
}

@test "abort takes a job that still waits out of the queue" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["true"],
        "slurm": {"partition": "closed"}}]}'
    start_executor
    wait_until grep -q 'waits: PartitionDown' exec.out
    ap-ctl abort r
    status=0
    wait "$executor" || status=$?
    no_job_is_left
    [ "$(query 'SELECT status FROM runs')" = DONE_ABORTED ]
}

@test "a job of a dead executor is ended by the next one if abort was asked for meanwhile" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "'"$once"'; sleep 7531.4"}]}'
    start_executor
    wait_until is_executed
    kill -9 "$executor"
    wait "$executor" || true
    run ap-ctl abort r
    [ "$status" -eq 75 ]
    run ap-exec --quiet --run-id r
    [ "$status" -eq 83 ]
    wait_until no_job_is_left
    run pgrep -f 'sleep 7531'
    [ "$status" -ne 0 ]
    ap-db check
}

@test "a phase that takes or is silent too long is ended, its processes too" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "sleep 7531.5", "timeout": "500ms"},
        {"id": "b", "command": "sleep 7531.6", "idle_timeout": "500ms"}]}'
    run ap-exec --quiet --jobs 2 --run-id r
    [ "$status" -eq 1 ]
    [ "$(query 'SELECT group_concat(status) FROM (SELECT status FROM attempts ORDER BY phase_id)')" = \
        TIMED_OUT,IDLE_TIMED_OUT ]
    wait_until no_job_is_left
    run pgrep -f 'sleep 7531'
    [ "$status" -ne 0 ]
}

@test "a job cancelled in Slurm fails the attempt with that reason" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "'"$once"'; sleep 7531.7"}]}'
    start_executor
    wait_until is_executed
    scancel "$(cat executed)"
    status=0
    wait "$executor" || status=$?
    [ "$status" -eq 1 ]
    [[ "$(reason_of 1)" = "Slurm job $(cat executed) was cancelled"* ]]
}

@test "the controller may be away for a while" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "'"$once"'; until [ -e go ]; do sleep 0.1; done"},
        {"id": "b", "command": ["true"], "depends_on": ["a"]}]}'
    start_executor
    wait_until is_executed
    controller=$(cat "$CLUSTER/slurmctld.pid")
    kill "$controller"
    wait_until not_alive "$controller"
    touch go
    wait_until phase_is a COMPLETE
    slurmctld -f "$SLURM_CONF" 3>&-
    wait "$executor"
    executed_once
    phase_is b COMPLETE
    ap-db check
}

not_alive() {
    ! kill -0 "$1" 2> /dev/null
}

@test "calls to the gateway go over TLS and are charged to the attempt" {
    address=$(hostname -I | cut -d ' ' -f 1)
    address=${address:-127.0.0.1}
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
        -subj /CN=gate -addext "subjectAltName=IP:$address" -keyout gate.key -out gate.crt
    start_mock
    cat > ap-gate.conf <<END
{"listen": {"tcp": {"address": "$address", "port": 0, "allow_non_local": true,
            "certificate": "gate.crt", "key": "gate.key", "ca_file": "gate.crt"}},
 "providers": [{"name": "main", "family": "anthropic", "base_url": "$MOCK_URL"}]}
END
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "curl -sS --fail-with-body $ANTHROPIC_BASE_URL/v1/messages -H \"x-api-key: $ANTHROPIC_API_KEY\" -H \"anthropic-version: 2023-06-01\" -d @call"},
        {"id": "b", "command": "echo hi | ap-llm --config $AP_SOURCE/contrib/llm.json --model anthropic/claude-sonnet-4-5"}]}'
    echo '{"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}' > call
    ap-gate 3>&- &
    PIDS="${PIDS:-} $!"
    wait_until test -e .autonomous_runs/gate.json
    [[ "$(jq -r .url .autonomous_runs/gate.json)" = https://$address:* ]]
    ap-exec --quiet --run-id r
    [ "$(jq -r .type "$attempt/stdout")" = message ]
    used=$(jq '.usage.input_tokens + .usage.output_tokens' "$attempt/stdout")
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = 'a'")" -eq "$used" ]
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = 'b'")" -gt 0 ]
}
