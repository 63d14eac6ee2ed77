#!/usr/bin/env bats
# Answers that are kept and given again.

bats_require_minimum_version 1.5.0
load common
load gate

setup() {
    gate_setup
}

teardown() {
    gate_teardown
}

# Merges $1 into the configuration.
also() {
    jq ". * $1" ap-gate.conf > new.conf
    mv new.conf ap-gate.conf
}

# At least $1 calls were answered again.
hits() {
    [ "$(query "SELECT count(*) FROM llm_usage_events WHERE provider = 'cache'")" -ge "$1" ]
}

kept() {
    [ "$(find .autonomous_runs/.autopack-gate-cache -type f | wc -l)" -eq "$1" ]
}

@test "nothing is kept unless the configuration says so" {
    start_gate
    messages '{}' -o one
    messages '{}' -o two
    wait_until served_are 2
    wait_until recorded 2
    [ ! -e .autonomous_runs/.autopack-gate-cache ]
}

@test "the same request has the same answer again, at no cost and recorded as a hit" {
    also '{cache: {}}'
    framing='^(date|content-length|transfer-encoding):'
    start_gate
    for members in '{}' '{"stream": true}'; do
        messages "$members" -D head > "first$members"
        grep -viE "$framing" head > "first-head$members"
    done
    wait_until kept 2
    for members in '{}' '{"stream": true}'; do
        messages "$members" -D head > again
        cmp again "first$members"
        diff <(grep -viE "$framing" head) "first-head$members"
    done
    wait_until hits 2
    wait_until recorded 4
    [ "$(wc -l < served)" -eq 2 ]
    same_as_served
    [ "$(query "SELECT DISTINCT model, prompt_tokens + completion_tokens, cost_microusd,
                estimated FROM llm_usage_events WHERE provider = 'cache'")" = \
        'claude-sonnet-4|0|0|0' ]
    curl -sf "$url/metrics" | grep -qx 'autopack_gate_cache_hits_total 2'
    # Another body, another path or another version are other requests.
    messages '{"max_tokens": 41}' -o other
    messages '{}' -H 'anthropic-beta: new' -o other
    wait_until served_are 4
    ap-db check
}

@test "what the gateway added to a stream is not in the answer that is kept" {
    also '{cache: {}}'
    start_gate
    for n in 1 2; do
        curl -sN "$url/v1/chat/completions" -H "Authorization: Bearer $key" \
            -d '{"model": "gpt-4o", "stream": true,
                 "messages": [{"role": "user", "content": "hi"}]}' > "chat$n"
        wait_until kept 1
    done
    cmp chat1 chat2
    grep -q '\[DONE\]' chat2
    run ! grep '"usage":{' chat2
    [ "$(wc -l < served)" -eq 1 ]
}

@test "answers outlive the gateway" {
    also '{cache: {}}'
    start_gate
    messages '{}' -o first
    wait_until kept 1
    stop_gate KILL
    rm .autonomous_runs/gate.json
    start_gate
    messages '{}' -o again
    cmp first again
    [ "$(wc -l < served)" -eq 1 ]
}

@test "errors, broken answers and other runs' answers are not given" {
    also '{cache: {}}'
    start_gate
    scenarios '[{"status": 400}, {"cut_after_events": 2}]'
    messages '{}' -o bad
    messages '{"stream": true}' -o cut || true
    messages '{}' -o good
    wait_until kept 1
    wait_until served_are 3
    # A second run, with a key of its own.
    jq '.run_id = "s"' plan.json > other.json
    ap-run create other.json
    mv key-of-attempt first-key
    ap-exec --quiet --run-id s 3>&- &
    second=$!
    wait_until test -s key-of-attempt
    key=$(cat key-of-attempt) messages '{}' -o other
    wait_until served_are 4
    also '{cache: {shared: true}}'
    kill -HUP "$(cat gate.pid)"
    # The next is kept for all, the one after is a hit.
    shared_hit() {
        key=$(cat key-of-attempt) messages '{}' -o other && key=$(cat first-key) \
            messages '{}' -o other && hits 1
    }
    wait_until shared_hit
    kill -KILL "$second"
}

@test "the files stay within their size, the oldest make room" {
    also '{cache: {size: 1048576}}'
    start_gate
    for n in {1..15}; do
        messages "{\"stream\": true, \"max_tokens\": 4$n}" -o answer \
            -H 'x-mock-scenario: {"event_bytes": 9000, "output_tokens": 40}'
    done
    wait_until recorded 15
    full() {
        local bytes
        bytes=$(du -bc .autonomous_runs/.autopack-gate-cache/* | tail -1 | cut -f 1)
        [ "$bytes" -le 1048576 ] && [ "$bytes" -gt 700000 ]
    }
    wait_until full
}
