#!/usr/bin/env bats
# Two phases of a run that build at the same time and commit to the same branch.

bats_require_minimum_version 1.5.0
load common
load mock
load build
load repositories

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    make_repository_of python
}

teardown() {
    stop_mock
}

# builds_both ENTRY...: phase `read` commits the good change after phase `round` has begun
# at the same commit, and `round` does not commit before that; the entries are its answers
builds_both() {
    start "$(answers reader good)" "$@" "$(approves '{"repeat": true}')"
    jq '.providers.mock.models += ["reader", "rounder"]' llm.json > l
    mv l llm.json
    local build=$PWD/.autonomous_runs/r/phases/round/build-1
    create_run_of_goal "$(check_after "[ -e $build/base.json ]" | jq '. + {models: {builder: "reader"}}')" \
        "$(check_after "[ \$(git rev-list --count main..autopack/r) -gt 0 ]" | jq '. + {id: "round",
            cwd: "repo", goal: "Round to minutes", scope: ["durations", "tests"], on_stuck: "fail",
            backoff: {first: 0}, models: {builder: "rounder"}}')" \
        '{"id": "merge", "cwd": "repo", "depends_on": ["read", "round"], "merge": "fast-forward"}'
    ap-exec --quiet --jobs 2 --run-id r
}

# check_after CONDITION: the members of a phase whose tests are run as soon as it holds
check_after() {
    jq -n --arg wait "until $1; do sleep 0.02; done" \
        '{check: [["sh", "-c", $wait], ["python3", "-B", "-m", "unittest"]]}'
}

builds_of() {
    query "SELECT group_concat(status || ' ' || failure_class, ', ') FROM builds WHERE phase_id = '$1'"
}

# Both commits are on top of each other, and what they made together passes its tests.
both_are_in() {
    [ "$(git -C repo rev-list --count main)" -eq 3 ]
    [ "$(git -C repo log --format='%(trailers:key=Autopack-Phase,valueonly)' main | sed '/^$/d' | xargs)" = \
        'round read' ]
    reads_durations main
    [ "$(cd taken && python3 -B -c 'from durations.rounding import to_minutes; print(to_minutes(61))')" = 120 ]
    books_are_right
    tidy
}

@test "changes that do not overlap are both committed after the two were checked together" {
    builds_both "$(answers rounder other)"
    both_are_in
    [ "$(builds_of round)" = 'COMMITTED ' ]
    # Beside its own tree the merged one has been checked.
    [ "$(find .autonomous_runs/r/phases/round/build-1 -name 'check*.json' | wc -l)" -eq 2 ]
}

@test "a change that is in conflict with the other is told so, and made again on top of it" {
    builds_both "$(answers rounder overlapping)" \
        "$(answers rounder rebuilt '{"when": ["# Why", "from durations.reading import read"]}')"
    both_are_in
    [ "$(builds_of round)" = 'FAILED conflict, COMMITTED ' ]
}

@test "changes that only fail together are not both committed" {
    builds_both "$(answers rounder contradicting)" \
        "$(answers rounder rebuilt '{"when": "test_nothing_but_writing_is_there"}')"
    both_are_in
    [ "$(builds_of round)" = 'FAILED check, COMMITTED ' ]
}
