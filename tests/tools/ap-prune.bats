#!/usr/bin/env bats
# ap-prune(1): what goes, what stays, and why.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
    ap-db init
    mkdir backups
}

@test "names what it removes and what it keeps" {
    ap-backup -o backups/one.tar.zst
    ap-backup -o backups/two.tar.zst
    run --separate-stderr ap-prune --dir backups
    [ "$status" -eq 0 ]
    [[ $output == *keep*two.tar.zst*daily* ]]
    [[ $output == *remove*one.tar.zst*"newer ones are kept"* ]]
    [ "$(ls backups)" = two.tar.zst ]
}

@test "a dry run removes nothing" {
    ap-backup -o backups/one.tar.zst
    ap-backup -o backups/two.tar.zst
    run --separate-stderr ap-prune --dir backups --dry-run --json
    [ "$status" -eq 0 ]
    [ "$(jq -r 'select(.keep | not) | .file' <<<"$output")" = one.tar.zst ]
    [ -e backups/one.tar.zst ]
}

@test "keeps backups made before an upgrade, and bases" {
    ap-backup -o backups/pre-upgrade-1.tar.gz
    ap-backup -o backups/full.tar.zst
    ap-backup -o backups/loose.tar.zst
    ap-backup -i backups/full.tar.zst -o backups/next.tar.zst
    ap-prune -q --dir backups --keep-daily 1 --keep-weekly 0 --keep-monthly 0
    [ "$(cd backups && echo *)" = "full.tar.zst next.tar.zst pre-upgrade-1.tar.gz" ]
    ap-restore -q -i backups/next.tar.zst -t
}

@test "removes encrypted ones only when it can verify one" {
    echo pass >passphrase
    ap-backup -p passphrase -o backups/one.tar.zst.enc
    ap-backup -p passphrase -o backups/two.tar.zst.enc
    run --separate-stderr ap-prune -q --dir backups
    [ "$status" -eq 1 ]
    [ -e backups/one.tar.zst.enc ]
    ap-prune -q --dir backups -p passphrase
    [ ! -e backups/one.tar.zst.enc ]
}

@test "is refused with 75 while a backup is written there" {
    exec 9<backups
    flock 9
    run --separate-stderr ap-prune --dir backups
    [ "$status" -eq 75 ]
}

@test "says what it is not told" {
    run --separate-stderr ap-prune
    [ "$status" -eq 2 ]
    run --separate-stderr ap-prune --dir none
    [ "$status" -eq 66 ]
}
