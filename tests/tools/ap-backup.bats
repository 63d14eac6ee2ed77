#!/usr/bin/env bats
# ap-backup(1) as people and timers call it.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
    ap-db init
    mkdir -p docs .autonomous_runs/demo
    echo '# History' >docs/BUILD_HISTORY.md
    echo log >.autonomous_runs/demo/executor.log
}

teardown() {
    if [ -f pids ]; then
        while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done <pids
    fi
}

manifest() {
    tar -xOf "$1" manifest.jsonl
}

@test "says nothing and leaves one file that tar can read" {
    run --separate-stderr ap-backup --output backup.tar.zst
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    [ "$(find . -maxdepth 1 -name '.*' -type f)" = "" ]
    tar -tf backup.tar.zst | grep -qx docs/BUILD_HISTORY.md
    [ "$(tar -xOf backup.tar.zst .autonomous_runs/demo/executor.log)" = log ]
    [ "$(stat -c %a backup.tar.zst)" = 600 ]
}

@test "puts the manifest first, with the hash of every file" {
    ap-backup -o backup.tar.gz
    [ "$(tar -tzf backup.tar.gz | head -1)" = manifest.jsonl ]
    mkdir x
    tar -xzf backup.tar.gz -C x
    manifest backup.tar.gz | jq -r 'select(.sha256) | .sha256 + "  x/" + .path' >sums
    [ "$(wc -l <sums)" -ge 4 ]
    sha256sum --quiet -c sums
}

@test "writes to standard output" {
    ap-backup --output - | zstd -dc | tar -t | grep -qx autopack.db
    ap-backup --output - --format gz | gzip -dc | tar -t | grep -qx autopack.db
}

@test "gives files in a directory dated names" {
    run --separate-stderr ap-backup --output-dir backups --json
    [ "$status" -eq 0 ]
    file=$(jq -r .file <<<"$output")
    [[ $file =~ ^backups/autopack-backup-[0-9]{8}-[0-9]{6}\.tar\.zst$ ]]
    [ -s "$file" ]
}

@test "wants a name that says the compression" {
    run --separate-stderr ap-backup --output backup.zip
    [ "$status" -eq 2 ]
    [[ $stderr == *"ends in .tar.zst"*"got 'backup.zip'"* ]]
    run --separate-stderr ap-backup
    [ "$status" -eq 2 ]
}

@test "says that there is no database" {
    run --separate-stderr ap-backup --db none/autopack.db -o b.tar.zst
    [ "$status" -eq 66 ]
}

@test "names what it left out" {
    mkdir config
    echo KEY=1 >config/.env
    run --separate-stderr ap-backup -v -o backup.tar.zst
    [ "$status" -eq 0 ]
    [[ $stderr == *"left out 'config/.env': taken to hold a secret"* ]]
    [ "$(manifest backup.tar.zst | jq -r 'select(.left_out) | .left_out')" = config/.env ]
    run ! grep -F .env <(tar -tf backup.tar.zst)
}

@test "is refused with 75 while another works on the same state, and leaves nothing" {
    exec 9<.
    flock 9
    run --separate-stderr ap-backup -o backup.tar.zst
    [ "$status" -eq 75 ]
    [[ $stderr == *"in use by another process"* ]]
    [ ! -e backup.tar.zst ]
}

@test "keeps the old file when the disk is full" {
    mkdir out
    ap-backup -o out/backup.tar.zst
    before=$(sha256sum out/backup.tar.zst)
    head -c 13000000 /dev/urandom >.autonomous_runs/demo/large
    # Files larger than this cannot be written by the child: a disk that is full.
    run --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 10000; ap-backup -o out/backup.tar.zst'
    [ "$status" -eq 74 ]
    [ "$(sha256sum out/backup.tar.zst)" = "$before" ]
    [ "$(ls -A out)" = backup.tar.zst ]
}

