#!/bin/bash
# The runbook works as it is written: each command of docs/RUNBOOK.md, those of its blocks
# and those at the end of list items, is executed in its order in a fresh directory, and
# what it is to bring about is looked at.
#
# Replaced are only <run-id>, <phase-id>, <name>, /path/to/autopack, YYYY-MM-DD, the port
# 8000 (by a free one) and 192.168.1.100 (by an address of this machine). What stays, a
# server, an executor, tail -f, is executed in the background.
#
# before() makes what a section needs; after() looks at what a command did. A command
# without an expectation there is a failure.
set -euo pipefail
unset "${!AUTOPACK_@}"
base=$(mktemp -d)
mkdir "$base/laptop" "$base/desktop" "$base/home"
export HOME=$base/home
background=()
cleanup()
{
    for pid in "${background[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$base"
}
trap cleanup EXIT
cd "$base/laptop"
load() { :; }
. "$AP_SOURCE/tests/tools/common.bash"

fail()
{
    echo "docs/RUNBOOK.md: $section: $*" >&2
    exit 1
}
expect() # WHAT COMMAND...: fails unless the command succeeds within some time
{
    local what=$1
    shift
    wait_until "$@" 2>"$base/expect.log" || fail "expected $what; printed was: $output"
}

port=$(python3 -c 'import socket
with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    print(one.getsockname()[1])')
address=$(hostname -I | tr ' ' '\n' | grep -m 1 '^[0-9.]*$' || echo 127.0.0.2)
run=night phase=slow

# plan RUN COMMAND [COMMAND]: records a run of one phase, "slow", or of two
plan()
{
    jq -n --arg run "$1" --arg one "$2" --arg two "${3-}" '{run_id: $run, phases: ([
        {id: "slow", command: $one, grace: "100ms"}] + if $two == "" then [] else
        [{id: "later", command: $two, depends_on: ["slow"], grace: "100ms"}] end)}' |
        ap-run create - >/dev/null
}
# execute: the run in the background, until its phase executes
execute()
{
    ap-exec --run-id "$run" --quiet 3>&- >/dev/null &
    executor=$!
    background+=("$executor")
    wait_until is_executing
}
is_executing() { [ "$(query "SELECT status FROM phases WHERE run_id = '$run' AND status = 'EXECUTING'")" ]; }
# ended STATUS: the executor is, with that status
ended()
{
    local got=0
    wait "$executor" 2>/dev/null || got=$?
    [ "$got" -eq "$1" ] || fail "the executor's status is $got, not $1:
$(cat "$base/err" ".autonomous_runs/$run/executor.log")"
}
serve()
{
    ap-serve --port "$port" 2>"$base/serve.log" 3>&- &
    server=$!
    background+=("$server")
    wait_until answers localhost
}
answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$1:$port/health")" = 200 ]; }
stop_serving()
{
    kill "$server"
    wait "$server" || true
}
# The server may look at the database a little later.
breaker_is() { [ "$(get /health | jq -r .circuit_breakers.api.state)" = "$1" ]; }
get() { curl -s "http://localhost:$port$1"; }
one() { [ "$(query "$1")" = "$2" ]; }
has_printed() { grep -q -- "$1" "$base/out"; }
printed() { [ "$output" = "$1" ]; }

before() # SECTION
{
    case $1 in
    'Starting Autopack')
        ap-db init
        plan night 'until test -e finish; do sleep 0.02; done' 'sleep 300' ;;
    'Stuck Run Recovery')
        run=stuck
        plan stuck 'sleep 300'
        execute ;;
    'Database Corruption')
        ap-backup -qo "backup-$(date +%F).tar.gz"
        stop_serving
        dd if=/dev/urandom of=autopack.db bs=4096 seek=1 count=20 conv=notrunc status=none ;;
    'SOT Ledger Conflicts')
        ours=$(ap-ledger add build -t Ours <<<'our words')
        sed -i '/^## .* Ours$/i <<<<<<< HEAD' docs/BUILD_HISTORY.md
        cat >>docs/BUILD_HISTORY.md <<'END'
=======
## B-0123456789ab 2026-01-02T03:04:05.678Z Theirs

their words

