#!/usr/bin/env bats
# A goal becomes a change in a repository of AP_LANGUAGE (c, python or javascript), through
# each branch, with a model that answers from recorded scripts.

bats_require_minimum_version 1.5.0
load common
load mock
load build
load repositories

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    make_repository_of "${AP_LANGUAGE:-c}"
}

teardown() {
    stop_mock
}

@test "a good change is checked, audited, committed with its trailers and merged" {
    start "$(answers small good)" "$(approves)"
    create_run_of_goal '{}' "$merges"
    ap-exec --quiet --run-id r
    reads_durations
    reads_durations main
    [ "$(trailer Autopack-Run)" = r ]
    [ "$(trailer Autopack-Phase)" = read ]
    [ "$(trailer Autopack-Tokens)" -eq "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    [ "$(mock_total requests)" -eq 2 ]
    books_are_right
    tidy
}

@test "malformed, out of the scope and not fitting: each is told, and leaves nothing" {
    start "$(answers small malformed)" "$(answers small outside)" \
        "$(answers big unfitting "{\"when\": \"$(outside_path)\"}")" \
        "$(answers big good "$(jq -n --arg line "$(unfitting_line)" '{when: $line}')")" "$(approves)"
    create_run_of_goal '{}'
    ap-exec --quiet --run-id r
    [ "$(failures)" = malformed,out-of-scope,rejected ]
    reads_durations
    [ -z "$(git -C repo ls-tree --name-only autopack/r -- "$(outside_path)")" ]
    [ "$(trailer Autopack-Tokens)" -eq "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    books_are_right
    tidy
}

@test "a test that fails is told to the model, which then mends it" {
    start "$(answers small wrong)" \
        "$(answers small mixed '{"when": ["# Why", "hours", "failed"]}')" "$(approves)"
    create_run_of_goal '{}'
    ap-exec --quiet --run-id r
    [ "$(failures)" = check ]
    grep -q 'are_read\|are read' .autonomous_runs/r/phases/read/build-1/evidence.txt
    reads_durations
    books_are_right
    tidy
}

@test "what the auditor rejects is not committed, and its words are told" {
    start "$(answers small good)" "$(objects 'the option has no test')" \
        "$(answers small mixed '{"when": "the option has no test"}')" "$(approves)"
    create_run_of_goal '{}'
    ap-exec --quiet --run-id r
    [ "$(failures)" = audit ]
    [ "$(git -C repo rev-list --count main..autopack/r)" -eq 1 ]
    reads_durations
    books_are_right
    tidy
}

@test "a risky change waits for a person, who says yes" {
    start "$(answers small good)" "$(approves)"
    create_run_of_goal '{"risk_limit": "none"}' "$merges"
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until is_asked
    nothing_committed
    ap-approve show 1 --json | jq -r .detail | grep -q 'README.md'
    ap-approve yes 1
    wait "$executor"
    reads_durations main
    [ "$(mock_total requests)" -eq 2 ]
    books_are_right
    tidy
}

@test "a risky change waits for a person, who says no and why" {
    start "$(answers small good)" "$(approves)" \
        "$(answers small malformed '{"when": "keep the README as it is"}')"
    create_run_of_goal '{"risk_limit": "none", "max_attempts": 1}' "$merges"
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until is_asked
    ap-approve no 1 --by ann --comment 'keep the README as it is'
    status=0
    wait "$executor" || status=$?
    [ "$status" -eq 1 ]
    nothing_committed
    books_are_right
    tidy
    # A retry builds again, and the model knows why.
    ap-run retry r > /dev/null
    run -1 ap-exec --quiet --run-id r
    [ "$(failures)" = risk,malformed ]
}

@test "a budget spent midway ends the phase; with a higher cap no answer is paid again" {
    start "$(answers small good '{"input_tokens": 39000}')" "$(approves)"
    create_run_of_goal '{"token_cap": 40000}'
    run -1 ap-exec --quiet --run-id r
    [ "$(query "SELECT status FROM attempts")" = BUDGET_EXHAUSTED ]
    [ "$(mock_total requests)" -eq 1 ]
    nothing_committed
    books_are_right
    ap-budget set --tokens 1000000 r read
    ap-run retry r > /dev/null
    ap-exec --quiet --run-id r
    reads_durations
    [ "$(mock_total requests)" -eq 2 ]
    [ "$(trailer Autopack-Tokens)" -eq "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    books_are_right
    tidy
}
