#!/usr/bin/env bats
# Phases as batch jobs, with scripts in the place of Slurm's tools; tests/slurm has the
# real ones.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    attempt=.autonomous_runs/r/phases/a/attempt-1
    mkdir bin jobs
    export PATH=$PWD/bin:$PATH AUTOPACK_LAUNCHER=slurm
    # A job is a directory of jobs/, with its name, its command, its process and, at its
    # end, `over`. What sbatch itself started would be ended with it, so slurmd does.
    script sbatch <<'END'
for word; do
    case $word in
    --job-name=*) name=${word#*=} ;;
    --output=*) log=${word#*=} ;;
    --wrap=*) command=${word#*=} ;;
    esac
done
id=$(($(ls | wc -l) + 1))
mkdir $id
echo "$name" > $id/name
echo "$log" > $id/log
echo "$command" > $id/new
mv $id/new $id/command
echo $id
END
    script slurmd <<'END'
while sleep 0.02; do
    for id in *; do
        [ -e $id/command ] && [ ! -e $id/pid ] || continue
        SLURM_JOB_ID=$id sh $id/command > "$(cat $id/log)" 2>&1 &
        echo $! > $id/pid
        { tail --pid=$! -f /dev/null; touch $id/over; } &
    done
done
END
    slurmd > /dev/null 2>&1 3>&- &
    slurmd=$!
    script squeue <<'END'
for id in *; do
    [ ! -e $id/name ] || {
        state=RUNNING
        [ ! -e $id/over ] || state=COMPLETED
        echo "$id|$state|$(cat $id/name)|None"
    }
done
END
    script scancel <<'END'
signal=KILL
for word; do
    case $word in
    --signal=*) signal=${word#*=} ;;
    [0-9]*) kill -$signal $(cat $word/pid) ;;
    esac
done
END
}

teardown() {
    kill "$slurmd"
    for job in jobs/*/pid; do
        kill -9 "$(cat "$job")" 2> /dev/null || true
    done
}

script() {
    { printf '#!/bin/bash\ncd %s/jobs || exit 1\n' "$PWD"; cat; } > "bin/$1"
    chmod +x "bin/$1"
}

plan() {
    printf '%s' "$1" > plan.json
    ap-run create plan.json
}

begun() {
    [ -e begun ]
}

@test "a phase is executed by the job, with its output, checks and usage" {
    plan '{"run_id": "r", "phases": [{"id": "a", "check": "echo checked", "command":
        "echo $SLURM_JOB_ID; echo \"{\\\"prompt_tokens\\\": 5}\" > $AUTOPACK_USAGE_FIFO"}]}'
    ap-exec --run-id r
    [ "$(cat "$attempt/stdout")" = 1 ]
    [ "$(cat "$attempt/check-1.stdout")" = checked ]
    [ "$(ap-budget show r --json | jq -s '.[0].tokens_used')" -eq 5 ]
    [ ! -e "$attempt/job.secret" ]
    ap-db check
}

@test "a phase may name its launcher itself" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "echo -$SLURM_JOB_ID", "launcher": "local"},
        {"id": "b", "command": "echo -$SLURM_JOB_ID"}]}'
    ap-exec --quiet --run-id r
    [ "$(cat "$attempt/stdout")" = - ]
    [ "$(cat .autonomous_runs/r/phases/b/attempt-1/stdout)" = -1 ]
}

@test "the next executor takes up the job of one that was killed" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "echo x >> begun; until [ -e go ]; do sleep 0.05; done"}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until begun
    kill -9 $!
    wait $! || true
    touch go
    ap-exec --quiet --run-id r
    [ "$(cat begun)" = x ]
    [ "$(query "SELECT group_concat(status) FROM attempts")" = SUCCEEDED ]
    ap-db check
}

@test "abort ends the job and what it started" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "touch begun; sleep 8642.1; true"}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until begun
    ap-ctl abort r
    status=0
    wait $! || status=$?
    [ "$status" -eq 83 ]
    run pgrep -f 'sleep 8642'
    [ "$status" -ne 0 ]
}

@test "a launcher that there is not is refused" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["true"]}]}'
    run ap-exec --launcher moon --run-id r
    [ "$status" -eq 2 ]
    [[ "$output" = *"--launcher: expected local or slurm, got 'moon'"* ]]
    AUTOPACK_LAUNCHER=moon run ap-exec --run-id r
    [ "$status" -eq 78 ]
    [[ "$output" = *"AUTOPACK_LAUNCHER: expected local or slurm, got 'moon'"* ]]
}

@test "ap-job needs the order of an executor, and executes an attempt once" {
    mkdir -p empty
    run ap-job empty
    [ "$status" -eq 66 ]
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "echo x"}]}'
    script sbatch <<< 'for word; do case $word in --output=*) cp "$(dirname "${word#*=}")/job.secret" .. ;; esac; done; exit 1'
    run ap-exec --quiet --run-id r
    [ "$status" -eq 1 ]
    cp job.secret "$attempt"
    run ap-job "$attempt"
    [ "$status" -eq 75 ]
    [ ! -e "$attempt/stdout" ]
}

@test "tools refuse the database of another machine" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "echo x"}]}'
    AUTOPACK_REMOTE_STATE=1 run ap-budget show r
    [ "$status" -eq 69 ]
    [[ "$output" = *'belongs to another machine'* ]]
}
