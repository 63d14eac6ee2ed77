#!/usr/bin/env bats
# How the gateway is reached and run: Unix socket, sockets passed by the service manager,
# its watchdog, and TLS to the provider.

bats_require_minimum_version 1.5.0
load common
load gate

setup() {
    gate_setup
}

teardown() {
    [ -z "${helper:-}" ] || kill "$helper" || true # before it is waited for
    gate_teardown
}

# Runs ap-gate as a service manager does: with a socket that was bound before as
# descriptor 3, and with NOTIFY_SOCKET, where what it is told goes, a line each, to `told`.
as_service() {
    python3 - > told 3>&- <<'PYTHON' &
import os, socket, subprocess, sys
listening = socket.create_server(("127.0.0.1", 0))
with open("passed-port", "w") as file:
    file.write(str(listening.getsockname()[1]))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(os.path.abspath("notify"))
pid = os.fork()
if pid == 0:
    if listening.fileno() != 3:
        os.dup2(listening.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()),
                       "NOTIFY_SOCKET": os.path.abspath("notify"),
                       "WATCHDOG_USEC": "200000", "WATCHDOG_PID": str(os.getpid())})
    os.execvp("ap-gate", ["ap-gate"])
with open("gate.pid", "w") as file:
    file.write(str(pid))
while True:
    message = notify.recv(4096).decode()
    print(message.replace("\n", " "), flush=True)
    if "STOPPING=1" in message:
        os.waitpid(pid, 0)
        break
PYTHON
    helper=$!
    wait_until test -s .autonomous_runs/gate.json
}

@test "a Unix socket is listened on, too, or alone" {
    jq '.listen.unix = "gate.sock"' ap-gate.conf > new.conf
    mv new.conf ap-gate.conf
    start_gate
    [ "$(jq -r .unix .autonomous_runs/gate.json)" = "$PWD/gate.sock" ]
    url=http://gate messages '{}' --unix-socket gate.sock -o answer
    [ "$(jq -r .type answer)" = message ]
    same_as_served
    stop_gate KILL
    rm .autonomous_runs/gate.json
    # What a killed one leaves of its socket is in nobody's way.
    jq '.listen = {unix: "gate.sock"}' ap-gate.conf > new.conf
    mv new.conf ap-gate.conf
    ap-gate 2> gate.err 3>&- &
    echo $! > gate.pid
    wait_until test -s .autonomous_runs/gate.json
    [ "$(jq -c 'has("url")' .autonomous_runs/gate.json)" = false ]
    curl -sf --unix-socket gate.sock http://gate/healthz | grep -q ok
}

@test "sockets that the service manager passes are served in place of the configured" {
    jq '.listen = {tcp: {port: 1}}' ap-gate.conf > new.conf
    mv new.conf ap-gate.conf
    start_run 1000000
    as_service
    url=$(jq -r .url .autonomous_runs/gate.json)
    [ "${url##*:}" = "$(cat passed-port)" ]
    start_attempt
    key=$(cat key-of-attempt) # for messages
    export key
    [ "$(messages '{}' -o answer -w '%{http_code}')" = 200 ]
    same_as_served
}

@test "the service manager is told of readiness, life and the end" {
    start_run 1000000
    as_service
    alive() { [ "$(grep -c 'WATCHDOG=1' told)" -ge 3 ]; }
    wait_until alive
    [ "$(head -1 told)" = READY=1 ]
    kill -HUP "$(cat gate.pid)"
    reloaded() { [ "$(grep -c READY=1 told)" -eq 2 ] && grep -q RELOADING=1 told; }
    wait_until reloaded
    kill -TERM "$(cat gate.pid)"
    wait "$helper"
    helper=
    rm gate.pid
    [ "$(tail -1 told)" = STOPPING=1 ]
}

@test "a provider's certificate is verified against the configured ones" {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout tls.key -out tls.pem -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost 2> /dev/null
    python3 - 3>&- <<'PYTHON' &
import http.server, json, ssl
class Provider(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        answer = json.dumps({"type": "message", "usage": {"input_tokens": 3, "output_tokens": 4}})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())
server = http.server.HTTPServer(("127.0.0.1", 0), Provider)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("tls.pem", "tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open("tls-port", "w") as file:
    file.write(str(server.server_address[1]))
server.serve_forever()
PYTHON
    helper=$!
    wait_until test -s tls-port
    configure "{\"base_url\": \"https://localhost:$(cat tls-port)\"}"
    start_gate
    [ "$(messages '{}' -o answer -w '%{http_code}')" = 502 ]
    grep -q 'certificate' answer
    stop_gate
    [ "$(query 'SELECT count(*) FROM llm_usage_events')" -eq 0 ]
    jq '.ca_file = "tls.pem"' ap-gate.conf > new.conf
    mv new.conf ap-gate.conf
    start_gate
    [ "$(messages '{}' -o answer -w '%{http_code}')" = 200 ]
    wait_until recorded 1
    [ "$(query 'SELECT prompt_tokens, completion_tokens FROM llm_usage_events')" = '3|4' ]
}
