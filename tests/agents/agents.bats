#!/usr/bin/env bats
# The real agents as phases of real runs, through ap-exec and ap-gate, with the mock as
# their provider and no other network. Run by alone.sh.

bats_require_minimum_version 1.5.0
load ../tools/common
load ../tools/mock

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    mkdir home
    export HOME=$PWD/home AUTOPACK_AGENTS_DIR=$AP_SOURCE/contrib/agents
    start_mock
    start_gate "$MOCK_URL"
}

teardown() {
    [ -z "${GATE_PID:-}" ] || kill "$GATE_PID" 2> /dev/null || true
    stop_mock
}

# Starts the gateway in front of a provider: start_gate URL
start_gate() {
    ap-db init
    echo sk-real > key
    chmod 600 key
    jq -n --arg url "$1" '{listen: {tcp: {port: 0}}, archive: true, providers: [
        {name: "anthropic", family: "anthropic", base_url: $url, key_file: "key"},
        {name: "openai", family: "openai", base_url: $url, key_file: "key"}]}' \
        > ap-gate.conf
    ap-gate > gate.out 2>&1 3>&- &
    GATE_PID=$!
    wait_until [ -s .autonomous_runs/gate.json ]
}

# A run of one phase: phase RUN AGENT TOKEN_CAP COMMAND (as JSON) [CAP_OF_PHASE]
phase() {
    jq -n --arg run "$1" --arg agent "$2" --argjson cap "$3" --argjson command "$4" \
        --argjson phase "${5:-5000000}" '{run_id: $run, token_cap: $cap, phases: [
        {id: "a", agent: $agent, token_cap: $phase, command: $command, timeout: "3m"}]}' \
        > plan.json
    ap-run create plan.json
}

output_of() {
    cat ".autonomous_runs/$1/phases/a/attempt-1/stdout"
}

claude='["claude", "-p", "--output-format", "json", "Say hello"]'
codex='["codex", "exec", "--json", "--skip-git-repo-check", "-m", "gpt-5", "Say hello"]'
opencode='["opencode", "run", "--format", "json", "-m", "autopack/gpt-5", "Say hello"]'

# The database has as many of these tokens as the mock served: recorded_as_served COLUMN
recorded_as_served() {
    [ "$(query "SELECT sum($1) FROM llm_usage_events")" -eq "$(mock_total "$1")" ]
}

# The answer arrives, and the books say to the token what the mock served: works AGENT
# COMMAND
works() {
    phase r "$1" 5000000 "$2"
    ap-exec --quiet --run-id r
    output_of r | grep -q 'w0 w1 w2 w3'
    local names='prompt_tokens completion_tokens cached_tokens cache_write_tokens
        reasoning_tokens'
    [ "$(mock_total answered)" -gt 0 ]
    for name in $names; do
        wait_until recorded_as_served "$name"
    done
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq "$(mock_total answered)" ]
    [ "$(query "SELECT count(*) FROM llm_usage_events WHERE estimated OR source <> 'gateway'
        OR phase_id <> 'a' OR attempt <> 1")" -eq 0 ]
    [ "$(jq -sr 'map(.key) | unique | .[]' mock.log)" = sk-real ]
    ap-db check
}

# A run whose cap is below what the first call may need ends within seconds: is_capped
# AGENT COMMAND
is_capped() {
    phase r "$1" 1000 "$2"
    SECONDS=0
    run -80 ap-exec --quiet --run-id r
    [ "$SECONDS" -lt 20 ]
    [ "$(query 'SELECT status FROM attempts')" = BUDGET_EXHAUSTED ]
    [ "$(query 'SELECT status FROM runs')" = DONE_FAILED_BUDGET_EXHAUSTED ]
    [ "$(mock_total answered)" -eq 0 ]
    [ "$(query 'SELECT max(tokens_used + tokens_reserved) <= 1000 FROM budgets')" -eq 1 ]
    ap-db check
}

@test "claude: the answer arrives and every token is counted" {
    works claude "$claude"
}

@test "codex: the answer arrives and every token is counted" {
    works codex "$codex"
}

@test "opencode: the answer arrives and every token is counted" {
    works opencode "$opencode"
}

@test "claude: a run without budget ends within seconds" {
    is_capped claude "$claude"
}

@test "codex: a run without budget ends within seconds" {
    is_capped codex "$codex"
}

@test "opencode: a run without budget ends within seconds" {
    is_capped opencode "$opencode"
}

@test "a phase without budget ends, and the run has failed" {
    phase r codex 5000000 "$codex" 1000
    run -1 ap-exec --quiet --run-id r
    [ "$(query 'SELECT status FROM attempts')" = BUDGET_EXHAUSTED ]
    [ "$(query 'SELECT status FROM runs')" = DONE_FAILED ]
}

@test "codex in a shell command finds the gateway in a CODEX_HOME of its own" {
    works codex '"codex exec --json --skip-git-repo-check -m gpt-5 \"Say hello\""'
}

@test "a stream that is cut off is counted as an estimate, and never beyond the cap" {
    mock_scenario '{"default": {"cut_after_events": 2, "cut": "fin"}}'
    phase r codex 5000000 "$codex"
    run -1 ap-exec --quiet --run-id r
    [ "$(query 'SELECT count(*) > 0 FROM llm_usage_events WHERE estimated')" -eq 1 ]
    [ "$(query 'SELECT sum(completion_tokens) FROM llm_usage_events')" -ge \
        "$(mock_total completion_sent)" ]
    ap-db check
}

@test "an answer that failed upstream costs nothing" {
    mock_scenario '{"default": {"status": 400}}'
    phase r claude 5000000 "$claude"
    run -1 ap-exec --quiet --run-id r
    [ "$(query 'SELECT sum(tokens_used) FROM budgets')" -eq 0 ]
    # What the gateway keeps ready for the next call goes back when none comes.
    wait_until nothing_is_reserved
}

nothing_is_reserved() {
    [ "$(query 'SELECT sum(tokens_reserved) FROM budgets')" -eq 0 ]
}
