#!/usr/bin/env bats

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    mkdir bin
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# A command of the user's own.
own_command() {
    printf '#!/bin/sh\nprintf "%%s|" "$0" "$@"\nexit 7\n' > "bin/$1"
    chmod +x "bin/$1"
}

@test "a name runs the tool of that name with the arguments that follow" {
    run -0 --separate-stderr autopack db --version
    [[ $output == "ap-db "* ]]
    [ -z "$stderr" ]
}

@test "a program of the user's own along PATH is a command, its status is kept" {
    own_command ap-mine
    run -7 autopack mine --help -x "two words"
    [[ $output == *"ap-mine|--help|-x|two words|" ]]
}

@test "the tool beside the front goes before one along PATH" {
    own_command ap-db
    run -0 autopack db --version
    [[ $output == "ap-db "* ]]
}

@test "an unknown name suggests the nearest and exits as a usage error" {
    run -2 --separate-stderr autopack buget show
    [ -z "$output" ]
    [[ $stderr == "autopack: 'buget' is not an autopack command; did you mean 'budget'?"* ]]
}

@test "a name is not looked up as a path" {
    own_command ap-mine
    mkdir ap-d && cp bin/ap-mine ap-d/x
    run -2 autopack d/x
    [[ $output == *"not an autopack command"* ]]
}

@test "without a name it lists the commands on standard error" {
    run -2 --separate-stderr autopack
    [ -z "$output" ]
    [[ $stderr == *"a command is needed, one of:"*exec* ]]
}

@test "--list prints every tool that is installed, one a line, and the user's own" {
    own_command ap-mine
    run -0 --separate-stderr autopack --list
    for tool in "$AP_TOOLS"/ap-*; do
        [ ! -x "$tool" ] || [ -d "$tool" ] ||
            [[ $'\n'"$output"$'\n' == *$'\n'"$(basename "$tool" | cut -c 4-)"$'\n'* ]]
    done
    [[ $'\n'"$output"$'\n' == *$'\n'mine$'\n'* ]]
}

@test "help names the commands, help NAME shows the page of one" {
    run -0 --separate-stderr autopack help
    [[ $output == "usage: autopack "*commands:*breaker*run* ]]
    own_command man
    run -7 autopack help run
    [[ $output == *"|ap-run|" || $output == "man|ap-run|" ]]
    run -7 autopack help autopack
    [[ $output == *"|autopack|" ]]
}

@test "options before the name are the front's own, those after it the tool's" {
    run -0 autopack --version
    [[ $output == "autopack "* ]]
    run -2 autopack --json db stats
    [[ $output == "autopack: unknown option '--json'"* ]]
}
