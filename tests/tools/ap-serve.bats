#!/usr/bin/env bats
# ap-serve as scripts and hostile clients use it. The sections Monitoring, Security, Circuit
# Breaker and Bind of the runbook are here line by line, with a port of the test's own.

bats_require_minimum_version 1.5.0

setup() {
    load serve
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR AUTOPACK_BIND_ADDRESS AUTOPACK_ALLOW_NON_LOCAL
    password="correct horse battery"
}

teardown() {
    [ -z "${executor:-}" ] || { kill -KILL "$executor" 2>/dev/null || true; wait "$executor" || true; }
    stop_server
}

get() {
    curl -s "$url$1" "${@:2}"
}

# alerts FILTER: whether it holds for the alerts there are
alerts() {
    get /api/alerts | jq -e "$1"
}

# execute RUN: an executor in the background
execute() {
    ap-exec --run-id "$1" >/dev/null 2>&1 3>&- &
    executor=$!
    wait_until sh -c "[ \"\$(ap-run show $1 --json | jq -r '.phase_list[0].status')\" = EXECUTING ]"
}

# speak TEXT: sends bytes to the server as they are, prints what comes back
speak() {
    python3 - "$port" "$1" <<'END'
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 3) as connection:
    connection.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
    connection.shutdown(socket.SHUT_WR)
    heard = b""
    try:
        while piece := connection.recv(65536):
            heard += piece
    except (ConnectionResetError, TimeoutError):
        pass
    sys.stdout.write(heard.decode("latin-1"))
END
}

@test "runbook: monitoring" {
    start_server
    [ "$(status_of "$url/dashboard")" = 200 ]
    curl -s "$url/health" | jq -e '.status == "healthy"'
    curl -s "$url/health" | jq -e '.db_pool_health | .is_healthy and .status == "healthy" and
        .pool_size == 100 and .checked_out == 3 and .checked_in == 97 and .overflow == 0 and
        .utilization_pct == 3 and .potential_leaks == 0'
}

@test "runbook: alert thresholds" {
    make_run night true
    ap-budget set night --tokens 100
    ap-budget report night work --prompt-tokens 79
    sqlite3 autopack.db "UPDATE runs SET status = 'EXECUTING'"
    start_server
    get /api/alerts | jq -e '.alerts == []'
    ap-budget report night work --prompt-tokens 2
    wait_until alerts '.alerts[0] | .kind == "tokens" and .advice == "Review run efficiency"'
    ap-breaker open api --reason test
    wait_until alerts '.alerts[1].advice == "Check external service health"'
    get /dashboard | grep -q "Review run efficiency"
}

@test "runbook: bind address verification" {
    start_server
    [ "$(curl -s "$url/health" | jq '.bind_address')" = '"127.0.0.1"' ]
}

@test "runbook: rate limiter status" {
    start_server
    run -0 ap-limit status
    [ "${lines[0]}" = "Tracked IPs: 0" ]
}

@test "runbook: circuit breaker stuck open" {
    start_server
    for _ in 1 2 3 4 5; do ap-breaker failure api --reason down; done
    sleep 0.2
    curl -s "$url/health" | jq '.circuit_breakers' >breakers
    jq -e '.api | .state == "open" and .failure_count == 5 and .opened_at != null and .retry_at != null' breakers
    get /health | jq -e '.status == "degraded"'
    [ "$(status_of -X POST "$url/api/breakers/api/reset")" = 200 ]
    [ "$(ap-breaker show api --json | jq -r .state)" = closed ]
    ap-breaker reset --all
}

