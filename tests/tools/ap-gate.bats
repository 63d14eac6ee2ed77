#!/usr/bin/env bats
# The gateway between an attempt of a real run and a mock of its providers.

bats_require_minimum_version 1.5.0
load common
load gate

setup() {
    gate_setup
}

teardown() {
    gate_teardown
}

@test "an answer passes byte for byte with its real key, and is recorded to the token" {
    start_gate
    messages '{}' -D head > through
    messages '{"stream": true}' > through-stream
    real=http://127.0.0.1:$(cat port)
    url=$real key=sk-direct messages '{}' > direct
    url=$real key=sk-direct messages '{"stream": true}' > direct-stream
    mask='s/"id":"[^"]*"//g'
    diff <(sed "$mask" through) <(sed "$mask" direct)
    diff <(sed "$mask" through-stream) <(sed "$mask" direct-stream)
    grep -qi '^content-type: application/json' head
    [ "$(jq -r .key served | sort -u)" = "$(printf 'sk-direct\nsk-real')" ]
    grep -v '"key": "sk-direct"' served > ours
    mv ours served
    same_as_served
    [ "$(query 'SELECT max(estimated) FROM llm_usage_events')" -eq 0 ]
    ap-db check
}

@test "every dialect is metered, split anywhere and compressed" {
    configure '{}'
    start_gate
    # Streams are read to their end before one looks: a client that leaves cancels.
    scenario='x-mock-scenario: {"split": 3, "encoding": "gzip"}'
    messages '{"stream": true}' -H "$scenario" -H 'Accept-Encoding: gzip' | gunzip |
        grep -q message_stop
    for body in '{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}' \
        '{"model": "gpt-4o", "stream": true,
          "messages": [{"role": "user", "content": "hi"}]}'; do
        curl -sN "$url/v1/chat/completions" -H "Authorization: Bearer $key" -d "$body" \
            -H 'x-mock-scenario: {"split": "random"}' > chat
        grep -q w0 chat
    done
    # Usage was asked for by the gateway alone.
    run ! grep '"usage":{' chat
    grep -q '\[DONE\]' chat
    curl -sN "$url/v1/responses" -H "Authorization: Bearer $key" \
        -d '{"model": "gpt-5", "stream": true, "input": "hi"}' > reply
    grep -q completed reply
    curl -s "$url/v1/embeddings" -H "Authorization: Bearer $key" \
        -d '{"model": "text-embedding-3-small", "input": "hi"}' | grep -q embedding
    curl -s "$url/v1beta/models/gemini-2.0-flash:generateContent" \
        -H "x-goog-api-key: $key" -d '{"contents": [{"parts": [{"text": "hi"}]}]}' |
        grep -q usageMetadata
    curl -sN "$url/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse&key=$key" \
        -d '{"contents": [{"parts": [{"text": "hi"}]}]}' > reply
    grep -q usageMetadata reply
    same_as_served
    [ "$(jq -r .key served | sort -u)" = sk-real ]
}

@test "foreign, missing and dead keys are 401 in the provider's shape" {
    start_gate
    right=$key
    for key in sk-foreign "apk-$(head -c 43 /dev/zero | tr '\0' x)"; do
        [ "$(messages '{}' -o answer -w '%{http_code}')" = 401 ]
        [ "$(jq -r .error.type answer)" = authentication_error ]
    done
    [ "$(curl -s "$url/v1/chat/completions" -d '{}' | jq -r .error.code)" = \
        invalid_api_key ]
    key=$right
    [ "$(messages '{}' -o answer -w '%{http_code}')" = 200 ]
    touch end
    wait "$executor"
    dead() { [ "$(messages '{}' -o answer -w '%{http_code}')" = 401 ]; }
    wait_until dead
    [ "$(jq -s 'map(select(.key != "sk-real")) | length' served)" -eq 0 ]
}

@test "unknown paths are refused, probes are answered, models pass uncharged" {
    start_gate
    [ "$(curl -s -o answer -w '%{http_code}' "$url/v1/files" -H "x-api-key: $key")" = 404 ]
    curl -sfI "$url/" > /dev/null
    curl -sfI "$url/v1/messages" > /dev/null
    curl -sf "$url/v1/models" -H "Authorization: Bearer $key" | grep -q gpt
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
}

