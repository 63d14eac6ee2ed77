#!/usr/bin/env bats
# From a goal in words, by a plan that a model writes, to a merged change in a repository of
# AP_LANGUAGE (c, python or javascript).

bats_require_minimum_version 1.5.0
load common
load mock
load build
load repositories

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    make_repository_of "${AP_LANGUAGE:-c}"
    goal=$(jq -r .goal "$recorded/$language/phase.json")
}

teardown() {
    stop_mock
}

# planned FILTER: what the planner answers, a good plan changed by the filter, in words
planned() {
    printf 'One phase is enough:\n\n```json\n%s\n```\n' "$(jq '. += {id: "read", cwd: "repo",
        backoff: {first: 0}, on_stuck: "fail"} | {tiers: [{id: "change", phases: [.]},
        {id: "merge", phases: [{id: "merge", cwd: "repo", merge: "fast-forward"}]}]} | '"$1" \
        "$recorded/$language/phase.json")"
}

@test "a goal in words becomes a plan, the plan a run, and the run a merged change" {
    case $language in
    c) file=src/write.c ;;
    python) file=durations/writing.py ;;
    javascript) file=lib/write.js ;;
    esac
    start "$(says planner "$(planned .)" "$(jq -n --arg file "$file" --arg goal "$goal" '{when: [$file, $goal]}')")" \
        "$(answers small good)" "$(approves)"
    ap-plan -C repo -r r "$goal" > plan.json
    ap-run create --dry-run plan.json
    [ "$(jq -r .goal plan.json)" = "$goal" ]
    ap-run create plan.json
    ap-exec --quiet --run-id r
    reads_durations main
    [ "$(trailer Autopack-Tokens)" -eq \
        "$(jq -s 'map(select(.model != "planner") | .prompt_tokens + .completion_tokens) | add' mock.log)" ]
    tidy
}

@test "a plan with faults is mended once, by the reasons that are told" {
    start "$(says planner "$(planned '.tiers[0].phases[0].scope = ["../elsewhere"]')")" \
        "$(says planner "$(planned .)" '{"when": "/tiers/0/phases/0/scope/0"}')"
    ap-plan -C repo -r r "$goal" > plan.json
    ap-run create plan.json
    [ "$(mock_total requests)" -eq 2 ]
}

@test "a plan that stays invalid is refused with each reason in a line" {
    start "$(says planner "$(planned '.tiers[0].phases[0] += {check: [], complexity: "huge", timeout: "soon"} |
        .tiers[1].phases[0].depends_on = ["test"]')" '{"repeat": true}')"
    run -65 --separate-stderr ap-plan -C repo -r r "$goal"
    [ -z "$output" ]
    for pointer in tiers/0/phases/0/complexity tiers/0/phases/0/timeout tiers/1/phases/0/depends_on; do
        grep -q "/$pointer" <<< "$stderr"
    done
    [ "$(mock_total requests)" -eq 2 ]
}

@test "an answer without a plan, and one that is cut off, are refused" {
    start "$(says planner 'I would first read the code.' '{"repeat": true}')"
    run -65 --separate-stderr ap-plan -C repo -r r "$goal"
    [ -z "$output" ]
    [ -n "$stderr" ]
    stop_mock
    start "$(says planner "$(planned . | head -c 200)" '{"repeat": true}')"
    run -65 --separate-stderr ap-plan -C repo -r r "$goal"
    [ -z "$output" ]
}
