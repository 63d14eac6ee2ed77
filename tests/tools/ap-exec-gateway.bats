#!/usr/bin/env bats
# What an attempt gets where a gateway is configured, and how a refusal ends it.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    export AUTOPACK_GATE_URL=http://127.0.0.1:9
    export AUTOPACK_AGENTS_DIR=$AP_SOURCE/contrib/agents
}

plan() {
    printf '%s' "$1" > plan.json
    ap-run create plan.json
}

executes() {
    [ "$(query 'SELECT count(*) FROM attempts WHERE ended_at IS NULL')" -gt 0 ]
}

stdout_of() {
    cat ".autonomous_runs/r/phases/$1/attempt-1/stdout"
}

@test "each attempt gets a key of its own, of which the database has only the hash" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "echo $ANTHROPIC_API_KEY"},
        {"id": "b", "command": "echo $ANTHROPIC_API_KEY"}]}'
    ANTHROPIC_API_KEY=real ap-exec --quiet --run-id r
    [[ "$(stdout_of a)" =~ ^apk-[A-Za-z0-9_-]{43}$ ]]
    [ "$(stdout_of a)" != "$(stdout_of b)" ]
    [ "$(query 'SELECT count(*) FROM capabilities')" -eq 2 ]
    [ "$(grep -rlF "$(stdout_of a)" .)" = ./.autonomous_runs/r/phases/a/attempt-1/stdout ]
    ap-db check
}

@test "a key is not in the arguments of any process" {
    plan '{"run_id": "r", "phases": [{"id": "a", "agent": "codex",
        "command": "cat /proc/[0-9]*/cmdline > all; printf %s $OPENAI_API_KEY > key; grep -acf key all"}]}'
    run ap-exec --quiet --run-id r
    [ -s key ]
    [ "$(stdout_of a)" = 0 ]
}

@test "a gateway that wrote gate.json is used, and an empty variable forbids it" {
    unset AUTOPACK_GATE_URL
    mkdir .autonomous_runs
    echo '{"url": "http://127.0.0.1:4242"}' > .autonomous_runs/gate.json
    plan '{"run_id": "r", "phases": [{"id": "a", "command": "echo $OPENAI_BASE_URL"}]}'
    ap-exec --quiet --run-id r
    [ "$(stdout_of a)" = http://127.0.0.1:4242/v1 ]
    ap-run create --run-id s plan.json
    AUTOPACK_GATE_URL='' ap-exec --quiet --run-id s
    [ "$(cat .autonomous_runs/s/phases/a/attempt-1/stdout)" = '' ]
}

@test "a phase may do without the gateway, and its checks do" {
    plan '{"run_id": "r", "phases": [
        {"id": "a", "command": "echo -$OPENAI_BASE_URL", "gateway": "none"},
        {"id": "b", "command": ["true"], "check": "echo -$OPENAI_BASE_URL"}]}'
    ap-exec --quiet --run-id r
    [ "$(stdout_of a)" = - ]
    [ "$(cat .autonomous_runs/r/phases/b/attempt-1/check-1.stdout)" = - ]
    [ "$(query 'SELECT count(*) FROM capabilities')" -eq 1 ]
}

@test "usage that the agent prints is not counted beside the gateway's" {
    printf '#!/bin/sh\necho %s\n' \
        "'"'{"type": "result", "usage": {"input_tokens": 7, "output_tokens": 5}}'"'" > claude
    chmod +x claude
    plan '{"run_id": "r", "phases": [
        {"id": "a", "agent": "claude", "command": ["./claude"]},
        {"id": "b", "agent": "claude", "command": ["./claude"], "gateway": "none"}]}'
    ap-exec --quiet --run-id r
    [ "$(query "SELECT group_concat(phase_id || tokens_used, ' ') FROM budgets
        WHERE phase_id <> ''")" = 'a0 b12' ]
}

@test "usage reported on purpose counts beside the gateway's, but a call only once" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command":
        "printf \"%s\\n\" \"{\\\"prompt_tokens\\\": 3, \\\"request_id\\\": \\\"x\\\"}\" \"{\\\"prompt_tokens\\\": 4}\" > $AUTOPACK_USAGE_FIFO"}]}'
    query "INSERT INTO llm_usage_events (run_id, phase_id, prompt_tokens,
        completion_tokens, source, request_id, created_at)
        VALUES ('r', 'a', 3, 0, 'gateway', 'x', 0)"
    ap-exec --quiet --run-id r
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = 'a'")" -eq 7 ]
}

@test "arguments and files of the template reach the agent" {
    printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' > codex
    chmod +x codex
    plan '{"run_id": "r", "phases": [
        {"id": "a", "agent": "codex", "command": ["./codex", "exec", "-"]},
        {"id": "b", "agent": "opencode", "command": "cat $OPENCODE_CONFIG"}]}'
    ap-exec --quiet --run-id r
    [ "$(stdout_of a | head -1)" = -c ]
    [ "$(stdout_of a | tail -2 | xargs)" = 'exec -' ]
    stdout_of a | grep -q 'base_url="http://127.0.0.1:9/v1"'
    [ "$(stdout_of b | jq -r .provider.openai.options.baseURL)" = http://127.0.0.1:9/v1 ]
}

@test "a template that is missing fails the attempt and says which" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["true"],
        "agent_template": "aider"}]}'
    run ap-exec --quiet --run-id r
    [ "$status" -eq 1 ]
    [[ "$(query 'SELECT reason FROM attempts')" == *"no template for agent 'aider'"* ]]
    mkdir mine
    echo '{"environment": {"AIDER_OPENAI_API_BASE": "@url@/v1"}}' > mine/aider.json
    ap-run retry r
    AUTOPACK_AGENTS_DIR=mine ap-exec --quiet --run-id r
}

refuse() {
    query "INSERT INTO budget_refusals (attempt_id, run_id, scope, reason, created_at)
        SELECT attempt_id, run_id, '$1', '$1 has nothing left', 0 FROM attempts"
}

@test "a call refused for the phase's budget ends the phase" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["sleep", "60"]}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until executes
    refuse phase
    status=0
    wait $! || status=$?
    [ "$status" -eq 1 ]
    [ "$(query 'SELECT status || ": " || reason FROM attempts')" = \
        'BUDGET_EXHAUSTED: phase has nothing left' ]
    ap-db check
}

@test "a call refused for the run's budget ends the run with status 80" {
    plan '{"run_id": "r", "phases": [{"id": "a", "command": ["sleep", "60"]},
        {"id": "b", "command": ["true"], "depends_on": ["a"]}]}'
    ap-exec --quiet --run-id r 3>&- &
    wait_until executes
    refuse run
    status=0
    wait $! || status=$?
    [ "$status" -eq 80 ]
    [ "$(query 'SELECT status FROM runs')" = DONE_FAILED_BUDGET_EXHAUSTED ]
    [ "$(query "SELECT reason FROM attempts")" = 'run has nothing left' ]
    ap-db check
}

@test "an agent that gives up after a refusal has not failed by itself" {
    plan '{"run_id": "r", "phases": [{"id": "a", "max_attempts": 3, "command":
        "sqlite3 -cmd \".timeout 5000\" autopack.db \"INSERT INTO budget_refusals SELECT attempt_id, run_id, '"'run', 'spent'"', 0 FROM attempts\"; exit 1"}]}'
    run ap-exec --quiet --run-id r
    [ "$status" -eq 80 ]
    [ "$(query 'SELECT group_concat(status) FROM attempts')" = BUDGET_EXHAUSTED ]
}
