#!/usr/bin/env bats
# ap-approve, and phases that wait for an approval, as people use them.

bats_require_minimum_version 1.5.0

load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR AUTOPACK_RUN_ID AUTOPACK_PHASE_ID AUTOPACK_LEASE
}

teardown() {
    local job
    for job in $(jobs -p); do
        kill "$job" 2>/dev/null || true
    done
    wait
}

# make_run PHASE-MEMBERS [MORE-PHASES]: run r with the phase "deploy"
make_run() {
    printf '{"run_id": "r", "phases": [{"id": "deploy", "command": "echo done >deployed"%s}%s]}' \
        "$1" "${2-}" | ap-run create - >/dev/null
}

is_pending() {
    [ "$(ap-approve list --json | jq -s "any(.approval_id == $1)")" = true ]
}

people_are_told() {
    [ "$(query 'SELECT notified_at IS NOT NULL FROM approvals')" = 1 ]
}

status_of() {
    query "SELECT status FROM phases WHERE phase_id = '$1'"
}

is_complete() {
    [ "$(status_of "$1")" = COMPLETE ]
}

@test "ask waits and exits 0 when a person says yes" {
    make_run ''
    printf -- '-old\n+new\n' >diff
    ap-approve ask --run r --summary 'apply the diff' --kind apply --risk high --detail - <diff 3>&- &
    asking=$!
    wait_until is_pending 1
    run -0 ap-approve show 1
    [[ "$output" == *"apply, risk high: apply the diff"* ]]
    [[ "$output" == *$'\n-old\n+new'* ]]
    run -0 ap-approve yes 1 --by ann --comment 'looks good'
    [ -z "$output" ]
    wait "$asking"
    [ "$(ap-approve show 1 --json | jq -c '[.state, .granted, .decided_by, .comment]')" = \
        '["APPROVED",true,"ann","looks good"]' ]
    [ -z "$(ap-approve list --json)" ]
    [ "$(ap-approve list --all --json | jq .approval_id)" = 1 ]
}

@test "ask exits 1 with the comment when a person says no" {
    make_run ''
    ap-approve ask --run r -s sure 2>said 3>&- &
    asking=$!
    wait_until is_pending 1
    ap-approve no 1 --comment 'not on a Friday'
    status=0
    wait "$asking" || status=$?
    [ "$status" -eq 1 ]
    [ "$(cat said)" = "ap-approve: approval 1 was rejected: not on a Friday" ]
}

@test "without an answer in time the default holds, which is no" {
    make_run ''
    run -1 ap-approve ask --run r -s sure --timeout 50ms
    run -0 ap-approve ask --run r -s sure --timeout 50ms --default yes
    [ "$(query "SELECT group_concat(state) FROM approvals")" = EXPIRED,EXPIRED ]
    run -65 --separate-stderr ap-approve yes 1
    [[ "$stderr" == "ap-approve: approval 1 has expired ("*")" ]]
}

@test "the first answer counts, and the second is told so" {
    make_run ''
    [ "$(ap-approve ask --run r -s sure --no-wait)" = 1 ]
    for answer in yes no; do
        (
            status=0
            ap-approve "$answer" 1 --by "$answer" 2>"$answer.said" 3>&- || status=$?
            echo "$status" >"$answer.status"
        ) &
    done
    wait
    [ "$(sort yes.status no.status | tr '\n' ' ')" = "0 65 " ]
    first=$(query 'SELECT decided_by FROM approvals')
    second=$([ "$first" = yes ] && echo no || echo yes)
    [[ "$(cat "$second.said")" == "ap-approve: approval 1 was "*" before, by $first at "* ]]
    [ "$(query "SELECT count(*) FROM events WHERE kind = 'approval.state'")" = 1 ]
}

@test "wait tells later what became of a question" {
    make_run ''
    ap-approve ask --run r -s sure --no-wait
    ap-approve wait 1 3>&- &
    waiting=$!
    ap-approve yes 1
    wait "$waiting"
    run -0 ap-approve wait 1
}

