#!/usr/bin/env bats
# The example that a new user starts.

@test "the example makes a commit offline" {
    cd "$BATS_TEST_TMPDIR"
    TMPDIR=$PWD run "$AP_SOURCE/contrib/examples/build/run"
    [ "$status" -eq 0 ]
    [[ "$output" == *"Autopack-Phase: name"* ]]
    [[ "$output" == *"check 'sh test' exited with status 1"* ]]
    repository=$(echo autopack-build.*/repository)
    [ "$(sh "$repository/greet" you)" = 'hello, you' ]
}
