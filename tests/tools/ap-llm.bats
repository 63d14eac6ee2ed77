#!/usr/bin/env bats

bats_require_minimum_version 1.5.0
load common
load mock

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    export AUTOPACK_LLM_CONFIG=$AP_SOURCE/contrib/llm.json AUTOPACK_GATE_URL=''
    export ANTHROPIC_API_KEY=sk-real OPENAI_API_KEY=sk-real GEMINI_API_KEY=sk-real
    start_mock
    export ANTHROPIC_BASE_URL=$MOCK_URL OPENAI_BASE_URL=$MOCK_URL/v1
    export GOOGLE_GEMINI_BASE_URL=$MOCK_URL
}

teardown() {
    [ -z "${GATE_PID:-}" ] || kill "$GATE_PID" 2> /dev/null || true
    [ -z "${REPLAY_PID:-}" ] || kill "$REPLAY_PID" 2> /dev/null || true
    stop_mock
}

# A run whose budget direct calls are charged to: with_run TOKEN_CAP [MEMBERS]
with_run() {
    printf '{"run_id": "r", "token_cap": %d, "phases": [
        {"id": "a", "command": ["true"]%s}]}' "$1" "${2:-}" > plan.json
    ap-run create plan.json > /dev/null
    export AUTOPACK_RUN_ID=r AUTOPACK_PHASE_ID=a AUTOPACK_ATTEMPT=1
}

@test "the answer of every dialect is printed as it was said" {
    mock_scenario '{"default": {"text": "All good, world."}}'
    for model in claude-x gpt-x gemini-x openai/anything; do
        [ "$(echo hello | ap-llm -m "$model")" = 'All good, world.' ]
    done
    [ "$(jq -sc 'map(.dialect)' mock.log)" = \
        '["anthropic-messages","openai-chat","gemini-stream","openai-chat"]' ]
    [ "$(jq -sr 'map(.key) | unique | .[]' mock.log)" = sk-real ]
}

@test "the prompt comes from files, the system prompt from another" {
    echo one > one
    echo two > two
    echo rules > rules
    ap-llm -m claude-x one two > /dev/null
    echo one | ap-llm -m claude-x --system rules - two > /dev/null
    [ "$(jq -s '.[1].prompt_tokens > .[0].prompt_tokens' mock.log)" = true ]
}

@test "what is printed arrives as the model says it" {
    mock_scenario '{"default": {"text": "first second", "tokens_per_event": 1,
        "stall_after_events": 1}}'
    echo hi | ap-llm -m claude-x > out 3>&- &
    local client=$!
    wait_until grep -q first out
    kill "$client"
    status=0
    wait "$client" || status=$?
    [ "$status" -eq 82 ]
}

@test "without an installed configuration it is said how to name one" {
    unset AUTOPACK_LLM_CONFIG
    run --separate-stderr ap-llm -m gpt-x <<< hello
    [ "$status" -eq 78 ] || skip 'a configuration is installed'
    [[ "$stderr" == 'ap-llm: no providers: expected '*', or a file named by AUTOPACK_LLM_CONFIG or --config' ]]
}

@test "an answer as JSON has its usage" {
    mock_scenario '{"default": {"cached_tokens": 2}}'
    echo hello | ap-llm --json -m gpt-x --max-tokens 7 > out
    [ "$(jq -r .stop_reason out)" = length ]
    [ "$(jq -r .text out)" = 'w0 w1 w2 w3 w4 w5 w6 ' ]
    [ "$(jq .usage.completion_tokens out)" -eq 7 ]
    [ "$(jq .usage.cached_tokens out)" -eq 2 ]
    [ "$(jq .usage.prompt_tokens out)" -eq "$(mock_total prompt_tokens)" ]
}

@test "a direct call reserves and settles to the token" {
    with_run 100000
    for model in claude-x gpt-x gemini-x; do
        echo hello | ap-llm -m "$model" > /dev/null
    done
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = 'a'")" -eq \
        "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    [ "$(query "SELECT sum(tokens_reserved) FROM budgets")" -eq 0 ]
    [ "$(query "SELECT group_concat(provider || attempt || estimated) FROM llm_usage_events")" = \
        anthropic10,openai10,gemini10 ]
    ap-db check
}

@test "a call that cannot fit is refused before it is made, with status 80" {
    with_run 300
    run -80 --separate-stderr ap-llm -m claude-x <<< hello
    [[ "$stderr" == *"tokens left"* ]]
    [ "$(mock_total requests)" -eq 0 ]
    [ "$(query 'SELECT count(*) FROM budget_reservations')" -eq 0 ]
}

