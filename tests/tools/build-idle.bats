#!/usr/bin/env bats
# The idle_timeout of a phase with a goal: the silence of a model or of a check.

bats_require_minimum_version 1.5.0
load common
load mock
load build

good=$(edit src/hello.c '    puts("hello");' '    puts("good bye");')

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    make_repository
}

teardown() {
    stop_mock
}

# executes SCRIPT_ENTRY...: the phase a, limited to two silent seconds, with ./check
executes() {
    script "$@"
    start_mock --script script.json
    use_mock_models
    create_run ", \"idle_timeout\": \"2s\", \"check\": \". $PWD/check\""
    ap-exec --quiet --run-id r
}

log_of_attempt() {
    cat ".autonomous_runs/r/phases/a/attempt-$1/stdout"
}

@test "a model that goes on speaking and a check that goes on printing may take longer" {
    # Events come for four seconds, and lines for as many.
    long=$(printf 'Well, %.0s' {1..40})
    echo 'for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done' > check
    executes "$(says small "$long"$'\n'"$good" '{"drip_ms": 150}')" "$(approves)"
    [ "$(query 'SELECT attempts_made FROM phases')" -eq 1 ]
    [ "$(jq -s '.[0].duration_ms' mock.log)" -gt 2000 ]
    committed src/hello.c | grep -q 'good bye'
}

@test "a model that is silent for so long is asked again in the same attempt" {
    echo true > check
    executes "$(says small '' '{"stall_before_ms": -1}')" \
        "$(says small "$good" '{"stall_after_events": 1, "stall_ms": -1}')" \
        "$(says small "$good")" "$(approves)"
    [ "$(query 'SELECT attempts_made FROM phases')" -eq 1 ]
    [ "$(log_of_attempt 1 | grep -c '; asking again in ')" -eq 2 ]
    committed src/hello.c | grep -q 'good bye'
}

@test "a check that is silent for so long fails the build, and the next is told" {
    echo '! grep -q dreadful src/hello.c || sleep 600' > check
    executes "$(says small "${good//good bye/dreadful}")" \
        "$(says small "$good" '{"when": "timed out without output"}')" "$(approves)"
    [ "$(query "SELECT group_concat(failure_class) FROM builds WHERE status = 'FAILED'")" = check ]
    committed src/hello.c | grep -q 'good bye'
}

@test "each step of a build is a line when it begins and when it ends" {
    echo true > check
    executes "$(says small "$good")" "$(approves)"
    log_of_attempt 1 | sed 's/[0-9a-f]\{12\}/COMMIT/; s/[0-9]* tokens/N tokens/' > log
    diff - log << 'END'
build 1: checking commit COMMIT
build 1: checks of commit COMMIT passed
build 1: asking small for a change
build 1: small answered, of N tokens
build 1: applied a change of risk low
build 1: checking the change
build 1: checks of the change passed
build 1: asking judge for an audit
build 1: the auditor says approve
build 1: the gate says pass
committed COMMIT to autopack/r
END
}