@test "runbook: safe non-local binding" {
    run -78 --separate-stderr ap-serve --port 0 --host 0.0.0.0
    [ "${#stderr_lines[@]}" = 1 ]
    [[ "$stderr" == *"set AUTOPACK_ALLOW_NON_LOCAL=1"* ]]
    run -78 env AUTOPACK_BIND_ADDRESS=0.0.0.0 ap-serve --port 0
    run -78 ap-serve --port 0 --host example.org
    export AUTOPACK_BIND_ADDRESS=0.0.0.0
    export AUTOPACK_ALLOW_NON_LOCAL=1
    start_server
    url=http://127.0.0.1:$port
    curl -s "$url/health" | jq -e '.bind_address == "0.0.0.0"'
    # Everything else takes a login.
    [ "$(status_of "$url/api/runs")" = 401 ]
    [ "$(status_of "$url/metrics")" = 401 ]
    [ "$(status_of -X POST "$url/api/runs/x/stop")" = 401 ]
    [ "$(curl -s -o /dev/null -w '%{redirect_url}' "$url/dashboard")" = "$url/login?next=%2Fdashboard" ]
}

@test "health is unhealthy at 80 % of the connections and when a check found faults" {
    start_server
    sqlite3 autopack.db "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 76)
        INSERT INTO connections (pid, pid_started, boot_id, tool, opened_at, last_seen)
        SELECT 999999, 1, 'gone', 'test', 0, 0 FROM n"
    sleep 0.2
    [ "$(status_of "$url/health")" = 200 ]
    get /health | jq -e '.status == "degraded" and .db_pool_health.potential_leaks == 76'
    sqlite3 autopack.db "INSERT INTO connections (pid, pid_started, boot_id, tool, opened_at, last_seen)
        VALUES (999999, 1, 'gone', 'test', 0, 0)"
    sleep 0.2
    [ "$(status_of "$url/health")" = 503 ]
    get /health | jq -e '.status == "unhealthy" and (.db_pool_health.is_healthy | not)'
    ap-db cleanup
    sleep 0.2
    get /health | jq -e '.status == "healthy"'
    make_run night true
    sqlite3 autopack.db "UPDATE runs SET open_phases = 7"
    run -1 ap-db check
    sleep 0.2
    get /health/database | jq -e '.integrity == "faulty" and .findings > 0'
}

@test "the API does what the tools do" {
    start_server --socket serve.sock
    api() { curl -s --unix-socket serve.sock -H 'Content-Type: application/json' "http://localhost/api$1" "${@:2}"; }
    plan='{"run_id": "night", "goal": "g", "phases": [{"id": "a", "command": "false"}, {"id": "b", "command": "true"}]}'
    api /runs -d "$plan" | jq -e '.run_id == "night" and .status == "QUEUED"'
    api /runs -d "$plan" | jq -e '.status == 422 and (.detail | contains("exists"))'
    api /runs -d '{"run_id": "bad", "phases": [{"id": "a"}]}' | jq -e '.status == 422'
    api /runs/night/budget -X PUT -d '{"token_cap": 1000}' | jq -e '.token_cap == 1000'
    api /runs/night/budget -X PUT -d '{"tokencap": 1}' | jq -e '.detail | contains("did you mean '"'token_cap'"'")'
    run -1 ap-exec --run-id night
    ap-budget report night a --prompt-tokens 5 --completion-tokens 2 --model m
    api /runs/night | jq -e '.status == "DONE_FAILED" and .phases_failed == 1 and .tokens_used == 7'
    api /runs/night/usage | jq -e '.total.tokens == 7 and .by_model[0].model == "m"'
    api "/usage?by=day&last=2" | jq -e '.by_model[0].tokens == 7'
    api /runs/night/retry -d '{}' | jq -e '.phases_queued == 1'
    api /runs/night/pause -X POST | jq -e '.outcome == "run paused"'
    api /runs/night/stop -X POST | jq -e '.status == 409'
    api /runs/night/abort -X POST | jq -e '.outcome | startswith("aborted")'
    api /breakers/x/open -d '{"reason": "no"}' | jq -e '.state == "forced_open"'
    api /breakers/x/close -X POST | jq -e '.state == "closed"'
    [ "$(api /runs/night -X DELETE -o /dev/null -w '%{http_code}')" = 204 ]
    api /runs/night | jq -e '.status == 404'
}

