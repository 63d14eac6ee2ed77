#!/usr/bin/env bats
# ap-check: the checks of a change, and what is new about them.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    cat >tests.sh <<'END'
echo "1..2"
[ -e broken ] && echo "not ok 1 - first" || echo "ok 1 - first"
echo "not ok 2 - second"
exit 1
END
}

@test "failures of the baseline are known, others are new" {
    run -1 ap-check --save baseline sh tests.sh
    [ "${lines[0]}" = "RESULT  TEST    WHY" ]
    [ "${lines[1]}" = "new     second" ]
    [ "${lines[2]}" = "1 passed, 1 failed, 0 skipped" ]
    run -0 ap-check --baseline baseline sh tests.sh
    [ "${lines[1]}" = "known   second" ]
    touch broken
    run -1 ap-check --baseline baseline --quiet sh tests.sh
    [ "${lines[*]}" = "RESULT  TEST   WHY new     first" ]
}

@test "several commands are one result" {
    run -1 ap-check --json -c 'exit 0' -c 'echo reason >&2; exit 3'
    [ "$(jq -c '[.passed, .failed, .new[0].name, .checks[1].end, .checks[1].tail]' <<<"$output")" = \
        '[1,1,"echo reason >&2; exit 3","exited with status 3","reason\n"]' ]
}

@test "a check that hangs is ended with all it started" {
    run -84 --separate-stderr ap-check --timeout 200ms -c 'sleep 300 & echo $! >pid; wait'
    [ "$stderr" = "ap-check: sleep 300 & echo \$! >pid; wait: timed out" ]
    run ! kill -0 "$(cat pid)"
    run -84 ap-check --idle-timeout 200ms -c 'echo once; sleep 300'
}

@test "a program that is not there is a failure" {
    run -1 --separate-stderr ap-check /no/such/program
    [[ $stderr == "ap-check: /no/such/program: could not be started: "* ]]
}

@test "nothing to run is a usage error" {
    run -2 ap-check
    [[ ${lines[0]} == "ap-check: expected a command, or --command TEXT"* ]]
    run -2 ap-check --format lisp true
}
