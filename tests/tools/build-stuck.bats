#!/usr/bin/env bats
# Builds that come no further: stronger models, and what a person says.

bats_require_minimum_version 1.5.0
load common
load mock
load build
load repositories

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    make_repository_of c
    sed 's/return 6;/return 60;/; s/return 3600/return 36/' wrong > wrong-hours
    sed 's/return 6;/return 60;/; s/words > 0/words >= 0/' wrong > wrong-empty
    sed 's/words > 0/words >= 0/' wrong > wrong-both
    # Tells people of approvals: what it is given goes to ./told.
    printf '#!/bin/sh\ncat >> %s/told\n' "$PWD" > tell
    chmod +x tell
    AUTOPACK_APPROVAL_COMMAND=$(jq -cn --arg program "$PWD/tell" "[\$program]")
    export AUTOPACK_APPROVAL_COMMAND
}

teardown() {
    stop_mock
}

nothing='src/main.c
<<<<<<< SEARCH
#include <stdio.h>
=======
#include <stdio.h>
>>>>>>> REPLACE
'

@test "an answer that changes nothing is told to be none" {
    start "$(says small "$nothing")" "$(answers small good '{"when": "changes nothing"}')" "$(approves)"
    create_run_of_goal '{}'
    ap-exec --quiet --run-id r
    [ "$(failures)" = no-change ]
    reads_durations
    books_are_right
}

# Two failures of one model and three of the stronger one; a person is asked then.
stuck_builds() {
    start "$(answers small wrong '{"repeat": true}')" "$(answers big wrong)" "$(answers big wrong)" \
        "$(answers big wrong)" "$(answers big good)" "$(approves)"
    create_run_of_goal '{"on_stuck": "review", "max_attempts": 50}' "$merges"
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until is_asked
}

@test "a person who is asked about a stuck phase says yes, and it goes on" {
    stuck_builds
    [ "$(query "SELECT group_concat(model) FROM builds")" = small,small,big,big,big ]
    [ "$(jq -r '.kind + " " + .phase_id' told)" = 'stuck read' ]
    jq -r .summary told | grep -q 'the same failure 3 times'
    ap-approve yes 1
    wait "$executor"
    [ "$(failures)" = check,check,check,check,check ]
    reads_durations main
    [ "$(wc -l < told)" -eq 1 ]
    [ "$(trailer Autopack-Tokens)" -eq "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    books_are_right
    tidy
}

@test "a person who is asked about a stuck phase says no, and a retry goes on yet" {
    stuck_builds
    ap-approve no 1 --by ann --comment 'not today'
    status=0
    wait "$executor" || status=$?
    [ "$status" -eq 1 ]
    [[ "$(query "SELECT reason FROM phases WHERE phase_id = 'read'")" == *'ann: not today' ]]
    [ "$(query "SELECT status FROM phases WHERE phase_id = 'merge'")" = SKIPPED ]
    nothing_committed
    tidy
    ap-run retry r > /dev/null
    ap-exec --quiet --run-id r
    reads_durations main
    books_are_right
    tidy
}

@test "silence about a stuck phase is a no" {
    start "$(says small no '{"repeat": true}')" "$(says big no '{"repeat": true}')"
    create_run_of_goal '{"on_stuck": "review", "approval_timeout": "100ms", "max_attempts": 50}'
    run -1 ap-exec --quiet --run-id r
    [[ "$(query 'SELECT reason FROM phases')" == *'not given in time' ]]
    nothing_committed
    tidy
}

@test "a stuck phase that is skipped takes those along that need it, and no others" {
    start "$(says small no '{"repeat": true, "when": "inverse of writing"}')" \
        "$(says big no '{"repeat": true, "when": "inverse of writing"}')" \
        "$(says small "$(printf 'FILE: NEWS.md\n```\nNone yet.\n```\n')")" "$(approves)"
    create_run_of_goal '{"on_stuck": "skip", "max_attempts": 50}' "$merges" \
        '{"id": "text", "cwd": "repo", "goal": "Begin the news", "scope": ["*.md"], "on_stuck": "fail"}'
    ap-exec --quiet --run-id r
    [ "$(query "SELECT group_concat(phase_id || ' ' || status, ', ') FROM phases")" = \
        'read SKIPPED, merge SKIPPED, text COMPLETE' ]
    [ "$(trailer Autopack-Phase)" = text ]
    books_are_right
    tidy
}

@test "tokens that bring a phase no further make it stuck, though each failure is another" {
    start "$(answers small wrong '{"input_tokens": 20000}')" \
        "$(answers small wrong-hours '{"input_tokens": 20000}')" \
        "$(answers small wrong-empty '{"input_tokens": 20000}')" \
        "$(answers small wrong-both '{"input_tokens": 20000}')"
    create_run_of_goal '{"token_cap": 100000, "models": {"builder": "small"}, "max_attempts": 50}'
    run -1 ap-exec --quiet --run-id r
    [[ "$(query 'SELECT reason FROM phases')" =~ ^'stuck: '[0-9]+' tokens without progress in 3 builds' ]]
    [ "$(failures)" = check,check,check,check ]
    [ "$(mock_total requests)" -eq 4 ]
    nothing_committed
    books_are_right
    tidy
}

@test "people are told of a change that waits, once, and a command that fails holds nothing up" {
    printf '#!/bin/sh\ncat >> %s/told\nexit 1\n' "$PWD" > tell
    start "$(answers small good)" "$(approves)"
    create_run_of_goal '{"risk_limit": "none"}'
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until is_asked
    [ "$(jq -r '.kind + " " + .risk' told)" = 'change low' ]
    jq -r .detail told | grep -q '^+int duration_read'
    [ "$(query "SELECT count(*) FROM events WHERE kind = 'approval.unnotified'")" -eq 1 ]
    ap-approve yes 1
    wait "$executor"
    reads_durations
    [ "$(wc -l < told)" -eq 1 ]
}

@test "people are told of a change even if the build is killed as it tells them" {
    printf '#!/bin/sh\nmkdir %s/killed 2> /dev/null && kill -KILL "$PPID" && exit\ncat >> %s/told\n' \
        "$PWD" "$PWD" > tell
    start "$(answers small good)" "$(approves)"
    create_run_of_goal '{"risk_limit": "none", "max_attempts": 2}'
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until test -s told
    [ "$(jq -r '.kind + " " + .risk' told)" = 'change low' ]
    ap-approve yes 1
    wait "$executor"
    reads_durations
    [ "$(wc -l < told)" -eq 1 ]
}