@test "runs come in pages, by cursor and status" {
    for i in 1 2 3 4 5; do make_run "run-$i" true; done
    start_server
    next=$(get "/api/runs?limit=2" | tee page | jq -r .next_cursor)
    [ "$(jq -r '.runs[].run_id' page | xargs)" = "run-5 run-4" ]
    next=$(get "/api/runs?limit=2&cursor=$next" | tee page | jq -r .next_cursor)
    [ "$(jq -r '.runs[].run_id' page | xargs)" = "run-3 run-2" ]
    get "/api/runs?limit=2&cursor=$next" | jq -e '.runs[0].run_id == "run-1" and .next_cursor == null'
    get "/api/runs?status=EXECUTING" | jq -e '.runs == []'
    get "/api/runs?status=NONE" | jq -e '.status == 400'
    get "/api/runs?cursor=x" | jq -e '.status == 400'
}

@test "the document describes the API, and the server keeps to it" {
    ap-run create "$AP_SOURCE/contrib/examples/tour.json"
    ap-exec --run-id tour
    ap-breaker failure api
    make_run asking 'true'
    ap-approve ask --run asking -s sure --no-wait
    mkdir backups
    ap-backup --quiet -o backups/b.tar.zst
    start_server --socket serve.sock
    python3 "$AP_SOURCE/tests/openapi_check.py" serve.sock
}

@test "clients that send many requests and close their side are answered and closed" {
    start_server
    python3 - "$port" <<'END'
import socket
import sys
import time

request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
for number in range(150):
    count = 1 + number % 40
    with socket.create_connection(("127.0.0.1", sys.argv[1]), 5) as client:
        client.sendall(request * count)
        if number % 3 == 1:
            time.sleep(0.0005 * (number % 7))
        client.shutdown(socket.SHUT_WR)
        answers = b""
        while piece := client.recv(65536):  # a timeout is the fault looked for
            answers += piece
        assert answers.count(b"HTTP/1.1 200") == count, count
END
}

@test "logs are served whole, in part, and as they grow" {
    make_run night 'printf 0123456789; while [ ! -e go ]; do sleep 0.02; done; echo more'
    execute night
    start_server
    log=/api/runs/night/phases/work/attempts/1/logs/stdout
    wait_until sh -c "[ \"\$(curl -s $url$log)\" = 0123456789 ]"
    [ "$(get $log -H 'Range: bytes=2-4')" = 234 ]
    [ "$(status_of "$url$log" -H 'Range: bytes=2-4')" = 206 ]
    [ "$(get $log -H 'Range: bytes=-3')" = 789 ]
    [ "$(status_of "$url$log" -H 'Range: bytes=99-')" = 416 ]
    [ "$(get "$log?tail=4")" = 6789 ]
    get "$log?follow=1&from=8" -N >followed 3>&- &
    reader=$!
    wait_until grep -q 89 followed
    touch go
    wait "$reader"
    [ "$(cat followed)" = $'89more' ]
    [ "$(status_of "$url/api/runs/night/phases/work/attempts/1/logs/..%2fresult.json")" = 400 ]
    [ "$(status_of "$url/api/runs/night/phases/work/attempts/1/logs/result.json")" = 404 ]
    get /api/runs/night/log | grep -q .
}

@test "events are told as they happen and resumed where they were left" {
    start_server
    curl -sN "$url/api/events/stream" >events 3>&- &
    reader=$!
    wait_until grep -q connected events
    make_run night true
    wait_until grep -q '^event: run.created' events
    kill "$reader"
    last=$(sed -n 's/^id: //p' events | tail -1)
    ap-exec --run-id night
    curl -sN --max-time 1 -H "Last-Event-ID: $last" "$url/api/events/stream" >rest || true
    [ "$(sed -n 's/^id: //p' rest | head -1)" = $((last + 1)) ]
    grep -q '"to":"DONE_SUCCESS"' rest
    [ "$(sed -n 's/^id: //p' rest | sort -n | uniq -d)" = "" ]
}

