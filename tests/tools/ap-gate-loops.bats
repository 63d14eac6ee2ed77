#!/usr/bin/env bats
# Several event loops in one gateway: what they have in common is held by all of them.

bats_require_minimum_version 1.5.0

setup() {
    load common
    load gate
    gate_setup
}

teardown() {
    gate_teardown
}

# A gateway with three loops, $1 in each provider, and $2 in the configuration besides.
three_loops() {
    configure "$1"
    jq -c --argjson more "${2:-"{}"}" '. + {loops: 3} + $more' ap-gate.conf > conf
    mv conf ap-gate.conf
    start_gate "${3:-1000000}"
}

# Whether the gateway's status says all of the jq expression $1.
status_is() {
    curl -sf "$url/status" | jq -e "$1" > status.out
}

# Begins a stream, into $1, that stops after some events until its client, one of
# `stalled`, leaves; it may say $2 tokens.
begin_stalled() {
    curl -sN "$url/v1/messages" -H "x-api-key: $key" -H 'anthropic-version: 2023-06-01' \
        -H 'x-mock-scenario: {"stall_after_events": 4}' \
        -d "{\"model\": \"claude-sonnet-4\", \"max_tokens\": ${2:-40}, \"stream\": true,
             \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}" > "$1" 3>&- &
    stalled+=($!)
    wait_until grep -q message_start "$1"
}

# Begins $1 calls at once, each on its own connection; their statuses go to codes.*.
begin_calls() {
    calls=()
    for i in $(seq "$1"); do
        messages "${2:-"{}"}" -o "answer.$i" -w '%{http_code}\n' > "codes.$i" 3>&- &
        calls+=($!)
    done
}

codes_are() {
    wait "${calls[@]}"
    [ "$(sort -u codes.*)" = "$1" ]
}

@test "connections are shared evenly among the loops" {
    three_loops '{}'
    for i in 1 2 3 4 5 6; do
        begin_stalled "part.$i"
    done
    status_is '.calls == 6 and .upstream == 6'
    # How many sockets each epoll descriptor of the gateway watches. A loop watches two
    # clients for their going away, and, as a client itself, its two connections to the
    # mock; the first loop the listening socket besides.
    python3 - "$(cat gate.pid)" > watched << 'PYTHON'
import os, re, sys

files, details = (f"/proc/{sys.argv[1]}/{name}" for name in ("fd", "fdinfo"))
kinds = {name: os.readlink(f"{files}/{name}") for name in os.listdir(files)}
sockets = {name for name, kind in kinds.items() if kind.startswith("socket:")}
for name in (name for name, kind in kinds.items() if "eventpoll" in kind):
    with open(f"{details}/{name}", encoding="ascii") as file:
        print(len(sockets & set(re.findall(r"tfd:\s*(\d+)", file.read()))))
PYTHON
    [ "$(sort watched | grep -v '^0$' | xargs)" = '2 2 2 2 2 3' ]
    kill "${stalled[@]}"
}

@test "a provider's limit holds over all loops, and each call has its turn" {
    three_loops '{"limits": {"concurrency": 1}}'
    begin_stalled part
    begin_calls 5
    wait_until status_is '.queued == 5'
    status_is '.upstream == 1'
    kill "${stalled[@]}"
    codes_are 200
    wait_until status_is '.queued == 0 and .calls == 0'
    wait_until recorded 6
}

@test "a call that waits for budget is admitted when one of another loop has ended" {
    three_loops '{}' '{"budget_wait": "30s"}' 700
    begin_stalled part 350
    begin_calls 1 '{"max_tokens": 450}'
    wait_until status_is '.waiting_for_budget == 1'
    kill "${stalled[@]}"
    codes_are 200
    wait_until status_is '.waiting_for_budget == 0 and .calls == 0'
    [ "$(query "SELECT tokens_used + tokens_reserved <= token_cap FROM budgets
                WHERE phase_id = ''")" -eq 1 ]
}

# Whether one connection waits in the queue of the gateway's listening socket (state 0A).
one_waits() {
    local port
    port=$(printf ':%04X' "${url##*:}")
    [ "$(awk -v port="$port" '$2 ~ port "$" && $4 == "0A" {print $5}' /proc/net/tcp)" = \
        00000000:00000001 ]
}

@test "beyond the most connections, one waits until another is closed" {
    three_loops '{}' '{"connections": 2}'
    begin_stalled part
    begin_stalled other
    begin_calls 1
    wait_until one_waits
    [ ! -s codes.1 ]
    kill "${stalled[0]}"
    codes_are 200
    kill "${stalled[1]}"
}

@test "a configuration read again is that of all loops" {
    three_loops '{}'
    echo sk-new > key
    kill -HUP "$(cat gate.pid)"
    new_key() { messages '{}' -o answer; tail -n 1 served | grep -q sk-new; }
    wait_until new_key
    begin_calls 6
    codes_are 200
    all_new() { [ "$(tail -n 6 served | grep -c sk-new)" -eq 6 ]; }
    wait_until all_new
}

@test "the gateway's end waits for the calls of each loop" {
    three_loops '{}' '{"drain": "30s"}'
    for i in 1 2 3; do
        messages '{"stream": true}' -H 'x-mock-scenario: {"drip_ms": 60}' \
            > "dripped.$i" 3>&- &
        dripped[i]=$!
        wait_until grep -q message_start "dripped.$i"
    done
    kill -TERM "$(cat gate.pid)"
    wait "${dripped[@]}"
    [ "$(cat dripped.* | grep -c 'event: message_stop')" -eq 3 ]
    local began=$SECONDS
    wait "$(cat gate.pid)" # as soon as the last is over
    [ "$((SECONDS - began))" -lt 15 ]
    rm gate.pid
    same_as_served
}

@test "a loop that has drained forwards nothing more, while another has calls" {
    configure '{}'
    jq '.loops = 2 | .drain = "30s"' ap-gate.conf > conf && mv conf ap-gate.conf
    start_gate
    begin_stalled part
    # On the other loop: a connection that is kept while the gateway begins to end.
    python3 - "$url" "$key" "$(cat gate.pid)" > told << 'PYTHON'
import http.client, json, os, signal, sys, time

url, key, pid = sys.argv[1:]
connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
body = json.dumps({"model": "claude-sonnet-4", "max_tokens": 40,
                   "messages": [{"role": "user", "content": "hi"}]})

def ask():
    connection.request("POST", "/v1/messages", body, {"x-api-key": key})
    answer = connection.getresponse()
    answer.read()
    return answer

print(ask().status)
os.kill(int(pid), signal.SIGTERM)
status = ""
while "draining" not in status:  # its own thread has had the signal, then the loop
    os.kill(int(pid), signal.SIGUSR1)
    time.sleep(0.02)
    with open("gate.err", encoding="utf-8") as file:
        status = file.read()
answer = ask()
print(answer.status, answer.getheader("autopack-refusal"), answer.getheader("retry-after"))
PYTHON
    [ "$(cat told)" = "200
429 busy 1" ]
    kill "${stalled[@]}"
    wait "$(cat gate.pid)"
    rm gate.pid
    wait_until served_are 2
}

@test "more loops than may be are refused" {
    start_run 1000
    configure '{}'
    jq '.loops = 65' ap-gate.conf > bad.conf
    run -78 ap-gate --check --config bad.conf
    [[ $output == *'/loops: expected a whole number from 1 to 64, got 65'* ]]
}