<!-- end B-0123456789ab -->
>>>>>>> desktop
END
        ;;
    'Key Metrics')
        serve ;;
    'Safe Non-Local API Binding')
        cd "$base/laptop"
        stop_serving ;;
    'Connection Pool Exhaustion')
        unset AUTOPACK_BIND_ADDRESS AUTOPACK_ALLOW_NON_LOCAL
        query "INSERT INTO connections (pid, pid_started, boot_id, tool, opened_at, last_seen)
            VALUES (999999, 1, 'gone', 'test', 1, 1)" ;;
    'Token Budget Exceeded')
        run=spent
        plan spent 'sleep 300'
        ap-budget report spent slow --prompt-tokens 1000 --completion-tokens 234
        execute ;;
    'Circuit Breaker Stuck Open')
        serve
        ap-breaker open api --reason test
        wait_until breaker_is forced_open ;;
    'Daily Backups (Automated)')
        mkdir backups ;;
    esac
}

after() # SECTION COMMAND
{
    case "$1: $2" in
    'Starting Autopack: ap-serve '*)
        expect 'a server that answers' answers localhost ;;
    'Starting Autopack: ap-exec '*)
        expect 'a phase that executes' is_executing ;;
    *': echo "stop:'*)
        touch finish
        ended 82
        expect 'a finished phase' one "SELECT status FROM phases WHERE phase_id = 'slow'" COMPLETE
        expect 'a stopped run' one "SELECT status FROM runs" STOPPED
        execute ;;
    *': ap-ctl status '*)
        ended 137
        ap-db cleanup
        expect 'the phase queued again' one "SELECT status FROM phases
            WHERE phase_id = 'later'" QUEUED ;;
    *': ap-db version')
        expect 'both versions alike' has_printed '^schema \([0-9]*\), program \1$' ;;
    *': ap-db migrate')
        expect 'no word' printed '' ;;
    *': ap-doctor')
        ! has_printed '^error' || fail "it found: $output" ;;
    *': bats '*)
        expect 'tests that pass' has_printed '^ok 1 ' ;;
    *': tail -f '*)
        expect 'the log' has_printed 'phase.started phase slow' ;;
    *": sqlite3 autopack.db \"SELECT * FROM phases"*)
        expect 'the stuck phase' has_printed '^stuck|slow|' ;;
    *': echo "timeout:'*)
        ended 1
        expect 'a timed out attempt' one "SELECT status FROM attempts
            WHERE run_id = 'stuck'" TIMED_OUT ;;
    'Database Corruption: autopack restore '*)
        expect 'the runs' one 'SELECT group_concat(run_id) FROM (SELECT run_id FROM runs
            ORDER BY 1)' night,stuck
        expect 'the state before' test -e autopack-rollback-*/autopack.db ;;
    *'PRAGMA integrity_check"')
        expect 'a sound database' printed ok ;;
    *': ap-ledger tidy')
        ! grep -q '^<<<<<<<\|^>>>>>>>' docs/BUILD_HISTORY.md || fail 'conflict markers are left'
        expect 'our entry' grep -q "^## $ours .* Ours$" docs/BUILD_HISTORY.md
        expect 'their entry' grep -q '^## B-0123456789ab .* Theirs$' docs/BUILD_HISTORY.md ;;
    *': ap-ledger verify')
        expect 'no finding' printed '' ;;
    'Key Metrics: curl '*)
        [ "$(jq -r .status "$base/out")" = healthy ] || fail "it says: $output"
        jq -e '.db_pool_health | .is_healthy and .pool_size == 100' "$base/out" >/dev/null ||
            fail 'no db_pool_health'
        get /dashboard | grep -qi token || fail 'the dashboard shows no tokens' ;;
    'Laptop to Desktop Sync: autopack backup '*)
        expect 'a backup' test -s "$HOME/autopack-backup.tar.gz"
        cd "$base/desktop" ;;
    'Laptop to Desktop Sync: autopack restore '*)
        expect 'the runs' one 'SELECT count(*) FROM runs' 2
        expect 'the documents' grep -q 'their words' docs/BUILD_HISTORY.md
        expect 'the logs' test -s .autonomous_runs/stuck/executor.log ;;
    *': export AUTOPACK_BIND_ADDRESS='*)
        expect 'the address' test "$AUTOPACK_BIND_ADDRESS" = "$address" ;;
    *': export AUTOPACK_ALLOW_NON_LOCAL=1'*)
        expect 'the variable' test "$AUTOPACK_ALLOW_NON_LOCAL" = 1 ;;
    *': ap-user add '*)
        expect 'the user' one 'SELECT name FROM users' ada ;;
    'Safe Non-Local API Binding: ap-serve '*)
        expect 'a server that answers' answers "$address" ;;
    'Safe Non-Local API Binding: curl '*)
        [ "$(jq -r .bind_address "$base/out")" = "$address" ] || fail "it says: $output"
        [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$address:$port/api/runs")" = 401 ] ||
            fail 'it answers without a login'
        stop_serving ;;
    *'FROM pg_stat_activity"')
        expect 'one connection' printed 1 ;;
    *': ap-db cleanup --verbose')
        expect 'one connection removed' has_printed '^forgot 1 connections'
        expect 'no connection' one 'SELECT count(*) FROM connections' 0 ;;
    'Token Budget Exceeded: sqlite3 '* | 'Per-Run Budget Enforcement: sqlite3 '*)
        expect 'the total' printed 'spent|1234' ;;
    *': echo "abort:'*)
        ended 83
        expect 'an aborted run' one "SELECT status FROM runs WHERE run_id = 'spent'" DONE_ABORTED ;;
    'Circuit Breaker Stuck Open: curl '*)
        [ "$(jq -r .api.state "$base/out")" = forced_open ] || fail "it says: $output" ;;
    *': ap-breaker reset --all')
        expect 'a closed breaker' breaker_is closed ;;
    *': export AUTOPACK_RUN_TOKEN_CAP='*)
        plan capped true
        expect 'the cap' one "SELECT token_cap FROM budgets
            WHERE run_id = 'capped' AND phase_id = ''" 10000000 ;;
    'Per-Phase Budget Monitoring: sqlite3 '*)
        expect 'the total' printed 'slow|slow|1234' ;;
    *': ap-limit status')
        expect 'a count' has_printed '0' ;;
    'Bind Address Verification: curl '*)
        expect 'the loopback address' printed '"127.0.0.1"' ;;
    'Daily Backups (Automated): '*)
        ap-restore -qti "backups/autopack-backup-$(date +%Y%m%d).tar.gz" ;;
    'Pre-Upgrade Backups (Manual): '*)
        ap-restore -qti "backups/pre-upgrade-$(date +%Y%m%d).tar.gz" ;;
    'Backup Retention: autopack prune '*)
        [ "$(has_printed keep && find backups -type f | wc -l)" -eq 2 ] ||
            fail "it did: $output" ;;
    *) fail "nothing is expected of: $2" ;;
    esac
}