@test "an answer is limited to what the budget leaves" {
    with_run 1000
    mock_scenario '{"default": {"output_tokens": 5000}}'
    ap-llm --json -m claude-x <<< hello > out
    [ "$(jq -r .stop_reason out)" = max_tokens ]
    used=$(query "SELECT tokens_used FROM budgets WHERE phase_id = ''")
    [ "$used" -le 1000 ]
    [ "$used" -gt 500 ]
}

@test "sixteen calls at a nearly spent cap never pass it" {
    with_run 3000
    local clients=()
    for _ in $(seq 16); do
        ap-llm -m claude-x --max-tokens 300 <<< hello > /dev/null 2>&1 3>&- &
        clients+=($!)
    done
    wait "${clients[@]}" || true
    used=$(query "SELECT tokens_used FROM budgets WHERE phase_id = ''")
    [ "$used" -le 3000 ]
    [ "$used" -eq "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    [ "$(query "SELECT sum(tokens_reserved) FROM budgets")" -eq 0 ]
}

@test "a call whose process is killed is an estimate once its attempt ends" {
    mock_scenario '{"default": {"output_tokens": 400, "tokens_per_event": 1,
        "stall_after_events": 3}}'
    cat > work << 'END'
export ANTHROPIC_API_KEY=sk-real
echo hello | ap-llm -m claude-x --max-tokens 500 > said &
until grep -q w said; do sleep 0.01; done
kill -KILL $!
END
    jq -n '{run_id: "r", phases: [{id: "a", command: ["sh", "work"], timeout: "30s"}]}' > plan.json
    ap-run create plan.json > /dev/null
    ap-exec --quiet --run-id r
    [ "$(ap-budget estimates r --json | jq -c '[.phase_id, .attempt, .provider, .model]')" = \
        '["a",1,"anthropic","claude-x"]' ]
    [ "$(query 'SELECT completion_tokens FROM llm_usage_events')" -eq 500 ]
    wait_until mock_is_idle
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = 'a'")" -ge \
        "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    [ "$(query "SELECT sum(tokens_reserved) FROM budgets")" -eq 0 ]
    ap-db check
}

@test "with a key for the gateway the books are the gateway's" {
    with_run 100000
    ANTHROPIC_API_KEY=apk-$(printf 'x%.0s' {1..43}) ap-llm -m claude-x <<< hello > /dev/null
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
    [ "$(query 'SELECT count(*) FROM budget_reservations')" -eq 0 ]
}

@test "a cut-off answer is an estimate that covers what was said" {
    with_run 100000
    mock_scenario '{"default": {"cut_after_events": 2, "cut": "fin"}}'
    run -69 --separate-stderr ap-llm -m gpt-x <<< hello
    [ "$output" = 'w0 w1 w2 w3 w4 w5 w6 w7 ' ]
    [ "$(query 'SELECT estimated FROM llm_usage_events')" -eq 1 ]
    [ "$(query 'SELECT completion_tokens >= 8 FROM llm_usage_events')" -eq 1 ]
    [ "$(query "SELECT sum(tokens_reserved) FROM budgets")" -eq 0 ]
}

@test "what whole answers came to makes the estimate of one that is cut off" {
    with_run 1000000
    prompt=$(printf 'hello %.0s' {1..200})
    cut='{"default": {"output_tokens": 400, "cut_after_events": 40, "cut": "fin"}}'
    mock_scenario "$cut"
    run -69 ap-llm -m gpt-x <<< "$prompt"
    mock_scenario '{"default": {"output_tokens": 400}}'
    for _ in {1..16}; do
        ap-llm -m gpt-x <<< "$prompt" > /dev/null
    done
    mock_scenario "$cut"
    run -69 ap-llm -m gpt-x <<< "$prompt"
    IFS='|' read -r first_input first_output last_input last_output < <(query "
        SELECT group_concat(prompt_tokens || '|' || completion_tokens, '|')
        FROM llm_usage_events WHERE estimated = 1")
    [ "$last_input" -lt "$first_input" ]
    [ "$last_output" -lt "$first_output" ]
    [ "$last_input" -ge "$(jq -s '.[-1].prompt_tokens' mock.log)" ]
    [ "$last_output" -ge "$(jq -s '.[-1].completion_sent' mock.log)" ]
}

@test "a reader that has had enough leaves a settled call" {
    with_run 100000
    mock_scenario '{"default": {"output_tokens": 4000, "tokens_per_event": 1}}'
    ap-llm -m claude-x <<< hello 2> err | head -c 5 > /dev/null
    [ ! -s err ]
    [ "$(query "SELECT sum(tokens_reserved) FROM budgets")" -eq 0 ]
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 1 ]
}