@test "a spent budget is refused as agents understand it, and ends the phase" {
    start_gate 600
    messages '{"max_tokens": 400}' -o answer -H 'x-mock-scenario: {"output_tokens": 400}'
    [ "$(messages '{"max_tokens": 400}' -D head -o answer -w '%{http_code}')" = 400 ]
    grep -qi '^autopack-refusal: budget' head
    [ "$(jq -r .error.type answer)" = invalid_request_error ]
    status=0
    wait "$executor" || status=$?
    [ "$status" -eq 80 ]
    [ "$(query "SELECT tokens_used + tokens_reserved <= token_cap FROM budgets
                WHERE phase_id = ''")" -eq 1 ]
    ap-db check
}

@test "a stream of more bytes than tokens is not cut where just its tokens fit" {
    start_gate 420
    messages '{"stream": true, "max_tokens": 200}' -o answer \
        -H 'x-mock-scenario: {"output_tokens": 200}'
    grep -q message_stop answer
    [ "$(grep -o 'w[0-9]* ' answer | wc -c)" -gt 420 ]
    same_as_served
}

@test "a call is refused by its bound where its input cannot be counted" {
    start_gate 1200
    text=$(head -c 3200 /dev/zero | tr '\0' x)
    long="{\"messages\": [{\"role\": \"user\", \"content\": \"$text\"}]}"
    scenarios '[{"status": 404}]'
    [ "$(messages "$long" -o answer -w '%{http_code}')" = 400 ]
    wait_until served_are 1
    [ "$(jq -r .dialect served)" = anthropic-count ]
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
}

@test "a call that fits but for its bound is counted, and charged as it was used" {
    start_gate 1200
    text=$(head -c 3200 /dev/zero | tr '\0' x)
    long="{\"messages\": [{\"role\": \"user\", \"content\": \"$text\"}]}"
    [ "$(messages "$long" -o answer -w '%{http_code}')" = 200 ]
    wait_until served_are 2
    [ "$(jq -r '.dialect + " " + .key' served | tr '\n' ' ')" = \
        'anthropic-count sk-real anthropic-messages sk-real ' ]
    jq -c 'select(.dialect == "anthropic-messages")' served > calls
    mv calls served
    same_as_served
    [ "$(query 'SELECT count(*) FROM budget_refusals')" -eq 0 ]
    # The second time it does not fit by the count either.
    [ "$(messages "$long" -D head -o answer -w '%{http_code}')" = 400 ]
    grep -qi '^autopack-refusal: budget' head
    status=0
    wait "$executor" || status=$?
    [ "$status" -eq 80 ]
    ap-db check
}

@test "every provider that counts for free is asked before a call is refused" {
    start_gate 3000
    text=$(head -c 3200 /dev/zero | tr '\0' x)
    curl -sS --fail-with-body "$url/v1/responses" -H "Authorization: Bearer $key" \
        -H 'x-mock-scenario: {"output_tokens": 20}' -d "{\"model\": \"gpt-4o\",
            \"max_output_tokens\": 100, \"store\": false, \"input\": \"$text\"}" > answer
    for verb in generateContent 'streamGenerateContent?alt=sse'; do
        curl -sSN --fail-with-body "$url/v1beta/models/gemini-2.0-flash:$verb" \
            -H "x-goog-api-key: $key" -H 'x-mock-scenario: {"output_tokens": 20}' \
            -d "{\"contents\": [{\"parts\": [{\"text\": \"$text\"}]}],
                 \"systemInstruction\": {\"parts\": [{\"text\": \"be brief\"}]},
                 \"generationConfig\": {\"maxOutputTokens\": 100}}" > answer
    done
    wait_until served_are 6
    [ "$(jq -r .dialect served | paste -sd' ')" = \
        'openai-count openai-responses gemini-count gemini gemini-count gemini-stream' ]
    [ "$(jq -r .key served | sort -u)" = sk-real ]
    grep -v -- -count served > calls
    mv calls served
    same_as_served
    ap-db check
}

