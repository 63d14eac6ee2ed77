#!/bin/bash
# What is done in the container, by root: TAP to standard output.
set -u
export PATH=/usr/local/bin:$PATH
state=/var/lib/autopack
number=0

# it NAME FUNCTION: a test, which stops at the first command that fails
it() {
    number=$((number + 1))
    (set -ex; "$2") >/tmp/trace 2>&1
    # Not asked for by "if" at once: that would turn "set -e" off.
    # shellcheck disable=SC2181
    if [ $? -eq 0 ]; then
        echo "ok $number $1"
    else
        echo "not ok $number $1"
        tail -n 20 /tmp/trace >&2
        journalctl --no-pager --lines 15 --output cat >&2
    fi
}

refute() {
    if "$@"; then
        return 1
    fi
}

as_user() {
    (cd $state && setpriv --reuid autopack --regid autopack --init-groups -- "$@")
}

wait_until() {
    for _ in {1..300}; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "did not come: $*" >&2
    return 1
}

main_pid() {
    systemctl show --property MainPID --value "$1"
}

is_another() {
    local now
    now=$(main_pid "$1")
    [ "$now" -gt 0 ] && [ "$now" -ne "$2" ]
}

has_property() {
    [ "$(systemctl show --property "$2" --value "$1")" = "$3" ]
}

create_run() {
    jq -n --arg id "$1" "{run_id: \$id, phases: $2}" | as_user ap-run create - >/dev/null
}

status_of() {
    as_user ap-run show "$1" --json | jq -r .status
}

has_status() {
    [ "$(status_of "$1")" = "$2" ]
}

make_user_and_directory() {
    systemd-sysusers
    systemd-tmpfiles --create
    [ "$(stat -c '%U:%G %a' $state)" = 'autopack:autopack 750' ]
    as_user ap-db init
}

verify_units() {
    systemd-analyze verify --man=no /usr/local/lib/systemd/system/ap-*.* >/tmp/verify 2>&1 || true
    refute grep 'ap-' /tmp/verify >&2
}

# exposure UNIT: of systemd-analyze security, in tenths
exposure() {
    systemd-analyze security "$1" --no-pager | sed -n 's/.*Overall exposure level.*: \([0-9]*\)\.\([0-9]\).*/\1\2/p'
}

limit_exposure() {
    local unit
    for unit in ap-serve ap-gate ap-backup ap-prune ap-db-cleanup; do
        [ "$(exposure $unit.service)" -le 20 ]
    done
}

serve_on_demand() {
    systemctl start ap-serve.socket
    has_property ap-serve ActiveState inactive
    curl -sf http://127.0.0.1:8000/health | jq -e '.status == "healthy"' >/dev/null
    curl -sf 'http://[::1]:8000/ready' >/dev/null
    has_property ap-serve ActiveState active
    has_property ap-serve Type notify
}

serve_after_kill() {
    local pid
    pid=$(main_pid ap-serve)
    kill -KILL "$pid"
    curl -sf http://127.0.0.1:8000/health >/dev/null
    is_another ap-serve "$pid"
}

watch_server() {
    local pid
    mkdir -p /run/systemd/system/ap-serve.service.d
    printf '[Service]\nWatchdogSec=1s\n' >/run/systemd/system/ap-serve.service.d/watch.conf
    systemctl daemon-reload
    systemctl restart ap-serve
    pid=$(main_pid ap-serve)
    sleep 3
    [ "$(main_pid ap-serve)" = "$pid" ]
    kill -STOP "$pid"
    wait_until is_another ap-serve "$pid"
    rm -r /run/systemd/system/ap-serve.service.d
    systemctl daemon-reload
    wait_until curl -sf http://127.0.0.1:8000/ready
}

drain_server() {
    systemctl reload ap-serve
    curl -sf http://127.0.0.1:8000/ready >/dev/null
    systemctl stop ap-serve ap-serve.socket
    has_property ap-serve Result success
}

start_gateway() {
    (cd /test && exec python3 -B mock_upstream --port-file /test/port --log /test/served &)
    wait_until test -s /test/port
    printf 'sk-real' >/etc/mock.key
    chmod 600 /etc/mock.key
    jq -n --arg url "http://127.0.0.1:$(cat /test/port)" '{providers: [{name: "mock",
        family: "openai", base_url: $url, key_file: "credential:mock"}]}' >$state/ap-gate.conf
    mkdir -p /etc/systemd/system/ap-gate.service.d
    printf '[Service]\nLoadCredential=mock:/etc/mock.key\n' \
        >/etc/systemd/system/ap-gate.service.d/key.conf
    systemctl daemon-reload
    systemctl start ap-gate.socket
    has_property ap-gate ActiveState inactive
}

