# For tests of what serves: load serve

# start_server ARGUMENT...: an ap-serve of this directory, ready; sets $url and $server
start_server() {
    rm -f .autonomous_runs/serve.json
    ap-serve --port 0 "$@" 2>serve.log 3>&- &
    server=$!
    local deadline=$((SECONDS + 20))
    until [ -s .autonomous_runs/serve.json ]; do
        kill -0 "$server" || { cat serve.log >&2; return 1; }
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.02
    done
    url=$(jq -r .url .autonomous_runs/serve.json)
    port=${url##*:}
}

stop_server() {
    [ -z "${server:-}" ] || { kill "$server" 2>/dev/null || true; wait "$server" || true; }
    server=
}

# wait_until COMMAND...: polls for it, ten seconds at most
wait_until() {
    local deadline=$((SECONDS + 10))
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.02
    done
}

# status_of CURL-ARGUMENT...: the status of an answer
status_of() {
    curl -s -o /dev/null -w '%{http_code}' "$@"
}

# make_run ID COMMAND: a run of one phase, "work"
make_run() {
    jq -n --arg id "$1" --arg command "$2" \
        '{run_id: $id, phases: [{id: "work", command: $command}]}' | ap-run create - >/dev/null
}