@test "goes on after a backup that was killed" {
    head -c 20000000 /dev/urandom >.autonomous_runs/demo/large
    ap-backup -l 19 -o backup.tar.zst 3>&- &
    pid=$!
    echo "$pid" >pids
    until [ -e .backup.tar.zst.partial ]; do sleep 0.01; done
    kill -KILL "$pid"
    wait "$pid" || true
    [ ! -e backup.tar.zst ]
    rm .autonomous_runs/demo/large
    ap-backup -o backup.tar.zst
    [ ! -e .backup.tar.zst.partial ]
    [ ! -e .autopack-snapshot ]
}

@test "ends on SIGTERM without leaving anything" {
    head -c 30000000 /dev/urandom >.autonomous_runs/demo/large
    ap-backup -l 19 -o backup.tar.zst 3>&- &
    pid=$!
    echo "$pid" >pids
    until [ -e .backup.tar.zst.partial ]; do sleep 0.01; done
    kill -TERM "$pid"
    wait "$pid" || code=$?
    [ "${code:-0}" -eq 82 ]
    [ ! -e backup.tar.zst ]
    [ ! -e .backup.tar.zst.partial ]
    [ ! -e .autopack-snapshot ]
}

@test "encrypts, and needs the same passphrase for a next one" {
    echo 'correct horse' >passphrase
    ap-backup -p passphrase -o full.tar.zst.enc
    run ! grep -q BUILD_HISTORY full.tar.zst.enc
    ap-backup -p passphrase -i full.tar.zst.enc -o next.tar.zst.enc
    echo wrong >other
    run --separate-stderr ap-backup -p other -i full.tar.zst.enc -o x.tar.zst.enc
    [ "$status" -eq 65 ]
    [[ $stderr == *"wrong passphrase"* ]]
}

@test "makes keys and does not overwrite one" {
    ap-backup --generate-key key
    [ "$(stat -c %a key)" = 600 ]
    run --separate-stderr ap-backup --generate-key key
    [ "$status" -eq 73 ]
    ap-backup -s key -o signed.tar.zst
    tar -tf signed.tar.zst | sed -n 2p | grep -qx manifest.sig
    ap-restore -i signed.tar.zst -k key.pub -t
    ap-backup -o unsigned.tar.zst
    run --separate-stderr ap-restore -i unsigned.tar.zst -k key.pub -t
    [ "$status" -eq 65 ]
    [[ $stderr == *"is not signed"* ]]
}

@test "holds a sound database although others write all the time" {
    bash -c 'while :; do
        sqlite3 -cmd ".timeout 5000" autopack.db "INSERT INTO events (created_at, kind)
            VALUES (1, \"x\")" || break
    done' 3>&- &
    echo $! >pids
    for _ in 1 2 3; do
        ap-backup -o backup.tar.zst
        ap-restore -i backup.tar.zst --verify-only
    done
}

@test "--incremental reads no file that is unchanged, --reread all of them" {
    ap-backup -o full.tar.zst
    sleep 2.1 # files younger than that when the base was made are always read
    ap-backup -o base.tar.zst
    ap-backup -i base.tar.zst -o next.tar.zst
    ap-backup -r -i base.tar.zst -o all.tar.zst
    run tar -tf next.tar.zst
    [[ "$output" != *executor.log* ]]
    run tar -tf all.tar.zst
    [[ "$output" == *executor.log* ]]
}

@test "--check finds the damage that an incremental backup does not look for" {
    sqlite3 autopack.db "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
        WHERE i < 500) INSERT INTO events (created_at, kind, detail)
        SELECT i, 'test', printf('{\"x\":\"%0400d\"}', i) FROM n"
    ap-backup -o full.tar.zst
    page=$(sqlite3 autopack.db "PRAGMA wal_checkpoint(TRUNCATE); SELECT max(pageno) FROM dbstat
        WHERE name = 'events' AND pagetype = 'leaf'" | tail -1)
    dd if=/dev/zero of=autopack.db bs=4096 seek=$((page - 1)) count=1 conv=notrunc status=none
    ap-backup -i full.tar.zst -o unchecked.tar.zst
    run --separate-stderr ap-backup -c -i full.tar.zst -o next.tar.zst
    [ "$status" -eq 65 ]
    [[ "$stderr" == *"is damaged"* ]]
    [ ! -e next.tar.zst ]
}
