#!/usr/bin/env bats
# Goals whose models are asked through a gateway, with the key of the attempt alone.

bats_require_minimum_version 1.5.0
load common
load mock
load build
load repositories
load gate

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    make_repository_of javascript
    unset AUTOPACK_GATE_URL
    # Keys of the person who starts the run: nothing of the run gets them.
    export ANTHROPIC_API_KEY=sk-mine OPENAI_API_KEY=sk-mine GEMINI_API_KEY=sk-mine
    export AUTOPACK_LLM_CONFIG=$AP_SOURCE/contrib/llm.json AUTOPACK_MODELS=$PWD/models.json
    export AUTOPACK_RUN_TOKEN_CAP=10000000
    cat > models.json << 'END'
{"builder": [{"models": ["claude-sonnet-4-5", "gemini-2.5-pro"], "max_output": 4000}],
 "auditor": [{"models": ["gpt-4.1"], "max_output": 2000}],
 "planner": [{"models": ["claude-sonnet-4-5"], "max_output": 4000}]}
END
    # An ap-exec starts the ap-build that is beside it.
    mkdir tools
    cp "$AP_TOOLS/ap-exec" tools/
    printf '#!/bin/sh\nenv > %s/env-of-build\nexec %s/ap-build "$@"\n' "$PWD" "$AP_TOOLS" \
        > tools/ap-build
    chmod +x tools/ap-build
}

teardown() {
    [ ! -e gate.pid ] || { kill -KILL "$(cat gate.pid)"; wait "$(cat gate.pid)"; } 2> /dev/null || true
    stop_mock
}

# through_gate ENTRY...: the mock with this script, and the gateway before it
through_gate() {
    script "$@"
    start_mock --script script.json
    ln -s mock.port port
    ln -s mock.log served
    echo sk-real > key
    configure '{}'
    ap-db init
    run_gate
}

run_gate() {
    rm -f .autonomous_runs/gate.json
    ap-gate 2> gate.err 3>&- &
    echo $! > gate.pid
    wait_until test -s .autonomous_runs/gate.json
}

accepts='{"verdict": "approve", "issues": []}'

executes() {
    tools/ap-exec --quiet --run-id r
}

@test "a change is built with the key of the attempt, and the books have what was served" {
    through_gate "$(answers claude-sonnet-4-5 good)" "$(says gpt-4.1 "$accepts")"
    create_run_of_goal "$(jq -n --arg here "$PWD" \
        '{check: [["sh", "-c", "env >> \($here)/env-of-check"], ["node", "--test"]]}')" "$merges"
    executes
    reads_durations main
    same_as_served
    [ "$(trailer Autopack-Tokens)" -eq "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = 'read'")" -eq "$(trailer Autopack-Tokens)" ]
    [ "$(query "SELECT group_concat(DISTINCT source) FROM llm_usage_events")" = gateway ]
    [ "$(jq -r .key served | sort -u)" = sk-real ]
    grep -q '^ANTHROPIC_API_KEY=apk-' env-of-build
    run grep -l 'sk-real\|sk-mine' env-of-build env-of-check
    [ "$status" -eq 1 ]
    run grep 'apk-' env-of-check
    [ "$status" -eq 1 ]
    run grep -rlE 'sk-real|sk-mine|apk-' autopack.db .autonomous_runs repo
    [ "$status" -eq 1 ]
    ap-db check > /dev/null
    tidy
}

@test "the stronger model of another provider comes in behind the same key" {
    through_gate "$(answers claude-sonnet-4-5 malformed)" "$(answers claude-sonnet-4-5 wrong)" \
        "$(answers gemini-2.5-pro mixed)" "$(says gpt-4.1 "$accepts")"
    create_run_of_goal '{}'
    executes
    [ "$(failures)" = malformed,check ]
    reads_durations
    same_as_served
    [ "$(query 'SELECT count(DISTINCT provider) FROM llm_usage_events')" -eq 3 ]
    [ "$(trailer Autopack-Tokens)" -eq "$(mock_total 'prompt_tokens + .completion_tokens')" ]
}

# The good change with a file of 60,000 bytes, few of them tokens of the answer, but all
# of them what the gateway reserves for the auditor to read.
with_a_large_file() {
    { cat good; printf 'FILE: test/table.txt\n```\n'; yes "$(printf 'x%.0s' {1..600})" | head -100; echo '```'; } > large
    answers claude-sonnet-4-5 large
}

@test "what the gateway refuses for the phase's cap is not paid again with a higher one" {
    through_gate "$(with_a_large_file)" "$(says gpt-4.1 "$accepts")"
    create_run_of_goal '{"token_cap": 30000}'
    run -1 executes
    [ "$(query 'SELECT status FROM attempts')" = BUDGET_EXHAUSTED ]
    [ "$(query 'SELECT scope FROM budget_refusals')" = phase ]
    [ "$(mock_total requests)" -eq 1 ]
    nothing_committed
    ap-budget set --tokens 1000000 r read
    ap-run retry r > /dev/null
    executes
    reads_durations
    [ "$(mock_total requests)" -eq 2 ]
    same_as_served
}

@test "what the gateway refuses for the run's cap ends the run with status 80" {
    through_gate "$(with_a_large_file)" "$(says gpt-4.1 "$accepts")"
    unset AUTOPACK_RUN_TOKEN_CAP
    create_run_of_goal '{}'
    ap-budget set --tokens 30000 r
    run -80 executes
    [ "$(query 'SELECT status FROM runs')" = DONE_FAILED_BUDGET_EXHAUSTED ]
    [ "$(query 'SELECT scope FROM budget_refusals')" = run ]
    ap-budget set --tokens 1000000 r
    ap-run retry r > /dev/null
    executes
    reads_durations
    [ "$(mock_total requests)" -eq 2 ]
    same_as_served
}

@test "audits have a share of their own, whatever the phase has left" {
    through_gate "$(answers claude-sonnet-4-5 good)" "$(says gpt-4.1 "$accepts")"
    create_run_of_goal '{"token_cap": 1000000}'
    AUTOPACK_PHASE_TOKEN_CAP=5000 run -1 executes
    [[ "$(query "SELECT reason FROM phases")" == *"audits of the phase have 1500 of 1500 tokens left"* ]]
    [ "$(mock_total requests)" -eq 1 ]
    ap-run retry r > /dev/null
    AUTOPACK_PHASE_TOKEN_CAP=50000 executes
    reads_durations
    [ "$(jq -s 'map(.tokens) | add' .autonomous_runs/r/phases/read/audit.jsonl)" -eq \
        "$(jq -s 'map(select(.model == "gpt-4.1") | .prompt_tokens + .completion_tokens) | add' served)" ]
    [ "$(mock_total requests)" -eq 2 ]
    same_as_served
}

@test "a gateway that dies in an answer takes the attempt along; with a new one it goes on" {
    through_gate "$(answers claude-sonnet-4-5 good '{"stall_after_events": 3}')" \
        "$(answers claude-sonnet-4-5 good)" "$(says gpt-4.1 "$accepts")"
    create_run_of_goal '{"max_attempts": 100, "backoff": {"first": "100ms", "factor": 1}}' "$merges"
    executes 3>&- &
    executor=$!
    wait_until is_answering
    kill -KILL "$(cat gate.pid)"
    wait "$(cat gate.pid)" 2> /dev/null || true
    run_gate
    wait "$executor"
    reads_durations main
    [ "$(mock_total requests)" -eq 3 ]
    tidy
}
