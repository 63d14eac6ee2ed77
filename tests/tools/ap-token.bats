#!/usr/bin/env bats
# ap-token as administrators use it.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
}

@test "create prints the token once, list never" {
    run -0 --separate-stderr ap-token create --scope operate ci
    [[ "$output" =~ ^apt-[A-Za-z0-9_-]{43}$ ]]
    token=$output
    [ -z "$stderr" ]
    run -0 ap-token list
    [[ "${lines[1]}" == " 1  ci "*" operate "*" never "* ]]
    [[ "$output" != *"$token"* ]]
    run -1 grep "$token" autopack.db*
}

@test "a token can end by itself or be revoked" {
    ap-token create brief --expires 1h >token
    [ "$(ap-token list --json | jq -r '.expires_at > .created_at')" = true ]
    run -0 ap-token revoke 1
    [ -z "$(ap-token list --json)" ]
    [ "$(ap-token list --all --json | jq -r '.revoked_at != null')" = true ]
    run -66 --separate-stderr ap-token revoke 2
    [ "$stderr" = "ap-token: no token 2" ]
}

@test "bad words are refused" {
    run -2 ap-token create --scope root ci
    run -2 ap-token create --expires soon ci
    run -65 ap-token create "a b"
    ap-token create --json ci | jq -e '.token_id == 1 and (.token | startswith("apt-"))'
    run -2 ap-token revoke ci
}
