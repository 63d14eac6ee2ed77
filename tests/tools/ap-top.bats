#!/usr/bin/env bats
# ap-top in a terminal and without one.

bats_require_minimum_version 1.5.0

setup() {
    load serve
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
}

teardown() {
    [ -z "${executor:-}" ] || { kill "$executor" 2>/dev/null || true; wait "$executor" || true; }
}

# keys KEYS: ap-top in a terminal of its own, which gets these keys
keys() {
    python3 - "$1" <<'END'
import os, pty, sys, time
child, terminal = pty.fork()
if child == 0:
    os.execvp("ap-top", ["ap-top", "--interval", "50ms"])
shown = b""
def read_until(text):
    global shown
    end = time.time() + 10
    while text not in shown and time.time() < end:
        shown += os.read(terminal, 65536)
read_until(b"RUN / PHASE")
for key in sys.argv[1]:
    os.write(terminal, key.encode())
    if key in "sat":
        read_until(b"(y/n)")
    if key == "y":
        read_until(b"asked for")
try:
    while True:
        shown += os.read(terminal, 65536)
except OSError:
    pass
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.stdout.write(shown.decode(errors="replace"))
sys.exit(status)
END
}

@test "--once prints runs, tokens, breakers and alerts plainly" {
    make_run night true
    ap-budget set night --tokens 100
    ap-budget report night work --prompt-tokens 80 --completion-tokens 5
    sqlite3 autopack.db "UPDATE runs SET status = 'EXECUTING'"
    ap-breaker open api --reason broken
    run -0 --separate-stderr ap-top --once
    [[ "${lines[0]}" == "autopack "*"degraded, 0 executors, 1 connections" ]]
    [[ "$output" == *"! run night used 85 % of its cap (85 of 100 tokens) - Review run efficiency"* ]]
    [[ "$output" == *"! circuit breaker api is open: broken - Check external service health"* ]]
    [[ "$output" == *"85 of 100 85% !"* ]]
    [[ "$output" != *$'\033'* ]]
}

@test "without a terminal only --once works" {
    ap-db init
    run -2 --separate-stderr ap-top </dev/null
    [[ "$stderr" == *"this needs a terminal"* ]]
}

@test "a key stops a run after asking, and the terminal comes back" {
    make_run night "sleep 60"
    ap-exec --run-id night >/dev/null 2>&1 3>&- &
    executor=$!
    wait_until sh -c '[ "$(ap-run show night --json | jq -r .status)" = EXECUTING ]'
    run -0 keys "ayq"
    [[ "$output" == *"abort night ? (y/n)"* ]]
    [[ "$output" == *$'\033[?1049l'* ]]
    wait_until sh -c '[ "$(ap-run show night --json | jq -r .status)" = DONE_ABORTED ]'
}