@test "SIGTERM ends the wait and takes the question back" {
    make_run ''
    ap-approve ask --run r -s sure 3>&- &
    asking=$!
    wait_until is_pending 1
    kill "$asking"
    status=0
    wait "$asking" || status=$?
    [ "$status" -eq 82 ]
    [ "$(query 'SELECT state FROM approvals')" = WITHDRAWN ]
    run -65 --separate-stderr ap-approve yes 1
    [ "$stderr" = "ap-approve: approval 1 was withdrawn: what asked has ended" ]
}

@test "a phase asks by its environment, and may not answer itself" {
    printf '{"run_id": "r", "phases": [{"id": "p", "command": %s}]}' \
        '"ap-approve yes 1 2>refused; ap-approve ask -s sure --timeout 20s && echo yes >answer"' |
        ap-run create - >/dev/null
    ap-exec --run-id r >log 3>&- &
    executor=$!
    wait_until is_pending 1
    [ "$(ap-approve list --json | jq -c '[.run_id, .phase_id, .attempt]')" = '["r","p",1]' ]
    ap-approve yes 1
    wait "$executor"
    [ -f answer ]
    [ "$(cat refused)" = "ap-approve: a phase may not answer: people do, outside of it" ]
}

@test "a question goes away with the attempt that asked" {
    printf '{"run_id": "r", "phases": [{"id": "p", "command": %s, "timeout": "300ms"}]}' \
        '"ap-approve ask -s sure"' | ap-run create - >/dev/null
    run -1 ap-exec --run-id r
    [ "$(query 'SELECT state FROM approvals')" = WITHDRAWN ]
}

@test "a phase with an approval starts when it is given, and others go on meanwhile" {
    make_run ', "approval": {"summary": "deploy to production"}' \
        ', {"id": "other", "command": "true"}'
    ap-exec --run-id r >log 3>&- &
    executor=$!
    wait_until is_pending 1
    wait_until is_complete other
    [ "$(status_of deploy)" = QUEUED ]
    [ "$(query 'SELECT count(*) FROM attempts WHERE ended_at IS NULL')" = 0 ]
    [ "$(query "SELECT reason FROM phases WHERE phase_id = 'deploy'")" = "waits for approval 1" ]
    [ ! -e deployed ]
    ap-approve yes 1
    wait "$executor"
    [ -f deployed ]
    grep -q '^phase deploy: waits for approval 1$' log
}

@test "a rejected phase fails with the reason, and a retry asks again" {
    make_run ', "approval": {}'
    ap-exec --run-id r >log 3>&- &
    executor=$!
    wait_until is_pending 1
    ap-approve no 1 --by ann --comment 'too early'
    status=0
    wait "$executor" || status=$?
    [ "$status" -eq 1 ]
    [ "$(query 'SELECT status || reason FROM phases')" = \
        "FAILEDapproval 1 was rejected by ann: too early" ]
    ap-run retry r
    ap-exec --run-id r >log 3>&- &
    executor=$!
    wait_until is_pending 2
    ap-approve yes 2
    wait "$executor"
    [ -f deployed ]
}

@test "an approval given while no executor runs counts" {
    make_run ', "approval": {}'
    ap-exec --run-id r >log 3>&- &
    executor=$!
    wait_until is_pending 1
    kill -9 "$executor"
    wait "$executor" || true
    ap-approve yes 1
    run -0 ap-exec --run-id r
    [ -f deployed ]
}

@test "a phase that is not approved in time takes its default" {
    make_run ', "approval": {"timeout": "100ms", "default": "yes"}'
    run -0 ap-exec --run-id r
    [ -f deployed ]
    printf '{"run_id": "s", "phases": [{"id": "p", "command": "true", "approval": {"timeout": "100ms"}}]}' |
        ap-run create - >/dev/null
    run -1 ap-exec --run-id s
    [ "$(status_of p)" = FAILED ]
}