@test "an archived run is served back by ap-replay, without its provider" {
    chat() {
        curl -sN "$url/v1/chat/completions" -H "Authorization: Bearer $key" \
            -d '{"model": "gpt-4o", "stream": true,
                 "messages": [{"role": "user", "content": "hi"}]}' -o "$1"
    }
    start_gate
    messages '{}' -o plain
    messages '{"stream": true}' -o stream
    chat chat
    wait_until recorded 3
    stop_gate
    [ "$(wc -l < .autonomous_runs/r/phases/a/attempt-1/archive.jsonl)" -eq 3 ]
    run ! grep -r -e sk-real -e "$key" .autonomous_runs/r
    ap-replay --ignore /stream_options --ignore /max_tokens .autonomous_runs/r > replay.out 3>&- &
    replay=$!
    wait_until test -s replay.out
    configure "{\"base_url\": \"$(head -1 replay.out)\"}"
    jq '.archive = false' ap-gate.conf > new.conf
    mv new.conf ap-gate.conf
    start_gate
    messages '{}' -o plain-again
    messages '{"stream": true}' -o stream-again
    chat chat-again
    kill "$replay"
    wait "$replay"
    for answer in plain stream chat; do
        cmp "$answer" "$answer-again"
    done
    [ "$(wc -l < served)" -eq 3 ]
    wait_until recorded 6
    [ "$(query 'SELECT count(*) FROM (SELECT DISTINCT model, prompt_tokens,
                completion_tokens FROM llm_usage_events)')" -le 3 ]
}

@test "ap-ctl status shows what passes through the gateway" {
    start_gate
    messages '{}' > body
    wait_until recorded 1
    run ap-ctl status
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "gateway (pid $(cat gate.pid)): 0 calls under way, 0 waiting for\
 budget, 1 settled, 0 refused" ]
    ap-ctl status --json | tail -1 | jq -e '.gateway.settled == 1'
    run ap-ctl status r
    [[ "$output" != *gateway* ]]
    stop_gate
    run ap-ctl status
    [[ "$output" != *gateway* ]]
}

@test "a client that leaves ends the call at the provider, which is charged an estimate" {
    start_gate
    messages '{"stream": true}' -H 'x-mock-scenario: {"stall_after_events": 4}' \
        --max-time 1 > part || true
    grep -q message_start part
    ended() { jq -e 'select(.outcome != "complete")' served > /dev/null; }
    wait_until ended
    wait_until recorded 1
    [ "$(query 'SELECT estimated FROM llm_usage_events')" -eq 1 ]
}

# chat NUMBER [CURL-ARGUMENT...]: a stream of OpenAI, which tells its usage at the end.
chat() {
    local words
    words=$(printf "word$1 %.0s" {1..300})
    shift
    curl -sN "$url/v1/chat/completions" -H "Authorization: Bearer $key" "$@" \
        -d "{\"model\": \"gpt-4o\", \"stream\": true, \"max_tokens\": 900,
             \"messages\": [{\"role\": \"user\", \"content\": \"$words\"}]}"
}

@test "a cut stream is charged by what whole ones came to, and found at the provider" {
    start_gate
    seq 10 33 | while read -r number; do
        chat "$number" -H 'x-mock-scenario: {"output_tokens": 400}' > /dev/null
    done
    wait_until recorded 24
    # What was learned is kept when the gateway goes.
    stop_gate
    start_gate
    chat 50 -H 'x-mock-scenario: {"output_tokens": 800, "stall_after_events": 100}' \
        --max-time 1 > part || true
    wait_until recorded 25
    estimate=$(ap-budget estimates r --json)
    cut() { jq -e 'select(.outcome != "complete")' served > truth; }
    wait_until cut
    # A body of 300 words of 7 bytes is worth 2,300 at a token a byte.
    jq -e -s '.[0].prompt_tokens as $e | .[1].prompt_tokens as $t |
        $e >= $t and $e < $t * 1.2' <(echo "$estimate") truth
    jq -e -s '.[0].completion_tokens as $e | .[1].completion_sent as $t |
        $e >= $t and $e < $t * 1.2 + 70' <(echo "$estimate") truth
    # The provider's name for it is that of its record.
    [ "$(jq -r .provider_request_id <<< "$estimate")" = "$(jq -r .request_id truth)" ]
    jq -c '{call: .request_id, prompt_tokens, completion_tokens: .completion_sent}' truth |
        ap-budget reconcile r
    [ "$(query 'SELECT max(estimated) FROM llm_usage_events')" -eq 0 ]
    ap-db check
}

@test "errors of the provider pass, are tried again where safe, and cost nothing" {
    configure '{"retry": {"attempts": 2, "backoff": "10ms"}}'
    start_gate
    [ "$(messages '{}' -o answer -w '%{http_code}' \
        -H 'x-mock-scenario: {"status": 529}')" = 529 ]
    [ "$(jq -r .error.type answer)" = overloaded_error ]
    wait_until served_are 2
    [ "$(messages '{}' -o answer -w '%{http_code}' \
        -H 'x-mock-scenario: {"status": 400}')" = 400 ]
    wait_until served_are 3
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
}

