#!/usr/bin/env bats
# What the tests of the gateway and of ap-llm rely on.

load common
load mock

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    start_mock
}

teardown() {
    stop_mock
}

# Calls with a scenario: ask SCENARIO PATH BODY.
ask() {
    curl -sS -H "x-mock-scenario: $1" "$MOCK_URL$2" -d "$3"
}

messages='{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'
streamed='{"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'

@test "what each dialect says it used is what the record holds" {
    [ "$(ask '{}' /v1/messages "$messages" |
        jq '.usage | .input_tokens + .output_tokens')" -eq 14 ]
    [ "$(ask '{}' /v1/chat/completions "$messages" | jq .usage.total_tokens)" -eq 14 ]
    [ "$(ask '{}' /v1/responses '{"model": "m", "max_output_tokens": 9, "input": "hello"}' |
        jq .usage.total_tokens)" -eq 11 ]
    [ "$(ask '{}' /v1beta/models/m:generateContent \
        '{"contents": [{"parts": [{"text": "hello"}]}],
          "generationConfig": {"maxOutputTokens": 9}}' |
        jq .usageMetadata.totalTokenCount)" -eq 14 ]
    [ "$(mock_total 'prompt_tokens + .completion_tokens')" -eq $((14 + 14 + 11 + 14)) ]
    [ "$(jq -s 'map(.prompt_tokens + .completion_tokens) | add' mock.log)" -eq 53 ]
}

@test "a stream is the same however it is split, framed and encoded" {
    ask '{}' /v1/messages "$streamed" | sed 's/msg_[0-9a-f]*//' > whole
    [ "$(grep -c '^event: message_stop' whole)" -eq 1 ]
    for how in '"split": 1' '"split": "random"' '"split": [3, 90], "framing": "length"' \
        '"encoding": "gzip", "split": 2' '"encoding": "deflate", "framing": "close"'; do
        curl -sS --compressed -H "x-mock-scenario: {$how}" "$MOCK_URL/v1/messages" \
            -d "$streamed" | sed 's/msg_[0-9a-f]*//' > split
        cmp whole split
    done
}

@test "a cut stream tells in the record how many tokens had left" {
    run ask '{"cut_after_events": 3}' /v1/messages "$streamed"
    [ "$status" -eq 56 ]
    run ask '{"cut_after_events": 1, "cut": "fin"}' /v1/messages "$streamed"
    [ "$status" -eq 18 ]
    [ "$(jq -sc 'map([.outcome, .completion_sent])' mock.log)" = '[["cut",12],["cut",4]]' ]
}

nothing_is_under_way() {
    [ "$(mock_total in_flight)" -eq 0 ]
}

does_not_answer() {
    ! curl -s -o /dev/null "$1"
}

@test "a client that leaves a stalled stream is seen to leave" {
    run curl -sS -m 0.3 -H 'x-mock-scenario: {"stall_after_events": 2}' \
        "$MOCK_URL/v1/messages" -d "$streamed"
    [ "$status" -eq 28 ]
    wait_until nothing_is_under_way
    [ "$(jq -r '[.outcome, .completion_sent] | @csv' mock.log)" = '"client_gone",8' ]
}

@test "scenarios queue up before the default, and a limit can be over-delivered" {
    mock_scenario '{"queue": [{"status": 529}, {"status": 429, "retry_after": 7}],
        "default": {"over_deliver": 5}}'
    [ "$(ask_plain | jq -r .error.type)" = overloaded_error ]
    [ "$(curl -sS -o /dev/null -w '%header{retry-after}' "$MOCK_URL/v1/messages" \
        -d "$messages")" = 7 ]
    [ "$(ask_plain | jq .usage.output_tokens)" -eq 14 ]
    run mock_scenario '{"default": {"no_such": 1}}'
    [ "$status" -ne 0 ]
}

ask_plain() {
    curl -sS "$MOCK_URL/v1/messages" -d "$messages"
}

@test "it ends with the process that started it" {
    bash -c 'python3 -B "$1" --port-file other.port > /dev/null 2>&1 3>&- &
        until [ -s other.port ]; do sleep 0.02; done' - "$AP_SOURCE/tests/mock_upstream"
    wait_until does_not_answer "http://127.0.0.1:$(cat other.port)/mock/totals"
}