@test "events are compressed for whom accepts it, and told at once" {
    start_server
    make_run night true
    curl -sN --compressed "$url/api/events/stream" >events 3>&- &
    reader=$!
    curl -sN -H "Accept-Encoding: gzip" -D head "$url/api/events/stream?run=night&after=0" >night.gz 3>&- &
    raw=$!
    wait_until grep -q connected events
    wait_until test -s night.gz
    grep -qi '^content-encoding: gzip' head
    grep -qi '^vary: accept-encoding' head
    make_run other true
    wait_until grep -q '"other"' events # while the stream goes on
    kill "$reader"
    last=$(sed -n 's/^id: //p' events | tail -1)
    ap-exec --run-id night
    ends() { gzip -dc night.gz 2>/dev/null | grep -q DONE_SUCCESS; }
    wait_until ends
    curl -sN --compressed --max-time 1 -H "Last-Event-ID: $last" "$url/api/events/stream" >rest || true
    curl -sN --max-time 1 -H "Last-Event-ID: $last" -H "Accept-Encoding: gzip;q=0" "$url/api/events/stream" >plain || true
    [ "$(sed -n 's/^id: //p' rest | head -1)" = $((last + 1)) ]
    cmp rest plain
    stop_server
    wait "$raw"
    gzip -t night.gz # it ended in order: sum and length are those of what came
    gzip -dc night.gz >night
    [ "$(grep -c '^id: ' night)" = "$(sqlite3 autopack.db "SELECT count(*) FROM events WHERE run_id = 'night'")" ]
    [ "$(grep -c '"other"' night)" = 0 ]
}

@test "users log in with a cookie that scripts of pages cannot read" {
    ap-user add --scope operate ada <<<"$password"
    start_server
    [ "$(status_of "$url/api/runs")" = 401 ]
    curl -s -c jar -D head -o /dev/null "$url/login" -d name=ada --data-urlencode "password=$password" -d next=//evil.example
    grep -qi '^location: /dashboard' head
    grep -qi '^set-cookie: ap_session=.*HttpOnly; SameSite=Strict' head
    [ "$(status_of -b jar "$url/api/runs")" = 200 ]
    # A change needs the page's token, and the scope.
    make_run night true
    [ "$(status_of -b jar -X POST "$url/api/runs/night/pause")" = 403 ]
    csrf=$(curl -s -b jar "$url/dashboard/runs/night" | grep -o 'name="csrf" value="[^"]*"' | head -1 | cut -d'"' -f4)
    [ "$(status_of -b jar -H "X-CSRF-Token: $csrf" -X POST "$url/api/runs/night/pause")" = 200 ]
    [ "$(status_of -b jar -H "X-CSRF-Token: $csrf" -X DELETE "$url/api/runs/night")" = 403 ]
    [ "$(status_of -b jar -d "csrf=$csrf" "$url/logout")" = 303 ]
    [ "$(status_of -b jar "$url/api/runs")" = 401 ]
}

@test "tokens do what their scope allows until they are revoked" {
    token=$(ap-token create --scope read ci)
    start_server
    bearer=(-H "Authorization: Bearer $token")
    [ "$(status_of "$url/api/runs")" = 401 ]
    [ "$(status_of "${bearer[@]}" "$url/api/runs")" = 200 ]
    [ "$(status_of "${bearer[@]}" -X POST "$url/api/runs/x/stop")" = 403 ]
    [ "$(status_of -H "Authorization: Bearer ${token}x" "$url/api/runs")" = 401 ]
    wait_until sh -c '[ "$(ap-token list --json | jq .last_used_at)" != null ]'
    ap-token revoke 1
    [ "$(status_of "${bearer[@]}" "$url/api/runs")" = 401 ]
}