@test "an aborted run takes its questions back" {
    make_run ', "approval": {}'
    ap-exec --run-id r >log 3>&- &
    executor=$!
    wait_until is_pending 1
    ap-ctl abort r
    wait "$executor" || true
    [ "$(query 'SELECT state FROM approvals')" = WITHDRAWN ]
}

@test "the approval command gets the question on its standard input, without a shell" {
    make_run ', "approval": {"summary": "say `touch shell` $(touch shell)"}'
    printf '#!/bin/sh\ncat >"$1"\n' >notify
    chmod +x notify
    printf 'AUTOPACK_APPROVAL_COMMAND=["./notify", "told"]\n' >autopack.conf
    ap-exec --run-id r >log 3>&- &
    executor=$!
    wait_until [ -s told ]
    [ "$(jq -r .summary told)" = 'say `touch shell` $(touch shell)' ]
    [ "$(jq -c '[.approval_id, .state, .kind]' told)" = '[1,"PENDING","phase"]' ]
    [ ! -e shell ]
    ap-approve yes 1
    wait "$executor"
}

@test "a failing approval command is told and does not touch the question" {
    make_run ''
    printf 'AUTOPACK_APPROVAL_COMMAND=["false"]\n' >autopack.conf
    run -0 --separate-stderr ap-approve ask --run r -s sure --no-wait
    [ "$output" = 1 ]
    [ "$stderr" = "ap-approve: approval command 'false' failed with status 1" ]
    is_pending 1
    [ "$(query "SELECT count(*) FROM events WHERE kind = 'approval.unnotified'")" = 1 ]
}

@test "a question that was killed before people were told of it is told by the next ap-exec" {
    make_run ', "approval": {"summary": "deploy"}'
    # The first time it ends the process that runs it.
    printf '#!/bin/sh\nmkdir killed 2>/dev/null && kill -KILL "$PPID" && exit\ncat >>told\n' >notify
    chmod +x notify
    printf 'AUTOPACK_APPROVAL_COMMAND=["./notify"]\n' >autopack.conf
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until [ -e killed ]
    kill -KILL "$executor"
    wait "$executor" || true
    [ ! -e told ]
    for _ in 1 2; do
        ap-exec --quiet --run-id r 3>&- &
        executor=$!
        wait_until [ -s told ]
        wait_until people_are_told
        wait_until ap-ctl stop r
        wait "$executor" || true
    done
    [ "$(jq -r .summary told)" = deploy ]
}

@test "questions go with their run: export, backup, merge, delete" {
    make_run ''
    ap-approve ask --run r -s sure --no-wait
    [ "$(ap-run export r | jq -r '.approvals[0].summary')" = sure ]
    ap-backup -o b.tar.zst >/dev/null
    ap-run delete r
    [ "$(query 'SELECT count(*) FROM approvals')" = 0 ]
    ap-restore -i b.tar.zst --merge
    [ "$(query 'SELECT summary FROM approvals')" = sure ]
    ap-approve yes "$(ap-approve list --json | jq .approval_id)"
}

@test "bad words are refused" {
    make_run ''
    run -2 --separate-stderr ap-approve ask -s sure
    [[ "$stderr" == *"no run: give --run or set AUTOPACK_RUN_ID"* ]]
    run -65 ap-approve ask --run r --no-wait
    run -65 ap-approve ask --run r --no-wait -s $'two\nlines'
    run -66 ap-approve ask --run none --no-wait -s sure
    run -66 ap-approve ask --run r --phase none --no-wait -s sure
    run -2 ap-approve ask --run r --no-wait -s sure --default perhaps
    run -66 ap-approve yes 7
    run -65 ap-approve yes seven
    AUTOPACK_APPROVAL_COMMAND=notify-send run -0 --separate-stderr ap-approve ask --run r -s sure --no-wait
    [[ "$stderr" == *"AUTOPACK_APPROVAL_COMMAND: expected a JSON array of a program and its arguments"* ]]
}
