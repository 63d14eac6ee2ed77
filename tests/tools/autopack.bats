#!/usr/bin/env bats
# autopack(1): the front that finds and runs the tools.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
}

# tool NAME BODY: a tool of the user's own, in ./bin
tool() {
    mkdir -p bin
    printf '#!/bin/sh\n%s\n' "$2" >"bin/ap-$1"
    chmod +x "bin/ap-$1"
}

@test "a name runs the tool, with its arguments, streams and status" {
    echo '{"run_id": "r", "phases": [{"id": "a", "command": "true"}]}' >plan.json
    run -0 --separate-stderr autopack run create - <plan.json
    [ "$output" = r ]
    [ -z "$stderr" ]
    run -0 autopack budget show r --json
    [ "${#lines[@]}" -eq 2 ]
    run -66 --separate-stderr autopack budget show nope
    [ -z "$output" ]
    [ "$stderr" = "ap-budget: no run 'nope'" ]
    run -0 autopack exec --quiet --run-id r
    run -7 autopack breaker run b -- sh -c 'exit 7'
}

@test "options after the name belong to the tool" {
    run -0 autopack db --version
    [[ "$output" == "ap-db "* ]]
    run -0 autopack --version
    [[ "$output" == "autopack "* ]]
    tool mine 'printf "<%s>" "$@"'
    PATH=$PWD/bin:$PATH run -0 autopack mine -x --list 'two words' -- --help
    [ "$output" = '<-x><--list><two words><--><--help>' ]
}

@test "the tools beside it come before those of PATH" {
    tool db 'echo stranger'
    PATH=$PWD/bin:$PATH run -0 autopack db --version
    [[ "$output" == "ap-db "* ]]
}

@test "the signal that ends a tool ends autopack, which it replaced" {
    tool dies 'kill -TERM $$'
    PATH=$PWD/bin:$PATH run -143 autopack dies
}

@test "an unknown name suggests the nearest, with status 2" {
    run -2 --separate-stderr autopack budgte show r
    [ -z "$output" ]
    [ "${stderr_lines[0]}" = \
        "autopack: 'budgte' is not an autopack command; did you mean 'budget'?" ]
    [ "${stderr_lines[1]}" = "autopack: try 'autopack --help'" ]
    run -2 --separate-stderr autopack xyzzyplugh
    [[ "${stderr_lines[0]}" != *"did you mean"* ]]
    run -2 --separate-stderr autopack ../bin/true
    [[ "${stderr_lines[0]}" == *"is not an autopack command"* ]]
}

@test "--list names every tool once, those of PATH too" {
    tool mine true
    echo 'not executable' >bin/ap-plain
    PATH=$PWD/bin:$PWD/bin:$PATH run -0 --separate-stderr autopack --list
    for name in breaker budget ctl db exec mine run; do
        [ "$(grep -cx "$name" <<<"$output")" -eq 1 ]
    done
    [ "$(grep -cx plain <<<"$output")" -eq 0 ]
    [ "$output" = "$(sort -u <<<"$output")" ]
    [ -z "$stderr" ]
}

@test "without a name it is a usage error that lists the names" {
    run -2 --separate-stderr autopack
    [ -z "$output" ]
    [[ "$stderr" == "autopack: a command is needed, one of:"*budget*run* ]]
    run -2 --separate-stderr autopack --lsit
    [ -z "$output" ]
    [[ "$stderr" == *"--lsit"* ]]
}

@test "help lists the tools, and help NAME shows the tool's page" {
    run -0 --separate-stderr autopack help
    [[ "$output" == "usage: autopack "* ]]
    [[ "$output" == *"commands:"*"  budget"* ]]
    [ -z "$stderr" ]
    mkdir bin
    printf '#!/bin/sh\necho "page $*"\n' >bin/man
    chmod +x bin/man
    PATH=$PWD/bin:$PATH run -0 autopack help budget
    [ "$output" = 'page ap-budget' ]
    PATH=$PWD/bin:$PATH run -0 autopack help autopack
    [ "$output" = 'page autopack' ]
}

@test "every tool answers --help and --version on standard output, and refuses the unknown" {
    for name in $(autopack --list); do
        [ -x "$AP_TOOLS/ap-$name" ] || continue
        run -0 --separate-stderr autopack "$name" --help
        [[ "$output" == "usage: ap-$name"* ]]
        [ -z "$stderr" ]
        [ "$(wc -L <<<"$output")" -le 80 ]
        run -0 --separate-stderr autopack "$name" --version
        [[ "$output" == "ap-$name "* ]]
        run -2 --separate-stderr autopack "$name" --no-such-option
        [ -z "$output" ]
        [[ "$stderr" == "ap-$name: "*"--no-such-option"* ]]
    done
}

@test "a closed standard output is an error, not a success" {
    run -74 --separate-stderr bash -c 'autopack --list >/dev/full'
    [[ "$stderr" == "autopack: cannot write standard output"* ]]
    run -74 bash -c 'ap-db --help >/dev/full'
}

@test "a reader that goes away early ends it quietly" {
    # More than a pipe holds, so that it must meet the closed end.
    mkdir bin
    long=$(printf 'x%.0s' {1..240})
    for number in {1..300}; do
        ln -s /bin/true "bin/ap-$long-$number"
    done
    PATH=$PWD/bin:$PATH run -141 --separate-stderr bash -c \
        'trap - PIPE; autopack --list | read -r; exit "${PIPESTATUS[0]}"'
    [ -z "$stderr" ]
}

@test "help says what each tool of the suite does, without running the user's own to ask" {
    tool mine 'touch was-run'
    PATH=$PWD/bin:$PATH run -0 autopack help
    [[ $output == *$'\n'"  exec      execute a run's phases durably, under budget"$'\n'* ]]
    [[ $output == *$'\n'"  mine"* ]]
    [ ! -e was-run ]
}

@test "help itself is suggested for what is nearly it" {
    run -2 autopack hlep
    [[ ${lines[0]} == *"did you mean 'help'?" ]]
}