# Its one phase calls a model through the gateway, with the key that it was given.
run_through_gateway() {
    cat >/test/call <<'END'
curl -sf "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY" \
    --json '{"model": "gpt-mock", "max_tokens": 50,
        "messages": [{"role": "user", "content": "hi"}]}'
END
    create_run through '[{id: "a", command: "sh /test/call"}]'
    systemctl start ap-exec@through
    wait_until has_status through DONE_SUCCESS
    has_property ap-gate ActiveState active
    [ "$(as_user ap-budget show through --json | jq -s '.[0].tokens_used')" -gt 0 ]
    refute grep -rq sk-real $state
}

fail_once() {
    create_run bad '[{id: "a", command: "exit 3", max_attempts: 1}]'
    systemctl start ap-exec@bad
    wait_until has_property ap-exec@bad ActiveState failed
    has_property ap-exec@bad ExecMainStatus 1
    has_property ap-exec@bad NRestarts 0
}

find_failed_unit() {
    as_user ap-doctor >/tmp/doctor || true
    grep 'units: .*ap-exec@bad' /tmp/doctor >&2
    systemctl reset-failed ap-exec@bad
    as_user ap-doctor >/tmp/doctor || true
    refute grep 'units: .*ap-exec@bad' /tmp/doctor
}

go_on_after_kill() {
    local pid
    create_run long '[{id: "a", command: "[ -e go ] || exec sleep 600", backoff: {first: 0}}]'
    systemctl start ap-exec@long
    wait_until pgrep -x sleep
    pid=$(main_pid ap-exec@long)
    as_user touch go
    kill -KILL "$pid"
    wait_until has_status long DONE_SUCCESS
    refute pgrep -x sleep
}

# A second signal aborts what the first one only lets end.
stop_executor() {
    as_user rm -f go
    create_run stopped '[{id: "a", command: "[ -e go ] || exec sleep 600"}]'
    systemctl start ap-exec@stopped
    wait_until pgrep -x sleep
    systemctl --no-block stop ap-exec@stopped
    wait_until has_property ap-exec@stopped ActiveState deactivating
    pgrep -x sleep
    kill -TERM "$(main_pid ap-exec@stopped)"
    wait_until has_property ap-exec@stopped ActiveState inactive
    refute pgrep -x sleep
    has_status stopped DONE_ABORTED
}

# In a unit with a /proc as the services have it: systemd-nspawn lays a boot_id of its own
# over the kernel's, which they do not see.
see_other_users() {
    create_run other '[{id: "a", command: "exec sleep 600"}]'
    systemd-run --quiet --unit=other --property=ProtectKernelTunables=yes \
        --working-directory=$state /usr/local/bin/ap-exec --run-id other
    wait_until pgrep -x sleep
    systemctl start ap-serve
    curl -sf http://127.0.0.1:8000/health |
        jq -e '.executors | .alive == 1 and .dead == 0' >/dev/null
    systemctl start ap-db-cleanup
    has_status other EXECUTING
    systemctl stop ap-serve
    systemctl --no-block stop other
    wait_until has_property other ActiveState deactivating
    kill -TERM "$(main_pid other)"
    wait_until has_property other ActiveState inactive
    rm -r $state/.autonomous_runs/other
}

run_timers() {
    systemctl enable --now ap-backup.timer ap-prune.timer ap-db-cleanup.timer
    systemctl list-timers --no-pager | grep -c 'ap-' | grep -qx 3
    systemctl start ap-backup.service
    systemctl start ap-prune.service ap-db-cleanup.service
    as_user ap-restore --verify-only -i $state/backups/*
}

stop_gateway() {
    local pid
    pid=$(main_pid ap-gate)
    kill -KILL "$pid"
    wait_until is_another ap-gate "$pid"
    systemctl stop ap-gate ap-gate.socket
    has_property ap-gate Result success
    as_user ap-db check
}

it 'sysusers and tmpfiles make the user and the state directory' make_user_and_directory
it 'systemd finds nothing to say against the units' verify_units
it 'the services are exposed by at most 2.0' limit_exposure
it 'the first request starts ap-serve by its socket' serve_on_demand
it 'no request is refused when ap-serve was killed' serve_after_kill
it 'the watchdog ends an ap-serve that hangs, and leaves a sound one alone' watch_server
it 'ap-serve reloads, and stops cleanly' drain_server
it 'ap-gate waits at its socket, its key a credential' start_gateway
it 'a phase of ap-exec@ calls a model through ap-gate' run_through_gateway
it 'a run that fails is a failed unit, and is not started again' fail_once
it 'ap-doctor finds the failed unit' find_failed_unit
it 'a killed executor is started again and goes on' go_on_after_kill
it 'an executor that is told to stop ends its phases and stays stopped' stop_executor
it 'the services know that an executor of another user is alive' see_other_users
it 'the timers run, and their services back up, prune and clean up' run_timers
it 'a killed ap-gate comes back, and stops cleanly' stop_gateway
echo "1..$number"
