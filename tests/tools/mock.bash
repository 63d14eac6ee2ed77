# The mock LLM upstream for bats files: `load mock` first.

# Starts it with the given options; MOCK_URL is where it listens. It ends with the test.
start_mock() {
    rm -f mock.port
    python3 -B "$AP_SOURCE/tests/mock_upstream" --port-file mock.port --log mock.log \
        "$@" > mock.out 2>&1 3>&- &
    MOCK_PID=$!
    local deadline=$((SECONDS + 10))
    until [ -s mock.port ]; do
        [ "$SECONDS" -lt "$deadline" ] && kill -0 "$MOCK_PID" || { cat mock.out; return 1; }
        sleep 0.02
    done
    MOCK_URL=http://127.0.0.1:$(cat mock.port)
}

stop_mock() {
    [ -z "${MOCK_PID:-}" ] || kill "$MOCK_PID" 2> /dev/null || true
}

# Sets what calls meet from now on: '{"default": {...}, "queue": [...]}'.
mock_scenario() {
    curl -sS --fail-with-body -o /dev/null -d "$1" "$MOCK_URL/mock/scenario"
}

# One member of the sums over what was served.
mock_total() {
    curl -sS "$MOCK_URL/mock/totals" | jq ".$1"
}

# It has noticed that the callers are gone.
mock_is_idle() {
    [ "$(mock_total in_flight)" -eq 0 ]
}
