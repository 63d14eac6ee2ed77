#!/usr/bin/env bats

bats_require_minimum_version 1.5.0
load common
load mock
load build

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    make_repository
}

teardown() {
    stop_mock
}

start() {
    script "$@"
    start_mock --script script.json
    use_mock_models
}

plan='{"tiers": [{"id": "t", "phases": [{"id": "a", "goal": "g", "scope": ["src"], "check": [["make", "test"]]}]},
    {"id": "merge", "phases": [{"id": "merge", "merge": "fast-forward"}]}]}'

@test "a plan that the model writes is one that ap-run takes" {
    start "$(says planner "Here it is: $plan" '{"when": ["src/hello.c", "Say good bye"]}')"
    echo 'Say good bye' | ap-plan -C repo > plan.json
    [ "$(ap-run create plan.json)" = say-good-bye ]
    [ "$(jq -r .goal plan.json)" = 'Say good bye' ]
    [ "$(query 'SELECT count(*) FROM attempts')" -eq 0 ]
}

@test "the planner sees what the repository defines, its rules and its documents" {
    mkdir repo/docs
    echo '- [check x] Test it.' > repo/docs/LEARNED_RULES.md
    echo 'It was built before.' > repo/docs/BUILD_HISTORY.md
    start "$(says planner "$plan" '{"when": ["function main(void)", "Test it.", "built before"]}')"
    (cd repo/src && ap-plan 'Say good bye') > /dev/null
}

@test "a plan with faults goes back once with the reasons" {
    start "$(says planner "$plan" '{"when": "unknown member"}')" \
        "$(says planner '{"phases": [{"id": "a", "gaol": "g"}]}')"
    ap-plan -C repo -r r 'Say good bye' > plan.json
    [ "$(jq -r .run_id plan.json)" = r ]
    [ "$(mock_total requests)" -eq 2 ]
}

@test "a plan that stays invalid is refused with all reasons, and nothing is printed" {
    start "$(says planner '{"phases": [{"id": "a", "goal": " "}, {"id": "a", "goal": "g"}]}' '{"repeat": true}')"
    run -65 --separate-stderr ap-plan -C repo 'Say good bye'
    [ -z "$output" ]
    [[ "$stderr" == *"/phases/0/goal: expected words"* ]]
    [[ "$stderr" == *"/phases/1/id: "* ]]
    [ "$(mock_total requests)" -eq 2 ]
}

@test "files can be shown, and the goal must have words" {
    echo 'the house style' > style
    start "$(says planner "$plan" '{"when": "the house style"}')"
    ap-plan -C repo -s style 'Say good bye' > /dev/null
    run -65 ap-plan -C repo ' '
    run -2 ap-plan -C repo -r '../x' 'Say good bye'
    run -66 ap-plan -C "$PWD" 'Say good bye'
}
