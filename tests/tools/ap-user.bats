#!/usr/bin/env bats
# ap-user as administrators use it.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
    password="correct horse battery"
}

@test "a user is added, listed and deleted" {
    run -0 --separate-stderr ap-user add --scope admin ada <<<"$password"
    [ -z "$output" ]
    [ -z "$stderr" ]
    run -0 ap-user list
    [ "${lines[0]}" = "USER  SCOPE  CREATED              LAST LOGIN" ]
    [[ "${lines[1]}" == "ada   admin  "*" -" ]]
    [ "$(ap-user list --json | jq -r '.name, .scope, .last_login_at' | xargs)" = "ada admin null" ]
    run -0 ap-user delete ada
    [ -z "$(ap-user list --json)" ]
}

@test "the password is kept as an argon2id hash and nowhere else" {
    ap-user add ada <<<"$password"
    [[ "$(sqlite3 autopack.db 'SELECT password_hash FROM users')" == "\$argon2id\$v=19\$"* ]]
    run -1 grep "$password" autopack.db*
}

@test "bad names, passwords and scopes are refused in one line" {
    run -65 --separate-stderr ap-user add ada <<<"too short"
    [ "$stderr" = "ap-user: password: expected 12 to 1024 bytes, got 9" ]
    run -65 --separate-stderr ap-user add "a b" <<<"$password"
    [ "${#stderr_lines[@]}" = 1 ]
    run -2 ap-user add --scope root ada <<<"$password"
    run -65 --separate-stderr ap-user add ada </dev/null
    [[ "$stderr" == *"expected a secret on a line of its own, got nothing" ]]
    ap-user add ada <<<"$password"
    run -65 --separate-stderr ap-user add ada <<<"$password"
    [ "$stderr" = "ap-user: user 'ada' exists" ]
}

@test "passwd replaces the password and delete asks for a user that exists" {
    ap-user add ada <<<"$password"
    before=$(sqlite3 autopack.db 'SELECT password_hash FROM users')
    run -0 ap-user passwd ada <<<"another $password"
    [ "$(sqlite3 autopack.db 'SELECT password_hash FROM users')" != "$before" ]
    run -66 --separate-stderr ap-user passwd bob <<<"$password"
    [ "$stderr" = "ap-user: no user 'bob'" ]
    run -66 ap-user delete bob
}
