#!/usr/bin/env bats
# ap-run(1): recording runs from plans, listing, retrying, deleting and exporting them.

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
    unset "${!AUTOPACK_RUN_TOKEN@}" "${!AUTOPACK_PHASE_TOKEN@}"
    cat >plan.json <<'PLAN'
{
  "run_id": "demo",
  "goal": "try",
  "phases": [
    {"id": "one", "command": "true"},
    {"id": "two", "command": ["true"], "depends_on": ["one"]}
  ]
}
PLAN
}

@test "create makes the database and prints nothing but the run id" {
    run --separate-stderr ap-run create plan.json
    [ "$status" -eq 0 ]
    [ "$output" = demo ]
    [ -z "$stderr" ]
    [ "$(query 'SELECT count(*) FROM phases')" -eq 2 ]
    [ ! -e .autonomous_runs/demo ]
}

@test "create reads standard input and takes the id from the command line" {
    run ap-run create --run-id other - <plan.json
    [ "$status" -eq 0 ]
    [ "$output" = other ]
    [ "$(query 'SELECT run_id FROM runs')" = other ]
}

@test "a dry run leaves nothing behind" {
    run ap-run create --dry-run plan.json
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ ! -e autopack.db ]
}

@test "all faults of a plan are reported at once, by line" {
    sed -i 's/"command": "true"/"comand": "true", "timeout": "soon"/; s/\["one"\]/["on"]/' plan.json
    run --separate-stderr ap-run create plan.json
    [ "$status" -eq 65 ]
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 4 ]
    [[ "$stderr" == *'plan.json:5: /phases/0/timeout: expected a duration such as "90s", got "soon"'* ]]
    [[ "$stderr" == *'plan.json:5: /phases/0/comand: unknown member "comand"; did you mean "command"?'* ]]
    [[ "$stderr" == *'plan.json:6: /phases/1/depends_on/0: expected the id of a phase, got "on"; did you mean "one"?'* ]]
    [ ! -e autopack.db ]
}

@test "text that is no JSON, a missing file and a used id have their own statuses" {
    echo '{' >bad.json
    run --separate-stderr ap-run create bad.json
    [ "$status" -eq 65 ]
    [[ "$stderr" == "ap-run: bad.json: line "* ]]
    run --separate-stderr ap-run create none.json
    [ "$status" -eq 66 ]
    ap-run create plan.json
    run --separate-stderr ap-run create plan.json
    [ "$status" -eq 65 ]
    [[ "$stderr" == *"'demo'"* ]]
}

@test "caps come from the environment and malformed ones are errors" {
    AUTOPACK_RUN_TOKEN_CAP=123 AUTOPACK_PHASE_TOKEN_CAP=40 ap-run create plan.json
    [ "$(query "SELECT token_cap FROM budgets WHERE phase_id = ''")" -eq 123 ]
    [ "$(query "SELECT token_cap FROM budgets WHERE phase_id = 'one'")" -eq 40 ]
    AUTOPACK_PHASE_TOKEN_CAP=4k run --separate-stderr ap-run create --run-id x plan.json
    [ "$status" -eq 78 ]
    [[ "$stderr" == *"AUTOPACK_PHASE_TOKEN_CAP: expected "*", got '4k'" ]]
}

@test "list shows runs as a table or as JSON lines" {
    ap-run create plan.json
    ap-run create --run-id other plan.json
    run ap-run list
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 3 ]
    [[ "${lines[0]}" == RUN*STATUS* ]]
    run ap-run list --json --limit 1
    [ "${#lines[@]}" -eq 1 ]
    [ "$(jq -r .status <<<"$output")" = QUEUED ]
    run ap-run list --status DONE_FAILED --json
    [ -z "$output" ]
}

@test "show prints the run and its phases" {
    ap-run create plan.json
    run ap-run show demo
    [ "$status" -eq 0 ]
    [[ "$output" == *"demo"*"QUEUED"*"one"*"two"* ]]
    [ "$(ap-run show --json demo | jq -r '.phase_list[1].phase_id')" = two ]
    run --separate-stderr ap-run show dem
    [ "$status" -eq 66 ]
    [[ "$stderr" == *"no run 'dem'; did you mean 'demo'?"* ]]
}

