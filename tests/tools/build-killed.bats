#!/usr/bin/env bats
# A build that is killed, and killed again, comes to its end in a repository of
# AP_LANGUAGE (c, python or javascript).

bats_require_minimum_version 1.5.0
load common
load mock
load build
load repositories

setup() {
    export ASAN_OPTIONS=detect_leaks=0 # strace(1) and the search for leaks exclude each other
    cd "$BATS_TEST_TMPDIR" || exit 1
    make_repository_of "${AP_LANGUAGE:-c}"
}

teardown() {
    stop_mock
}

# killed_at CALLS: the first of these system calls ends an attempt, the second the next,
# and so on; with $2, the second one of an attempt that comes to a new file does. Every
# second time the executor is killed, too. It goes on until the run is done.
killed_at() {
    command -v strace > /dev/null || skip 'no strace'
    # An ap-exec starts the ap-build that is beside it.
    mkdir tools
    cp "$AP_TOOLS/ap-exec" tools/
    cat > tools/ap-build << END
#!$(command -v sh)
cd $PWD
echo >> attempts
ls -I "*.tmp.*" .autonomous_runs/r/phases/read/build-1 > files.new 2> /dev/null
n=\$((\$(cat n) + 1))
[ -z "$2" ] || cmp -s files files.new || n=2
mv files.new files
echo \$n > n
strace -o /dev/null -e trace=$1 -e "inject=$1:signal=KILL:when=\$n" $AP_TOOLS/ap-build "\$@"
status=\$?
[ "\$status" -ne 137 ] || echo >> kills
if [ "\$status" -eq 137 ] && [ \$((\$(wc -l < attempts) % 2)) -eq 0 ]; then
    kill -KILL "\$(cat executor)"
fi
exit "\$status"
END
    chmod +x tools/ap-build
    echo 0 > n
    create_run_of_goal '{"max_attempts": 100, "max_interruptions": 100}' "$merges"
    while [ "$(query 'SELECT status FROM runs')" != DONE_SUCCESS ]; do
        tools/ap-exec --quiet --run-id r 3>&- &
        echo $! > executor
        status=0
        wait $! 2> /dev/null || status=$?
        [ "$status" -eq 0 ] || [ "$status" -eq 137 ]
    done
}

# What a run has come to that was killed at least $1 times.
went_on() {
    [ "$(wc -l < kills)" -ge "$1" ]
    [ "$(git -C repo rev-list --count main)" -eq 2 ]
    reads_durations main
    tidy
    ap-db check > /dev/null
}

@test "killed each time it puts a file in place, it goes on with the next" {
    start "$(answers small good '{"repeat": true}')" "$(approves '{"repeat": true}')"
    killed_at rename new
    went_on 10
    [ -z "$(find .autonomous_runs/r/phases/read/build-* -name '*.tmp.*' -not -path '*/tree/*')" ]
    # Only an answer whose file was not there yet was asked for again.
    [ "$(mock_total requests)" -le 6 ]
    books_are_right
}

@test "killed each time it starts a program, it pays for each answer once" {
    start "$(answers small good)" "$(approves)"
    killed_at clone,clone3,fork,vfork
    went_on 8
    [ "$(mock_total requests)" -eq 2 ]
    books_are_right
}

@test "killed while it changes the files of its worktree, it changes them all" {
    start "$(answers small good)" "$(approves)"
    killed_at renameat,unlinkat
    went_on 4
    [ "$(mock_total requests)" -eq 2 ]
    books_are_right
}

@test "killed as it writes to the disk, it commits once" {
    start "$(answers small good '{"repeat": true}')" "$(approves '{"repeat": true}')"
    killed_at fsync,fdatasync
    went_on 8
    books_are_no_less
}

# Starts an executor, and kills it alone as soon as the command has success.
killed_when() {
    ap-exec --quiet --run-id r 3>&- &
    executor=$!
    wait_until "$@"
    kill -KILL "$executor"
    wait "$executor" 2> /dev/null || true
}

@test "without its executor neither an answer nor a check goes on" {
    start "$(answers small good '{"stall_after_events": 2}')" "$(answers small good)" "$(approves)"
    # The first check of the change does not come to its end.
    create_run_of_goal "$(jq --arg here "$PWD" '{check: [["sh", "-c",
        "! grep -q Reads README.md || ! mkdir \($here)/held || { echo $$ > \($here)/pid; sleep 1000; }"],
        if (.check[0] | type) == "array" then .check[] else .check end]}' \
        "$recorded/$language/phase.json")" "$merges"
    killed_when is_answering
    killed_when test -s pid
    ap-exec --quiet --run-id r
    run kill -0 "$(cat pid)"
    [ "$status" -ne 0 ]
    [ "$(query "SELECT group_concat(status) FROM attempts WHERE phase_id = 'read'")" = \
        INTERRUPTED,INTERRUPTED,SUCCEEDED ]
    reads_durations main
    tidy
    [ "$(mock_total requests)" -eq 3 ]
    books_are_no_less
    [ "$(ap-budget estimates r --json | jq -s length)" -eq 1 ]
}

@test "an answer that it is killed in the middle of is paid for as an estimate" {
    start "$(answers small good '{"stall_after_events": 2}')" "$(answers small good)" "$(approves)"
    create_run_of_goal '{"max_attempts": 2}' "$merges"
    ap-exec --quiet --run-id r 3>&- &
    wait_until is_answering
    kill -KILL "$(query "SELECT pid FROM budget_reservations WHERE status = 'OPEN'")"
    wait $!
    reads_durations main
    [ "$(mock_total requests)" -eq 3 ]
    books_are_no_less
    [ "$(ap-budget estimates r --json | jq -r .attempt)" -eq 1 ]
}
