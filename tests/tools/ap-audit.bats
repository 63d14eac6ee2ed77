#!/usr/bin/env bats

bats_require_minimum_version 1.5.0
load common
load mock
load build

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    start_mock
    use_mock_models
    printf -- '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n' > change.diff
}

teardown() {
    stop_mock
}

judge() {
    mock_scenario "$(jq -n --arg text "$1" '{default: {text: $text}}')"
}

major='{"verdict": "approve", "issues": [{"severity": "major", "file": "x", "line": 1, "text": "wrong"}]}'
minor='{"verdict": "minor", "issues": [{"severity": "minor", "text": "meh"}]}'

@test "the verdict is printed with its issues and is the exit status" {
    judge '{"verdict": "approve", "issues": []}'
    [ "$(ap-audit -g 'b for a' change.diff)" = approve ]
    judge "$minor"
    [ "$(ap-audit -g 'b for a' < change.diff)" = $'minor\nminor: meh' ]
    run -1 ap-audit --strict -g 'b for a' change.diff
    judge "$major"
    run -1 ap-audit -g 'b for a' change.diff
    [ "$output" = $'major\nmajor: x:1: wrong' ]
}

@test "a judgement as JSON names the model" {
    judge "$minor"
    ap-audit --json -g 'b for a' change.diff > out
    [ "$(jq -r '.verdict, .model, .malformed' out | xargs)" = 'minor judge false' ]
}

@test "an answer that cannot be read is asked for once more, then counts as major" {
    judge 'looks fine'
    run -1 ap-audit -g 'b for a' change.diff
    [ "${lines[0]}" = major ]
    [ "$(mock_total requests)" -eq 2 ]
}

@test "audits of a phase use a cap of their own, and are charged to the phase" {
    printf '{"run_id": "r", "phases": [{"id": "a", "command": ["true"]}]}' > plan.json
    ap-run create plan.json > /dev/null
    export AUTOPACK_RUN_ID=r AUTOPACK_PHASE_ID=a AUTOPACK_ATTEMPT=1
    judge '{"verdict": "approve", "issues": []}'
    ap-audit -g 'b for a' change.diff
    used=$(query "SELECT tokens_used FROM budgets WHERE phase_id = 'a'")
    [ "$used" -eq "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    [ "$(jq -s 'map(.tokens) | add' .autonomous_runs/r/phases/a/audit.jsonl)" -eq "$used" ]
    AUTOPACK_PHASE_TOKEN_CAP=1000 run -80 --separate-stderr ap-audit -g 'b for a' change.diff
    [[ "$stderr" == *"audits of the phase have"*"of 300 tokens left"* ]]
    [ "$(mock_total requests)" -eq 1 ]
}

@test "what cannot be audited is refused with one line" {
    run -2 ap-audit change.diff
    run -65 ap-audit -g x /dev/null
    run -66 ap-audit -g x absent
    run -2 ap-audit -g x -c huge change.diff
    echo '{"builder": []}' > models.json
    run -78 --separate-stderr ap-audit -g x change.diff
    [[ "$stderr" == *"/auditor: expected an array, got nothing" ]]
}

@test "without an installed table of models it is said how to name one" {
    unset AUTOPACK_MODELS
    run --separate-stderr ap-audit -g x change.diff
    [[ "$stderr" != *models.json* ]] ||
        [[ "$stderr" == 'ap-audit: no models: expected '*', or a file named by AUTOPACK_MODELS or --models' ]]
}