@test "retry queues what failed and refuses when nothing did" {
    ap-run create plan.json
    run --separate-stderr ap-run retry demo
    [ "$status" -eq 65 ]
    query "UPDATE phases SET status = 'FAILED' WHERE phase_id = 'one';
           UPDATE phases SET status = 'SKIPPED' WHERE phase_id = 'two';
           UPDATE runs SET status = 'DONE_FAILED'"
    run ap-run retry --json demo one
    [ "$status" -eq 0 ]
    [ "$(jq .phases_queued <<<"$output")" -eq 2 ]
    [ "$(query 'SELECT DISTINCT status FROM phases')" = QUEUED ]
    [ "$(query 'SELECT status FROM runs')" = QUEUED ]
}

@test "delete removes records and files" {
    ap-run create plan.json
    mkdir -p .autonomous_runs/demo/phases/one
    run ap-run delete demo
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ ! -e .autonomous_runs/demo ]
    [ "$(query 'SELECT count(*) FROM phases')" -eq 0 ]
    run ap-run delete demo
    [ "$status" -eq 66 ]
}

@test "export gives back the plan and what was recorded" {
    ap-run create plan.json
    ap-run export demo >out.json
    [ "$(jq -S .plan out.json)" = "$(jq -S . plan.json)" ]
    [ "$(jq '.phases | length' out.json)" -eq 2 ]
    [ "$(jq -r '.events[0].kind' out.json)" = run.created ]
}

@test "a verb without a database says how to make one" {
    run --separate-stderr ap-run list
    [ "$status" -eq 66 ]
    [[ "$stderr" == *"ap-db init"* ]]
}

@test "the examples are valid plans" {
    for plan in "$AP_SOURCE"/contrib/examples/*.json; do
        run ap-run create --dry-run "$plan"
        echo "$plan: $output"
        [ "$status" -eq 0 ]
    done
}

@test "schema and parser judge the same samples alike" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "no python3 jsonschema"
    mkdir samples
    cp "$AP_SOURCE"/contrib/examples/*.json plan.json samples
    number=0
    while IFS= read -r members; do
        number=$((number + 1))
        echo "{\"run_id\": \"r\", \"phases\": [{\"id\": \"a\", $members}]}" \
            >"samples/$(printf '%02d' $number).json"
    done <<'SAMPLES'
"command": []
"command": ""
"command": "  "
"command": [""]
"command": ["a", ""]
"command": ["a", 1]
"command": "a", "check": ["a", "b"]
"command": "a", "check": [["a"], "b"]
"command": "a", "check": ["a", ["b"]]
"command": "a", "check": []
"command": "a", "check": [[]]
"command": "a", "check": ["a", 1]
"command": "a", "timeout": "1.5h"
"command": "a", "timeout": "1.5 h"
"command": "a", "timeout": "-1s"
"command": "a", "timeout": true
"command": "a", "grace": 0
"command": "a", "outputs": ["a/b", "..c"]
"command": "a", "outputs": ["a/.."]
"command": "a", "outputs": ["/a"]
"command": "a", "stdin": {"file": "x"}
"command": "a", "stdin": {"file": ""}
"command": "a", "stdin": {}
"command": "a", "env": {"A": "b"}
"command": "a", "env": {"": "b"}
"command": "a", "env": {"AUTOPACK_DB": "b"}
"command": "a", "pass_env": ["A=B"]
"command": "a", "name": ""
"command": "a", "name": "a\tb"
"command": "a", "type": "a b"
"command": "a", "token_cap": 0
"command": "a", "token_cap": -1
"command": "a", "cost_cap_usd": 0.01
"command": "a", "max_attempts": 0
"command": "a", "max_attempts": 100
"command": "a", "max_interruptions": 1001
"command": "a", "backoff": {"factor": 0.5}
"command": "a", "backoff": {"jitter": 1}
"command": "a", "backoff": {"often": 1}
"command": "a", "agent": "codex"
"command": "a", "agent": "codecs"
"command": "a", "breaker": null
"commands": "a"
SAMPLES
    [ "$number" -eq 43 ]
    python3 - "$AP_SOURCE/docs/plan.schema.json" samples/*.json >by-schema <<'CHECK'
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for path in sys.argv[2:]:
    print(path, "good" if validator.is_valid(json.load(open(path))) else "bad")
CHECK
    for sample in samples/*.json; do
        if ap-run create --dry-run "$sample" 2>/dev/null; then
            echo "$sample good"
        else
            echo "$sample bad"
        fi
    done >by-parser
    diff by-schema by-parser
    grep -q good by-parser
    grep -q bad by-parser
}