@test "a provider that fails opens its breaker, with the reason told apart" {
    configure '{"retry": {"attempts": 1}}'
    start_gate
    for _ in 1 2 3 4 5; do
        messages '{}' -o /dev/null -H 'x-mock-scenario: {"status": 529}'
    done
    open() { [ "$(ap-breaker show --json gate.anthropic.claude-sonnet-4 |
        jq -r .state)" = open ]; }
    wait_until open
    ap-breaker show --json gate.anthropic.claude-sonnet-4 | grep -q 'overloaded (529)'
    refused() { [ "$(messages '{}' -D head -o answer -w '%{http_code}')" = 529 ] &&
        grep -q "breaker 'gate" answer; }
    wait_until refused
    grep -qi '^retry-after: [1-9]' head
}

@test "a provider that does not answer, or stalls, is given up on" {
    configure '{"timeouts": {"first_byte": "300ms", "idle": "300ms"}}'
    start_gate
    [ "$(messages '{}' -o answer -w '%{http_code}' \
        -H 'x-mock-scenario: {"stall_before_ms": -1}')" = 504 ]
    status=0
    messages '{"stream": true}' -o answer \
        -H 'x-mock-scenario: {"stall_after_events": 3}' || status=$?
    [ "$status" -eq 18 ]
    wait_until recorded 2
    [ "$(query 'SELECT min(estimated) FROM llm_usage_events')" -eq 1 ]
}

@test "a killed gateway's calls are charged by the next one" {
    start_gate
    messages '{"stream": true}' -H 'x-mock-scenario: {"stall_after_events": 4}' \
        > part 3>&- &
    call=$!
    wait_until grep -q message_start part
    stop_gate KILL
    wait "$call" || true
    [ "$(query 'SELECT tokens_reserved > 0 FROM budgets WHERE phase_id = "a"')" -eq 1 ]
    rm .autonomous_runs/gate.json
    start_gate
    wait_until recorded 1
    [ "$(query 'SELECT estimated FROM llm_usage_events')" -eq 1 ]
    [ "$(query 'SELECT tokens_reserved FROM budgets WHERE phase_id = "a"')" -eq 0 ]
    ap-db check
}

@test "a gateway told to end finishes what is under way" {
    start_gate
    messages '{"stream": true}' -H 'x-mock-scenario: {"drip_ms": 60}' > answer 3>&- &
    call=$!
    wait_until grep -q message_start answer
    kill -TERM "$(cat gate.pid)"
    wait "$call"
    grep -q message_stop answer
    wait "$(cat gate.pid)"
    rm gate.pid
    [ ! -e .autonomous_runs/gate.json ]
    same_as_served
}

@test "health, metrics and status are told; a signal reads the configuration again" {
    start_gate
    messages '{}' > /dev/null
    [ "$(curl -sf "$url/healthz" | jq -r .status)" = ok ]
    settled() { [ "$(curl -sf "$url/status" | jq .settled)" -eq 1 ]; }
    wait_until settled
    curl -sf "$url/metrics" | grep -q \
        'autopack_gate_tokens_total{provider="anthropic",model="claude-sonnet-4",kind="completion"} 40'
    kill -USR1 "$(cat gate.pid)"
    wait_until grep -q '^ap-gate: .*0 calls.*1 settled' gate.err
    echo '{"providers": 3}' > ap-gate.conf
    kill -HUP "$(cat gate.pid)"
    wait_until grep -q '/providers: expected an array of objects, got 3; the old' gate.err
    [ "$(messages '{}' -o answer -w '%{http_code}')" = 200 ]
    echo sk-new > key
    configure '{}'
    kill -HUP "$(cat gate.pid)"
    new_key() { messages '{}' -o answer; grep -q sk-new served; }
    wait_until new_key
}

@test "a configuration is checked without serving" {
    start_run 1000
    run -0 ap-gate --check
    [ "$output" = '' ]
    echo '{"providers": [{"name": "a", "family": "none"}]}' > bad.conf
    run -78 ap-gate --check --config bad.conf
    [ "$output" = "ap-gate: $PWD/bad.conf: /providers/0/family: expected anthropic, openai or gemini, got \"none\"" ]
    run -66 ap-gate --config none.conf
}
