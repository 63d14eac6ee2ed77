#!/usr/bin/env bats
# Approvals and backups through ap-serve.

bats_require_minimum_version 1.5.0

setup() {
    load common
    load serve
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR AUTOPACK_BIND_ADDRESS AUTOPACK_ALLOW_NON_LOCAL
}

teardown() {
    stop_server
}

get() {
    curl -s "$url$1" "${@:2}"
}

@test "approvals are listed, shown and answered, once, through the API" {
    make_run night 'true'
    for summary in one two; do
        echo "diff of $summary" | ap-approve ask --run night -s "$summary" -d - --no-wait
    done
    start_server
    get "/api/approvals" | jq -e '[.approvals[].summary] == ["one", "two"]'
    get "/api/approvals/1" | jq -e '.detail == "diff of one\n" and .state == "PENDING"'
    [ "$(status_of -X POST "$url/api/approvals/1/approve" -H 'Content-Type: application/json' \
        -d '{"comment": "good"}')" = 200 ]
    get "/api/approvals/1" | jq -e '.granted and .decided_by == "local" and .comment == "good"'
    curl -s -X POST "$url/api/approvals/1/reject" | jq -e '.status == 422 and (.detail | contains("approved before"))'
    [ "$(ap-approve show 1 --json | jq -r .state)" = APPROVED ]
    curl -s -X POST "$url/api/approvals/2/reject" | jq -e '.state == "REJECTED" and (.granted | not)'
    get "/api/approvals" | jq -e '.approvals == []'
    get "/api/approvals?state=all&before=2" | jq -e '[.approvals[].approval_id] == [1]'
    [ "$(status_of "$url/api/approvals/9")" = 404 ]
    [ "$(status_of "$url/api/approvals/one")" = 404 ]
}

@test "the inbox answers a question after it has asked back, and needs the page's token" {
    make_run night 'true'
    ap-approve ask --run night -s '<b>sure</b>' --no-wait
    start_server
    page=$(get /dashboard)
    [[ "$page" == *"&lt;b&gt;sure&lt;/b&gt;"* ]]
    [ "$(status_of -d confirmed=1 "$url/dashboard/approvals/1/approve")" = 403 ]
    csrf=$(sed -n 's/.*name="csrf" value="\([^"]*\)".*/\1/p' <<<"$page" | head -n 1)
    [[ "$(curl -s -d "csrf=$csrf" "$url/dashboard/approvals/1/approve")" == *"Please confirm"* ]]
    [ "$(ap-approve show 1 --json | jq -r .state)" = PENDING ]
    [ "$(status_of -d "csrf=$csrf&confirmed=1" "$url/dashboard/approvals/1/approve")" = 303 ]
    [ "$(ap-approve show 1 --json | jq -r .state)" = APPROVED ]
}

@test "backups are started, listed and fetched by administrators" {
    make_run night 'true'
    printf 'AUTOPACK_BACKUP_DIR=kept\n' >autopack.conf
    start_server --socket serve.sock
    api() { curl -s --unix-socket serve.sock "http://localhost/api$1" "${@:2}"; }
    api /backups | jq -e '.state == "idle" and .backups == []'
    [ "$(status_of -X POST "$url/api/backups")" = 403 ]
    [ "$(api /backups -X POST -o started -w '%{http_code}')" = 202 ]
    jq -e '.state == "running" or .state == "idle"' started
    wait_until sh -c 'curl -s --unix-socket serve.sock http://localhost/api/backups |
        jq -e ".state == \"idle\" and (.backups | length) == 1"'
    name=$(api /backups | jq -r '.backups[0].name')
    [ "$(api /backups | jq '.backups[0].bytes')" = "$(stat -c %s "kept/$name")" ]
    [ "$(status_of "$url/api/backups/$name")" = 403 ]
    api "/backups/$name" -o fetched.tar.zst
    cmp "kept/$name" fetched.tar.zst
    api "/backups/$name" -r 10-19 -o part
    [ "$(stat -c %s part)" = 10 ]
    ap-restore --verify-only -i fetched.tar.zst
    echo secret >kept/notes.txt
    ln -s ../autopack.conf kept/link.tar.zst
    for bad in notes.txt link.tar.zst ..%2Fautopack.conf none.tar.zst; do
        [[ "$(api "/backups/$bad" -o /dev/null -w '%{http_code}')" =~ ^40[04]$ ]]
    done
    [ "$(api /backups | jq '.backups | length')" = 1 ]
}

@test "a backup that fails is told, and another one may be made" {
    make_run night 'true'
    echo in the way >backups
    start_server --socket serve.sock
    curl -s --unix-socket serve.sock -X POST http://localhost/api/backups
    wait_until sh -c 'curl -s --unix-socket serve.sock http://localhost/dashboard | grep -q s-failed'
}