@test "a call that the provider refused costs nothing" {
    with_run 100000
    mock_scenario '{"default": {"status": 500}}'
    run -69 ap-llm -m claude-x <<< hello
    [ "$(query "SELECT sum(tokens_reserved) + sum(tokens_used) FROM budgets")" -eq 0 ]
}

@test "the status tells why there is no answer" {
    check() {
        mock_scenario "{\"default\": $1}"
        run "-$2" --separate-stderr ap-llm -m gpt-x <<< hello
        [ -z "$output" ]
        [ "${#stderr_lines[@]}" -eq 1 ]
    }
    check '{"status": 401}' 77
    check '{"status": 400}' 65
    check '{"status": 400, "error_type": "insufficient_quota"}' 80
    check '{"status": 429}' 75
    check '{"status": 529}' 69
    [[ "$stderr" == 'ap-llm: openai: status 529: mock failure' ]]
    OPENAI_BASE_URL=http://127.0.0.1:9/v1 run -69 ap-llm -m gpt-x <<< hello
    mock_scenario '{"default": {"stall_before_ms": -1}}'
    run -69 ap-llm --timeout 200ms -m gpt-x <<< hello
}

@test "a key comes from a file that not everybody can read, and is never shown" {
    unset OPENAI_API_KEY
    echo sk-file > key
    chmod 600 key
    jq '.providers.openai.key_file = "key"' "$AUTOPACK_LLM_CONFIG" > llm.json
    ap-llm -c llm.json -m gpt-x <<< hello > /dev/null
    [ "$(jq -r .key mock.log)" = sk-file ]
    chmod 644 key
    run -78 --separate-stderr ap-llm -c llm.json -m gpt-x <<< hello
    [[ "$stderr" == *"chmod o= it" ]]
    run -77 --separate-stderr ap-llm -m gpt-x <<< hello
    [[ "$stderr" == *OPENAI_API_KEY* ]]
}

@test "what cannot be asked is refused with one line" {
    run -78 --separate-stderr ap-llm -m nobodys-model <<< hello
    [[ "$stderr" == *"no provider has a model 'nobodys-model'"* ]]
    run -65 ap-llm -m gpt-x <<< ''
    run -66 ap-llm -m gpt-x absent
    run -2 ap-llm -m gpt-x --max-tokens 0 <<< hello
    run -2 ap-llm -m gpt-x --timeout soon <<< hello
    echo '{"providers": {"x": {"dialect": "latin"}}}' > llm.json
    run -78 --separate-stderr ap-llm -c llm.json -m x/y <<< hello
    [ "$stderr" = 'ap-llm: llm.json: /providers/x/dialect: expected anthropic, openai or gemini, got "latin"' ]
}

# A gateway in front of the mock, which keeps an archive, and a run of one phase: in_run
# TOKEN_CAP COMMAND
in_run() {
    echo sk-real > key
    chmod 600 key
    jq -n --arg url "$MOCK_URL" '{listen: {tcp: {port: 0}}, archive: true, providers: [
        {name: "anthropic", family: "anthropic", base_url: $url, key_file: "key"}]}' \
        > ap-gate.conf
    ap-db init
    unset AUTOPACK_GATE_URL
    ap-gate 2> gate.err 3>&- &
    GATE_PID=$!
    wait_until test -s .autonomous_runs/gate.json
    jq -n --argjson cap "$1" --arg command "$2" '{run_id: "r", token_cap: $cap, phases: [
        {id: "a", command: $command, grace: "60s"}]}' | ap-run create -
}

@test "in a phase the gateway counts the call, and a replay of it costs nothing" {
    in_run 100000 'echo hello | ap-llm -m claude-x > answer'
    ap-exec --quiet --run-id r
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = 'a'")" -eq \
        "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    [ "$(query 'SELECT group_concat(source) FROM llm_usage_events')" = gateway ]
    ap-replay .autonomous_runs/r > replay.url 3>&- &
    REPLAY_PID=$!
    wait_until test -s replay.url
    echo hello | ANTHROPIC_BASE_URL=$(cat replay.url) ap-llm -m claude-x > again
    cmp answer again
    [ "$(mock_total requests)" -eq 1 ]
}