@test "pages of elsewhere can do nothing" {
    make_run night true
    start_server
    [ "$(status_of -H 'Host: evil.example' "$url/health")" = 421 ]
    [ "$(status_of -H 'Origin: http://evil.example' -X POST "$url/api/runs/night/pause")" = 403 ]
    [ "$(status_of -H 'Sec-Fetch-Site: cross-site' -X POST "$url/api/runs/night/pause")" = 403 ]
    [ "$(status_of -d confirmed=1 "$url/dashboard/runs/night/abort")" = 403 ]
    curl -s -D head -o /dev/null -H 'Origin: http://evil.example' "$url/api/runs"
    run -1 grep -i access-control head
    curl -s -D head -o /dev/null "$url/dashboard"
    for field in "content-security-policy: default-src 'none'" "x-content-type-options: nosniff" \
        "x-frame-options: DENY" "referrer-policy: same-origin"; do
        grep -qi "^$field" head
    done
    get /dashboard >page
    run -1 grep -E '<script>|onclick|style=' page
    # What executes commands takes more than being on the same machine.
    [ "$(status_of -H 'Content-Type: application/json' -d '{}' "$url/api/runs")" = 403 ]
}

@test "what people named is shown as text" {
    plan=$(jq -n '{run_id: "night", goal: "<script>alert(1)</script>&\"", phases: [{id: "work", command: "true"}]}')
    ap-run create - <<<"$plan"
    start_server
    get /dashboard | grep -q '&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;'
    get /dashboard/runs/night >page
    run -1 grep '<script>alert' page
}

@test "without script a button asks on a page of its own" {
    make_run night true
    start_server
    csrf=$(get /dashboard/runs/night | grep -o 'name="csrf" value="[^"]*"' | head -1 | cut -d'"' -f4)
    get /dashboard/runs/night/abort -d "csrf=$csrf" | grep -q "Really abort run night?"
    [ "$(ap-run show night --json | jq -r .status)" = QUEUED ]
    [ "$(status_of "$url/dashboard/runs/night/abort" -d "csrf=$csrf" -d confirmed=1)" = 303 ]
    [ "$(ap-run show night --json | jq -r .status)" = DONE_ABORTED ]
}

@test "hostile requests are answered or cut, and the server goes on" {
    start_server
    speak 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | grep -c '200 OK' | grep -qx 2
    speak 'nonsense\r\n\r\n' >/dev/null
    speak 'GET /health HTTP/1.1\r\n\r\n' | grep -q '^HTTP/1.1 4'
    speak 'GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | grep -q '^HTTP/1.1 400'
    speak 'GET /api/runs/%2e%2e HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | grep -q '^HTTP/1.1 400'
    speak 'GET /api/runs?a=1&a=2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | grep -q '^HTTP/1.1 400'
    speak 'POST /api/runs/x/stop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n' | grep -q '^HTTP/1.1 413'
    speak 'POST /api/runs/x/stop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 99999999999999999999\r\n\r\n' | grep -q '^HTTP/1.1 4'
    speak 'POST /api/runs/x/stop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n' >/dev/null
    long=$(head -c 40000 /dev/zero | tr '\0' a)
    [[ "$(status_of "$url/$long")" == 4* ]]
    [[ "$(status_of -H "X: $long" "$url/health")" == 4* ]]
    [ "$(status_of -X PATCH "$url/api/runs")" = 405 ]
    [ "$(status_of --head "$url/api/events/stream")" = 200 ]
    [ "$(status_of -X POST -H 'Content-Type: application/json' -d '[' "$url/api/runs/x/retry")" = 422 ]
    [ "$(status_of -X POST -d 'a=b' "$url/api/runs/x/retry")" = 415 ]
    [ "$(status_of "$url/health")" = 200 ]
    get /health | jq -e '.http_errors.count_10min == 0'
}

