#!/usr/bin/env bats
# Calls that their provider cannot take go to another one, or to another model.

bats_require_minimum_version 1.5.0
load common
load gate

setup() {
    gate_setup
    echo sk-second > key2
    jq -n '{models: {cheap: {input: 1, output: 2},
                     dear: {input: 100, output: 200, max_output: 30}}}' > prices.json
}

teardown() {
    gate_teardown
}

# Two Anthropic providers, the first at URL $1 and with fallback routes $2.
two_providers() {
    jq -n --arg first "$1" --argjson routes "$2" --arg url "http://127.0.0.1:$(cat port)" '
        {listen: {tcp: {port: 0}}, drain: "2s", prices: "prices.json", min_output: 1,
         providers: [
            {name: "first", family: "anthropic", base_url: $first, key_file: "key",
             retry: {attempts: 3, backoff: "10ms"}, fallback: $routes},
            {name: "second", family: "anthropic", base_url: $url, key_file: "key2",
             retry: {attempts: 1}}]}' > ap-gate.conf
}

at_mock() {
    two_providers "http://127.0.0.1:$(cat port)" "$1"
}

# A port that nobody listens on.
dead_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# The breaker of the first provider and the cheap model counts a failure.
failed_once() {
    [ "$(ap-breaker show --json gate.first.cheap | jq .failure_count)" -eq 1 ]
}

# The status of a call for model $1; more arguments go to curl.
call() {
    local model=$1
    shift
    messages "{\"model\": \"$model\"}" -o answer -w '%{http_code}' "$@"
}

@test "each status of a failing provider sends the call to the next one, which is charged" {
    at_mock '["second"]'
    start_gate
    for status in 500 529 429; do
        scenarios "[{\"status\": $status}]"
        [ "$(call cheap)" = 200 ]
    done
    wait_until recorded 3
    wait_until served_are 6
    [ "$(jq -r .key served | tr '\n' ' ')" = \
        'sk-real sk-second sk-real sk-second sk-real sk-second ' ]
    [ "$(query 'SELECT DISTINCT provider, model, estimated FROM llm_usage_events')" = \
        'second|cheap|0' ]
    [ "$(query 'SELECT sum(completion_tokens) FROM llm_usage_events')" = \
        "$(jq -s 'map(.completion_tokens // 0) | add' served)" ]
    ap-db check
}

@test "a provider that cannot be reached is passed by" {
    two_providers "http://127.0.0.1:$(dead_port)" '["second"]'
    start_gate
    [ "$(call cheap)" = 200 ]
    wait_until served_are 1
    [ "$(jq -r .key served)" = sk-second ]
    wait_until recorded 1
    wait_until failed_once
    run -66 ap-breaker show gate.second.cheap
}

@test "an open breaker sends the call on without asking its provider" {
    at_mock '["second"]'
    start_gate
    ap-breaker open gate.first.cheap
    [ "$(call cheap)" = 200 ]
    wait_until served_are 1
    [ "$(jq -r .key served)" = sk-second ]
    # The breaker is the provider's and the model's.
    [ "$(call dear)" = 200 ]
    wait_until served_are 2
    [ "$(tail -1 served | jq -r .key)" = sk-real ]
}

@test "another model is asked for in place of the first, and charged at its price" {
    at_mock '[{"model": "dear"}]'
    start_gate
    scenarios '[{"status": 529}]'
    [ "$(call cheap)" = 200 ]
    [ "$(jq -r .model answer)" = dear ]
    wait_until recorded 1
    [ "$(query 'SELECT provider, model, completion_tokens FROM llm_usage_events')" = \
        'first|dear|30' ]
    [ "$(query 'SELECT cost_microusd = prompt_tokens * 100 + 6000
                FROM llm_usage_events')" = 1 ]
    # The first model's failure is not the second's.
    wait_until failed_once
    run -66 ap-breaker show gate.first.dear
    ap-db check
}

@test "what another model may cost is reserved before it is asked" {
    at_mock '[{"provider": "second", "model": "dear"}]'
    start_gate
    ap-budget set r --cost-usd 0.001
    [ "$(call cheap)" = 200 ]
    scenarios '[{"status": 529}]'
    [ "$(call cheap -D head)" = 400 ]
    grep -qi '^autopack-refusal: budget' head
    wait_until served_are 3
    # The second provider was only asked to count.
    [ "$(jq -r 'select(.key == "sk-second").dialect' served)" = anthropic-count ]
    stop_gate
    recorded 1
    [ "$(query "SELECT cost_reserved_microusd FROM budgets WHERE phase_id = ''")" -eq 0 ]
    ap-db check
}

@test "Gemini is asked for another model in the path" {
    jq -n --arg url "http://127.0.0.1:$(cat port)" '{listen: {tcp: {port: 0}}, providers:
        [{name: "g", family: "gemini", base_url: $url, key_file: "key",
          fallback: [{model: "gemini-2.0-flash"}]}]}' > ap-gate.conf
    start_gate
    scenarios '[{"status": 503}]'
    curl -sf "$url/v1beta/models/gemini-2.5-pro:generateContent" \
        -H "x-goog-api-key: $key" -d '{"contents": [{"parts": [{"text": "hi"}]}]}' |
        grep -q usageMetadata
    wait_until served_are 2
    [ "$(tail -1 served | jq -r .path)" = /v1beta/models/gemini-2.0-flash:generateContent ]
    wait_until recorded 1
}

@test "when all routes fail, the last answer is passed on and nothing is charged" {
    at_mock '["second", {"model": "dear"}]'
    start_gate
    scenarios '[{"status": 503}, {"status": 500}, {"status": 529}]'
    [ "$(call cheap)" = 529 ]
    wait_until served_are 3
    stop_gate
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
    [ "$(query 'SELECT sum(tokens_reserved) FROM budgets')" -eq 0 ]
}

@test "a client's own count goes to the provider that takes its model" {
    jq -n --arg url "http://127.0.0.1:$(cat port)" '
        {listen: {tcp: {port: 0}}, providers: [
            {name: "first", family: "anthropic", base_url: $url, key_file: "key",
             models: ["claude-"]},
            {name: "second", family: "anthropic", base_url: $url, key_file: "key2",
             models: ["cheap"]}]}' > ap-gate.conf
    start_gate
    for model in cheap claude-x; do
        curl -sS --fail-with-body "$url/v1/messages/count_tokens" -H "x-api-key: $key" \
            -H 'anthropic-version: 2023-06-01' -d "{\"model\": \"$model\",
                \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}" > answer
        jq -e '.input_tokens > 0' answer
    done
    wait_until served_are 2
    [ "$(jq -r .key served | paste -sd' ')" = 'sk-second sk-real' ]
    [ "$(curl -s -o answer -w '%{http_code}' "$url/v1/messages/count_tokens" \
        -H "x-api-key: $key" -d '{"model": "other", "messages": []}')" = 404 ]
    grep -q "takes model 'other'" answer
}