@test "in a phase a spent budget is status 80, and ends the run" {
    in_run 100 'trap "" TERM; echo hello | ap-llm -m claude-x; echo $? > status'
    run -80 ap-exec --quiet --run-id r
    [ "$(cat status)" -eq 80 ]
    # What it would have cost was asked, which is free.
    [ "$(jq -r .path mock.log)" = /v1/messages/count_tokens ]
}

@test "a run that was refused a call leaves its phases their grace, unless it is aborted" {
    in_run 100 'trap "" TERM; echo hello | ap-llm -m claude-x; echo $? > status; sleep 300'
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until test -s status
    wait_until sh -c 'sqlite3 autopack.db "SELECT kind FROM events" | grep -q budget.refused'
    kill -0 "$executor"
    ap-ctl abort r
    status=0
    wait "$executor" || status=$?
    [ "$status" -eq 80 ]
}

# The configuration with pauses short enough for tests: quick_retries [MEMBERS]
quick_retries() {
    jq --argjson more "${1:-"{}"}" '.providers[].retry = {attempts: 3, backoff: "10ms",
        longest: "5s"} + $more' "$AP_SOURCE/contrib/llm.json" > llm.json
    export AUTOPACK_LLM_CONFIG=$PWD/llm.json
}

@test "a call that its provider did not take is made again" {
    quick_retries
    with_run 100000
    for status in 429 503 529; do
        mock_scenario "{\"queue\": [{\"status\": $status}, {\"status\": $status}]}"
        [ "$(echo hello | ap-llm -m gpt-x | wc -w)" -gt 1 ]
    done
    [ "$(jq -s length mock.log)" -eq 9 ]
    [ "$(query 'SELECT count(*) || max(estimated) FROM llm_usage_events')" -eq 30 ]
}

@test "what may have been worked on is made once, and is charged its bound" {
    quick_retries
    with_run 100000
    mock_scenario '{"default": {"status": 500}}'
    run -69 ap-llm -m gpt-x <<< hello
    mock_scenario '{"default": {"status": 400}}'
    run -65 ap-llm -m gpt-x <<< hello
    [ "$(jq -s length mock.log)" -eq 2 ]
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
    mock_scenario '{"default": {"stall_before_ms": -1}}'
    run -69 ap-llm --timeout 200ms --max-tokens 300 -m gpt-x <<< hello
    [ "$(query 'SELECT completion_tokens, estimated FROM llm_usage_events')" = '300|1' ]
}

@test "a Retry-After is waited for, unless it is too long" {
    quick_retries
    mock_scenario '{"queue": [{"status": 429, "retry_after": 1}]}'
    begun=$(date +%s%N)
    ap-llm -m gpt-x <<< hello > /dev/null
    [ $(($(date +%s%N) - begun)) -ge 1000000000 ]
    mock_scenario '{"queue": [{"status": 429, "retry_after": 60}]}'
    run -75 ap-llm -m gpt-x <<< hello
    [ "$(jq -s length mock.log)" -eq 3 ]
}

@test "a signal ends the wait for another try" {
    quick_retries '{"backoff": "5s"}'
    mock_scenario '{"default": {"status": 503}}'
    ap-llm -m gpt-x <<< hello > out 3>&- &
    client=$!
    wait_until test -s mock.log
    kill "$client"
    status=0
    wait "$client" || status=$?
    [ "$status" -eq 82 ]
}

@test "direct calls of a run heed and feed the breaker of their provider and model" {
    quick_retries '{"attempts": 1}'
    with_run 100000
    mock_scenario '{"default": {"status": 529}}'
    for _ in 1 2 3 4 5; do
        run -69 ap-llm -m gpt-x <<< hello
    done
    [ "$(ap-breaker show --json llm.openai.gpt-x | jq -r .state)" = open ]
    ap-breaker show --json llm.openai.gpt-x | grep -q 'overloaded (529)'
    mock_scenario '{"default": {}}'
    run -81 --separate-stderr ap-llm -m gpt-x <<< hello
    [[ "$stderr" == "ap-llm: openai: breaker 'llm.openai.gpt-x' is open; "* ]]
    [ "$(jq -s length mock.log)" -eq 5 ]
    [ "$(query 'SELECT sum(tokens_reserved) FROM budgets')" -eq 0 ]
    ap-llm -m gpt-other <<< hello > /dev/null
    ap-breaker reset llm.openai.gpt-x
    ap-llm -m gpt-x <<< hello > /dev/null
}