@test "500 watchers and slow clients leave it answering, in bounded memory" {
    start_server
    limit=128
    # A sanitizer's own memory is no fault of the server's.
    ldd "$(command -v ap-serve)" | grep -qE 'lib[at]san' && limit=512
    python3 - "$port" "$server" "$limit" <<'END'
import resource, socket, sys, time, urllib.request
resource.setrlimit(resource.RLIMIT_NOFILE, (2048, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
port, pid = int(sys.argv[1]), sys.argv[2]
def memory():
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
def connect(text):
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.sendall(text)
    return connection
watchers = [connect(b"GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(500)]
for watcher in watchers:
    assert b"200 OK" in watcher.recv(4096)
slow = [connect(b"GET /health HT") for _ in range(200)]
before = time.monotonic()
answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/health").read()
took = time.monotonic() - before
assert b'"watchers":500' in answer, answer
assert took < 2, took
assert memory() < int(sys.argv[3]) * 1024, memory()
for watcher in watchers + slow:
    watcher.close()
end = time.monotonic() + 10
while b'"watchers":0' not in urllib.request.urlopen(f"http://127.0.0.1:{port}/health").read():
    assert time.monotonic() < end
    time.sleep(0.05)
END
}

@test "SIGTERM ends streams, lets requests end, and takes the file away" {
    start_server --socket serve.sock
    curl -sN "$url/api/events/stream" >events 3>&- &
    wait_until grep -q connected events
    kill -USR1 "$server"
    wait_until grep -q "1 watchers" serve.log
    kill -HUP "$server"
    [ "$(status_of "$url/ready")" = 200 ]
    kill -TERM "$server"
    status=0
    wait "$server" || status=$?
    server=
    [ "$status" = 0 ]
    [ ! -e .autonomous_runs/serve.json ]
    [ ! -e serve.sock ]
    [ "$(sqlite3 autopack.db 'SELECT count(*) FROM connections')" = 0 ]
}

@test "sockets of the service manager are taken over" {
    command -v systemd-socket-activate >/dev/null || skip "no systemd-socket-activate"
    systemd-socket-activate --listen="$PWD/activated.sock" ap-serve 2>serve.log 3>&- &
    server=$!
    wait_until test -S activated.sock
    [ "$(curl -s --unix-socket activated.sock -o /dev/null -w '%{http_code}' http://localhost/ready)" = 200 ]
}

@test "the service manager is told of the start, of life, of a reload and of the end" {
    python3 - <<'END'
import os
import signal
import socket
import subprocess
import time

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("notify")
manager.settimeout(20)


def hear(word):
    """Waits for a message with the word, and returns when it came."""
    while word not in manager.recv(4096).decode():
        pass
    return time.monotonic()


environment = os.environ | {"NOTIFY_SOCKET": os.path.abspath("notify"), "WATCHDOG_USEC": "600000"}
with subprocess.Popen(["ap-serve", "--port", "0"], env=environment) as server:
    hear("READY=1")
    lives = [hear("WATCHDOG=1") for _ in range(5)]
    pauses = [later - earlier for earlier, later in zip(lives, lives[1:])]
    assert max(pauses) < 0.6, pauses
    server.send_signal(signal.SIGHUP)
    hear("RELOADING=1")
    hear("READY=1")
    server.terminate()
    hear("STOPPING=1")
    assert server.wait() == 0
END
}

@test "TLS by a given certificate, read again on SIGHUP" {
    command -v openssl >/dev/null || skip "no openssl"
    certify() {
        openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out "$1" -days 2 \
            -subj "/CN=$2" -addext "subjectAltName=DNS:localhost" 2>/dev/null
    }
    certify cert.pem first
    run -2 ap-serve --tls-key key.pem
    run -78 ap-serve --port 0 --tls-key key.pem --tls-certificate key.pem
    start_server --tls-certificate cert.pem --tls-key key.pem
    [[ "$url" == https://* ]]
    [ "$(status_of --cacert cert.pem "https://localhost:$port/health")" = 200 ]
    curl -s --cacert cert.pem -D - -o /dev/null "https://localhost:$port/health" | grep -qi strict-transport-security
    certify cert.pem second
    kill -HUP "$server"
    wait_until curl -s --cacert cert.pem -o /dev/null "https://localhost:$port/health"
}