# execute_line COMMAND: as a person would, in this shell
execute_line()
{
    local line=$1 result=0
    line=${line//<run-id>/$run}
    line=${line//<phase-id>/$phase}
    line=${line//<name>/ada}
    line=${line//8000/$port}
    line=${line//192.168.1.100/$address}
    line=${line//YYYY-MM-DD/$(date +%F)}
    line=${line//\/path\/to\/autopack/$PWD}
    case $line in
    ap-serve\ * | ap-exec\ * | tail\ -f\ *)
        eval "exec $line" >"$base/out" 2>"$base/err" 3>&- &
        background+=("$!")
        case $line in
        ap-serve*) server=$! ;;
        ap-exec*) executor=$! ;;
        esac
        output= ;;
    '0 2 * * * '*)
        # As cron does: the rest of the line, in which \% is %.
        line=${line#'0 2 * * * '}
        sh -c "${line//\\%/%}" >"$base/out" 2>"$base/err" || result=$?
        output=$(cat "$base/out") ;;
    bats\ *)
        (cd "$AP_SOURCE" && eval "$line") >"$base/out" 2>"$base/err" || result=$?
        output=$(tail -n 5 "$base/out") ;;
    *)
        eval "$line" >"$base/out" 2>"$base/err" <<<'correct horse battery' || result=$?
        output=$(cat "$base/out") ;;
    esac
    [ "$result" -eq 0 ] || fail "status $result of: $line
$(cat "$base/out" "$base/err")"
}

# Lines "# SECTION" and "$ COMMAND" of the runbook, up to the table of the original ones.
commands=$(awk '
    /^```/ { code = /bash/; next }
    code && /^[^#]/ { print "$ " $0 }
    !code && /^## Original/ { exit }
    !code && /^##/ { sub(/^#+ /, ""); print "# " $0 }
    !code && /^([0-9]+\.|-) .*: `.*`$/ { sub(/^[^`]*`/, ""); sub(/`$/, ""); print "$ " $0 }
    ' "$AP_SOURCE/docs/RUNBOOK.md")
section=
output=
count=0
while IFS= read -r line <&9; do
    case $line in
    '# '*)
        section=${line#'# '}
        before "$section" ;;
    *)
        execute_line "${line#'$ '}"
        after "$section" "${line#'$ '}"
        count=$((count + 1)) ;;
    esac
done 9<<<"$commands"
[ "$count" -ge 34 ] || fail "only $count commands were found"
