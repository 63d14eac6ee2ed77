# An ap-gate between an attempt of a real run and a mock of its providers: `load common`
# and this.

gate_setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    unset AUTOPACK_GATE_URL
    echo sk-real > key
    python3 -B "$AP_SOURCE/tests/mock_upstream" --port-file port --log served \
        > mock.out 3>&- &
    mock=$!
    wait_until test -s port
    configure '{}'
}

gate_teardown() {
    touch end
    [ ! -e gate.pid ] || kill -KILL "$(cat gate.pid)" || true
    kill "$mock"
    [ -z "${executor:-}" ] || kill -KILL "$executor" || true
    wait
}

# Writes a configuration with the three families at the mock, and $1 in each provider.
configure() {
    jq -n --argjson more "$1" --arg url "http://127.0.0.1:$(cat port)" '
        {listen: {tcp: {port: 0}}, archive: true, drain: "2s",
         providers: [("anthropic", "openai", "gemini") |
             {name: ., family: ., base_url: $url, key_file: "key"} + $more]}' \
        > ap-gate.conf
}

# Starts the gateway; $1, if given, is the token cap of the run.
start_gate() {
    [ -e autopack.db ] || start_run "${1:-1000000}"
    ap-gate 2> gate.err 3>&- &
    echo $! > gate.pid
    wait_until test -s .autonomous_runs/gate.json
    url=$(jq -r .url .autonomous_runs/gate.json)
    [ -e key-of-attempt ] || start_attempt
    key=$(cat key-of-attempt)
}

start_run() {
    jq -n --argjson cap "$1" '{run_id: "r", token_cap: $cap, phases: [{id: "a",
        command: "echo $ANTHROPIC_API_KEY > k; mv k key-of-attempt;
                  while [ ! -e end ]; do sleep 0.05; done"}]}' > plan.json
    ap-run create plan.json
}

start_attempt() {
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until test -s key-of-attempt
}

stop_gate() {
    kill "-${1:-TERM}" "$(cat gate.pid)"
    wait "$(cat gate.pid)" || true
    rm gate.pid
}

# Calls Anthropic Messages with the JSON members $1 besides model and message; more
# arguments go to curl.
messages() {
    local members=$1
    shift
    curl -sN "$url/v1/messages?beta=true" -H "x-api-key: $key" \
        -H 'anthropic-version: 2023-06-01' -d "$(jq -cn --argjson more "$members" '
            {model: "claude-sonnet-4", max_tokens: 40,
             messages: [{role: "user", content: "hi"}]} + $more')" "$@"
}

recorded() {
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq "$1" ]
}

# Whether what was recorded is what the mock says it served, to the token.
is_as_served() {
    [ "$(query 'SELECT sum(prompt_tokens), sum(completion_tokens) FROM llm_usage_events')" = \
        "$(jq -s -r '[(map(.prompt_tokens) | add), (map(.completion_tokens) | add)] |
                     join("|")' served)" ]
}

same_as_served() {
    wait_until is_as_served
}

# What the mock's next calls meet: one scenario each, then the default.
scenarios() {
    curl -sS --fail-with-body -o /dev/null -d "{\"queue\": $1, \"default\": {}}" \
        "http://127.0.0.1:$(cat port)/mock/scenario"
}

# Whether the mock has written down $1 requests; it does so after it answered.
served_are() {
    [ "$(wc -l < served)" -eq "$1" ]
}
